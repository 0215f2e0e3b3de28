"""A report for people at a terminal."""

from collections.abc import Iterator, Sequence

import msgspec
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from payments.flows.report.advice import NOW
from payments.flows.report.report import ENDINGS, Report
from payments.ledger.reports.standing import Standing
from workers.cli.report_forms import looked_up, written
from workers.cli.terminal.tables import counts, many, pairs, plain, table

Columns = Sequence[tuple[str, str, str]]
"""Of a table: its head, where its value is found in what a row shows, and the form in which it is written."""

_MOST_REASONS = 8


def show(report: Report, console: Console) -> None:
    """Print the report."""
    title = f"Payferry report, {written(report.since, 'moment')} to {written(report.until, 'moment')}"
    console.print(Text(title, style="bold"))
    for part in _parts(report):
        console.print(part)


def _parts(report: Report) -> Iterator[RenderableType]:
    yield pairs("\nin numbers", dict(_numbers(report)))
    yield from _advice(report)
    yield pairs("\ntrend", dict(_trend(report)))
    yield _rows("errors", _CATEGORIES, report.errors.by_category, "nothing failed")
    yield from _most_frequent(report)
    outcomes = [each for each in (report.recovery.retries, *report.recovery.by_failure_type) if each.events]
    yield _rows("recovery", _OUTCOMES, outcomes, "no event had a failed attempt")
    yield pairs("", dict(_replays(report)))
    yield from _breakers(report)
    yield from _impact(report)
    yield pairs("\ndead letters", dict(_letters(report)))
    yield pairs("\nwaiting", dict(_waiting(report)))
    yield _rows("by provider", _PROVIDERS, report.totals.by_provider, "nothing ended")


def _rows(title: str, columns: Columns, values: Sequence[msgspec.Struct], nothing: str) -> Table | str:
    if not values:
        return f"\n{title}: {nothing}"
    told = msgspec.to_builtins(values)
    rows = ([written(looked_up(each, path), form) for _, path, form in columns] for each in told)
    return table(f"\n{title}", [head for head, _, _ in columns], rows)


def _numbers(report: Report) -> Iterator[tuple[str, str]]:
    totals, errors = report.totals, report.errors
    ended = counts({name: number for name, number in totals.by_ending.items() if number})
    yield "events ended", f"{totals.ended:,}{f': {ended}' if ended else ''}"
    yield "as they should", written(totals.success_rate, "rate")
    hourly, share = written(errors.per_hour, "per_hour"), written(errors.error_rate, "rate")
    yield "errors", f"{errors.errors:,} ({hourly} an hour); {share} of events had one"


def _advice(report: Report) -> Iterator[RenderableType]:
    if not report.recommendations:
        yield "\nwhat to do: no rule has anything to say"
        return
    yield "\nwhat to do"
    for each in report.recommendations:
        yield Text(f"{each.urgency:>4}  {each.found}.", style="bold" if each.urgency == NOW else "")
        yield Text(f"      {each.advice}")
        yield Text(f"      {each.rule}, {each.link}", style="dim")


def _trend(report: Report) -> Iterator[tuple[str, str]]:
    for name, told in (("errors", report.trend.errors), ("ended", report.trend.ended)):
        yield name, f"{told.direction}: {told.earlier:,} in the earlier half, {told.later:,} in the later"
    if (peak := report.trend.peak) is not None:
        length = written(report.trend.step_seconds, "length")
        yield "most errors", f"{peak.errors:,}, in the step of {length} from {written(peak.begins_at, 'moment')}"


def _most_frequent(report: Report) -> Iterator[RenderableType]:
    if report.errors.top:
        yield _rows("most frequent", _TOP, report.errors.top, "")
    if report.errors.others:
        yield f"and {report.errors.others:,} errors of other kinds"


def _replays(report: Report) -> Iterator[tuple[str, str]]:
    told, time = report.recovery.replays, report.recovery.time_to_effect
    share = written(told.success_rate, "rate")
    yield "replays", f"{told.sent:,} sent; {told.succeeded:,} went well, {told.failed:,} failed again: {share}"
    mean, median, late = (written(each, "seconds") for each in (time.mean_seconds, time.p50_seconds, time.p95_seconds))
    yield "first failure to effect", f"mean {mean}, median {median}, p95 {late}, of {time.events:,} events"


