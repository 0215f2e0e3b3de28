"""A frame of `payferry top`, drawn for a terminal."""

from collections.abc import Iterator

from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from payments.resilience.breaker_state import BreakerView
from workers.cli.terminal.tables import counts, pairs, plain, table
from workers.cli.terminal.times import moment, span
from workers.cli.top_frame import Frame, ProcessShown
from workers.monitor.finding import Status
from workers.pulse.sign import Life

_MOST_FINDINGS = 8
_STYLES = {Status.HEALTHY: "bold green", Status.DEGRADED: "bold yellow", Status.UNHEALTHY: "bold red"}
_LIVES = {Life.ALIVE: "", Life.STUCK: "bold red", Life.SILENT: "bold red"}
_UNKNOWN = "?"


def view_of(frame: Frame) -> RenderableType:
    """Return everything that is shown of one frame."""
    return Group(*_parts(frame))


def _parts(frame: Frame) -> Iterator[RenderableType]:
    yield _head(frame)
    yield from _findings(frame)
    flow = pairs("\nflow", dict(_flow(frame)))
    letters = pairs("\ndead letters", dict(_letters(frame)))
    yield Columns([flow, letters], padding=(0, 6))
    yield _queues(frame)
    yield _breakers(frame)
    yield _processes(frame)


def _head(frame: Frame) -> Text:
    status = frame.verdict.status
    return Text.assemble("Payferry  ", (status.value, _STYLES[status]), f"  {moment(frame.taken_at)}")


def _findings(frame: Frame) -> Iterator[Text]:
    found = frame.verdict.findings
    for each in found[:_MOST_FINDINGS]:
        yield Text.assemble(("  ! ", _STYLES[each.severity]), plain(each.cause), (f"  {plain(each.look_at)}", "dim"))
    if len(found) > _MOST_FINDINGS:
        yield Text(f"  and {len(found) - _MOST_FINDINGS:,} more: payferry top --once --json")


def _flow(frame: Frame) -> Iterator[tuple[str, str]]:
    yield "taken", _rate(frame.throughput.taken_per_second)
    yield "ended", _rate(frame.throughput.ended_per_second)
    yield "lag", _unread(frame, "kafka") if frame.lag is None else f"{frame.lag:,} records"
    if frame.inbox is None:
        yield "inbox", _unread(frame, "ledger")
        return
    yield "inbox", counts(frame.inbox.by_state) or "nothing unfinished"
    yield "oldest due", f"for {span(frame.inbox.oldest_due_seconds)}" if frame.inbox.oldest_due_seconds else "none"
    yield "outbox", _outbox(frame)


def _outbox(frame: Frame) -> str:
    assert frame.inbox is not None
    waiting, refused = frame.inbox.outbox, frame.inbox.outbox_refused
    since = f", the oldest for {span(frame.inbox.outbox_oldest_seconds)}" if waiting else ""
    return f"{waiting:,} waiting{since}{f', {refused:,} refused' if refused else ''}"


def _letters(frame: Frame) -> Iterator[tuple[str, str]]:
    told = frame.dead_letters
    if told is None:
        yield "all", _unread(frame, "dead_letters")
        return
    yield "by state", counts(told.by_state) or "none"
    yield "critical", f"{told.critical:,}" if told.critical else "none"
    yield "last minute", f"{told.came_in_minute:,} in, {told.went_out_minute:,} out"


def _queues(frame: Frame) -> Table | Text:
    told = frame.queues
    if told is None:
        return Text(f"\nqueues  {_unread(frame, 'queues')}")
    rows = [(name, f"{number:,}") for name, number in told.waiting.items()]
    return _across("\nqueues", [*rows, ("unacknowledged", f"{told.unacknowledged:,}")])


def _across(title: str, cells: list[tuple[str, str]]) -> Table:
    return table(title, [name for name, _ in cells], [[number for _, number in cells]])


def _breakers(frame: Frame) -> Table | Text:
    if frame.breakers is None:
        return Text(f"\nbreakers  {_unread(frame, 'resilience')}")
    cells = [(each.name, _breaker(each)) for each in frame.breakers]
    return _across("\nbreakers", cells) if cells else Text("\nbreakers  none is known")


def _breaker(view: BreakerView) -> str:
    state = "isolated" if view.isolated else view.state.replace("_", "-")
    until = f" {view.until_seconds:.0f} s" if view.until_seconds else ""
    return f"{state}{until} {view.failures:,}/{view.calls:,}"


def _processes(frame: Frame) -> Table | Text:
    if frame.processes is None:
        return Text(f"\nprocesses  {_unread(frame, 'fleet')}")
    if not frame.processes:
        return Text("\nprocesses  none has given a sign of life")
    made = table("\nprocesses", ("role", "name", "is", "sign", "tasks/s", "numbers", "troubles"), ())
    for each in frame.processes:
        made.add_row(*map(Text, _process(each)), style=_LIVES[each.life])
    return made


def _process(told: ProcessShown) -> tuple[str, ...]:
    done = "" if told.done_per_second is None else f"{told.done_per_second:,.1f}"
    numbers = ", ".join(f"{name.replace('_', ' ')} {number:,g}" for name, number in told.numbers.items())
    troubles = [f"{name} for {span(seconds)}" for name, seconds in told.troubles.items()]
    troubles += [told.why] if told.why else []
    row = (told.role, told.name, told.life.value, f"{told.seen_seconds:.0f} s ago", done, numbers, "; ".join(troubles))
    return tuple(map(plain, row))


def _rate(per_second: float | None) -> str:
    return _UNKNOWN if per_second is None else f"{per_second:,.1f} a second"


def _unread(frame: Frame, part: str) -> str:
    return f"not known: {plain(frame.unread.get(part, 'it was not read'))}"
