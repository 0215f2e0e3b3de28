"""`payferry dlq stats`: dead letters in numbers."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
import typer

from config.schedule import next_after
from payments.event import Provider
from payments.ledger.dead_letters.jobs import Job
from payments.ledger.dead_letters.statistics import Rates, Statistics
from workers.cli.dlq.filters import Meant, filtered
from workers.cli.dlq.office import Office
from workers.cli.dlq.options import Json
from workers.cli.dlq.steering import jobs_table
from workers.cli.terminal.console import print_json
from workers.cli.terminal.refusal import wrong
from workers.cli.terminal.tables import counts, largest_first, many, pairs, wide_console
from workers.cli.terminal.times import moment, span

_LATE_SECONDS = 10.0
_LOOKED_AT = 1000  # of the latest jobs: an unfinished one that is older has been forgotten by everybody


@filtered
def stats(
    context: typer.Context,
    meant: Meant,
    *,
    json: Json = False,
    prometheus: Annotated[
        bool, typer.Option("--prometheus", help="The same numbers in Prometheus' text format.")
    ] = False,
) -> None:
    """Show how many dead letters there are of what kind, how replaying fares, and when beat replays next."""
    if json and prometheus:
        wrong("--json and --prometheus are two forms of one answer; choose one")
    office: Office = context.obj
    if prometheus:
        from workers.monitor.exposition import as_text  # noqa: PLC0415 - only this form needs the library
        from workers.monitor.samples import dead_letter_samples  # noqa: PLC0415 - likewise

        found = office.statistics.read(meant.choice)
        print(as_text(lambda: dead_letter_samples(found)), end="")  # noqa: T201 - the answer
        return
    found, around = office.statistics.read(meant.choice), _around(office)
    if json:
        print_json(msgspec.structs.asdict(found) | around)
    else:
        _show(found, around)


def _around(office: Office) -> dict[str, Any]:
    """Return what goes on about dead letters, whichever are counted."""
    archives = office.archives.index()
    return {
        "replay": _replay(office),
        "jobs": [job for job in office.jobs.latest(_LOOKED_AT) if not job.is_finished],
        "archives": {
            "count": len(archives),
            "letters": sum(archive.letters for archive in archives),
            "bytes": sum(archive.bytes for archive in archives),
        },
    }


def _replay(office: Office) -> dict[str, Any]:
    schedule = office.settings.dead_letters.replay_schedule
    state, last_run = office.switch.state(), office.switch.last_run()
    return {
        "schedule": schedule,
        "batch_size": office.settings.dead_letters.replay_batch_size,
        "last_run": last_run,
        "next_run": next_after(schedule, last_run) if last_run else None,
        "paused": {"since": state.at, "who": state.who, "why": state.why} if state and state.is_paused else None,
        "velocity": {str(provider): office.wiring.policies.velocity(provider) for provider in Provider},
    }


def _show(found: Statistics, around: dict[str, Any]) -> None:
    console = wide_console()
    console.print(pairs("dead letters", dict(_depths(found))))
    console.print(pairs("\nreplays", dict(_replays(found))))
    console.print(pairs("\nreplay by beat", dict(_beat(around["replay"]))))
    archives = around["archives"]
    told = f"{many(archives['letters'])} in {many(archives['count'], 'archive')}, {many(archives['bytes'], 'byte')}"
    console.print(pairs("\narchive", {"put away": told}))
    if around["jobs"]:
        console.print(_jobs(around["jobs"]))


def _jobs(jobs: list[Job]) -> object:
    return jobs_table("\njobs that have not ended", jobs)


def _depths(found: Statistics) -> Iterator[tuple[str, object]]:
    yield "all", f"{found.total:,}"
    yield "by state", counts(largest_first(found.by_state))
    yield "open", f"{found.open:,}"
    for name in ("failure_type", "category", "reason", "service", "provider"):
        yield f"open by {name.replace('_', ' ')}", counts(largest_first(getattr(found, f"by_{name}")))
    yield "critical", f"{found.critical:,}" if found.critical else ""
    if found.oldest_open_at is not None:
        yield "oldest open", f"{moment(found.oldest_open_at)}, {span(found.oldest_open_seconds)} ago"
    yield "last minute", _rates(found.last_minute)
    yield "last hour", _rates(found.last_hour)


def _rates(rates: Rates) -> str:
    return f"{rates.came_in:,} in ({rates.in_per_second:g}/s), {rates.went_out:,} out ({rates.out_per_second:g}/s)"


def _replays(found: Statistics) -> Iterator[tuple[str, object]]:
    yield "sent back", f"{found.replays:,} times"
    if found.replay_success_rate is not None:
        ended = f"{found.replays_succeeded:,} of {found.replays_succeeded + found.replays_failed:,}"
        yield "went well", f"{found.replay_success_rate:.1%} ({ended} that have ended)"
    yield "resolved as", counts(largest_first(found.by_resolution))
    if found.mttr_seconds is not None:
        yield "mean time to resolution", span(found.mttr_seconds)


def _beat(told: dict[str, Any]) -> Iterator[tuple[str, object]]:
    paused = told["paused"]
    yield "schedule", _schedule(told["schedule"])
    yield "batch", f"up to {told['batch_size']:,}"
    yield "last run", moment(told["last_run"]) or "never, as far as the ledger knows"
    yield "next run", "paused" if paused else _next(told["next_run"])
    if paused:
        why = f": {paused['why']}" if paused["why"] else ""
        yield "paused", f"since {moment(paused['since'])}, by {paused['who']}{why}"
    yield "velocity", ", ".join(f"{name} {_velocity(told)}" for name, told in told["velocity"].items())


def _schedule(told: str) -> str:
    return f"every {told} s" if len(told.split()) == 1 else f"{told} (crontab, in UTC)"


def _next(next_run: datetime | None) -> str:
    if next_run is None:
        return "once a beat runs"
    late_seconds = (datetime.now(UTC) - next_run).total_seconds()
    overdue = f", {span(late_seconds)} overdue: is there a beat?" if late_seconds > _LATE_SECONDS else ""
    return f"{moment(next_run)}{overdue}"


def _velocity(told: Any) -> str:  # noqa: ANN401 - a VelocityPolicy
    return f"{told.per_second:g}/s" if told.per_second else "as fast as it goes"