def _breakers(report: Report) -> Iterator[RenderableType]:
    history = report.breakers
    if history is None:
        yield Text(f"\nbreakers: not known; {plain(report.breakers_unknown)}")
        return
    yield _rows("breakers", _BREAKERS, history.breakers, "all were closed all the time")
    if not history.complete:
        yield "Redis keeps the latest thousand changes, and has forgotten how the window began"


def _impact(report: Report) -> Iterator[RenderableType]:
    told = report.impact
    yield (
        f"\nimpact: {told.payments:,} payments had an error, {told.open_payments:,} of them have not ended well; "
        f"{told.customers:,} different customers are known of them"
    )
    if told.money:
        yield _rows("", _MONEY, told.money, "")


def _letters(report: Report) -> Iterator[tuple[str, str]]:
    told = report.dead_letters
    yield "open", f"{told.open:,}, {told.critical:,} of them critical"
    yield "open by state", counts(told.by_state)
    yield "open by reason", counts(told.by_reason, _MOST_REASONS)
    if told.open:
        yield "oldest", f"failed {written(told.oldest_seconds, 'seconds')} ago"
    if told.parked_seconds:
        yield "parked", f"the oldest for {written(told.parked_seconds, 'seconds')}"
    yield "came in", f"{told.came_in:,}{_listed(told.came_in_by_reason)}"
    yield "went out", f"{told.went_out:,}{_listed(told.went_out_by_resolution)}"


def _listed(told: dict[str, int]) -> str:
    return f": {counts(told, _MOST_REASONS)}" if told else ""


def _waiting(report: Report) -> Iterator[tuple[str, str]]:
    told = report.standing
    yield "unfinished", counts(told.unfinished) or "nothing"
    yield "oldest due", f"for {written(told.oldest_due_seconds, 'seconds')}" if told.oldest_due_seconds else ""
    yield "outbox", _outbox(told)
    for each in report.waits:
        yield f"waited for {each.kind}", f"{many(each.events, 'event')}, {written(each.seconds, 'seconds')} in all"


def _outbox(told: Standing) -> str:
    since = f", the oldest for {written(told.oldest_outbox_seconds, 'seconds')}" if told.outbox else ""
    return f"{told.outbox:,}{since}"


_CATEGORIES: Columns = (
    ("category", "category", "text"),
    ("errors", "errors", "number"),
    ("share", "share", "rate"),
    ("an hour", "per_hour", "per_hour"),
    ("events", "events", "number"),
)

_TOP: Columns = (
    ("failure", "failure_type", "text"),
    ("code", "code", "text"),
    ("service", "service", "text"),
    ("operation", "operation", "text"),
    ("errors", "errors", "number"),
    ("share", "share", "rate"),
    ("events", "events", "number"),
    ("first seen", "first_seen_at", "moment"),
    ("last seen", "last_seen_at", "moment"),
    ("latest message", "message", "text"),
)

_OUTCOMES: Columns = (
    ("failure", "failure_type", "any"),
    ("events", "events", "number"),
    ("took effect", "took_effect", "number"),
    ("superseded", "superseded", "number"),
    ("dead", "dead", "number"),
    ("unfinished", "unfinished", "number"),
    ("success", "success_rate", "rate"),
)

_BREAKERS: Columns = (
    ("breaker", "breaker", "text"),
    ("openings", "openings", "number"),
    ("open for", "open_seconds", "seconds"),
    ("half-open for", "half_open_seconds", "seconds"),
    ("at the end", "state", "words"),
)

_MONEY: Columns = (
    ("currency", "currency", "text"),
    ("payments", "payments", "number"),
    ("over", "amount", "amount"),
    ("not well yet", "open_payments", "number"),
    ("over", "open_amount", "amount"),
)

_PROVIDERS: Columns = (
    ("provider", "provider", "text"),
    ("ended", "ended", "number"),
    *((ending, f"by_ending.{ending}", "number") for ending in ENDINGS),
    ("as they should", "success_rate", "rate"),
)
