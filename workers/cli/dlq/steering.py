"""`payferry dlq jobs | watch | cancel | pause | resume`: what replays, by job or by beat, and stopping it."""

from collections.abc import Iterable
from typing import Annotated

import msgspec
import typer
from rich.table import Table

from payments.ledger.dead_letters.actor import Actor
from payments.ledger.dead_letters.jobs import Job
from workers.cli.dlq.filters import in_words
from workers.cli.dlq.office import Office
from workers.cli.dlq.options import DryRun, JobId, Json, Why, Yes, checked_why
from workers.cli.dlq.watching import end_with, watch_job
from workers.cli.operator import operator
from workers.cli.terminal.asking import ask, done, would
from workers.cli.terminal.console import print_json
from workers.cli.terminal.refusal import cannot
from workers.cli.terminal.tables import many, table, wide_console
from workers.cli.terminal.times import moment

ThisJob = Annotated[
    int | None,
    typer.Option("--job", help="This job. Default: what beat replays.", metavar="JOB", min=1, max=2**63 - 1),
]


def jobs(
    context: typer.Context,
    limit: Annotated[int, typer.Option(help="Most of them.", min=1, max=10_000)] = 20,
    *,
    json: Json = False,
) -> None:
    """Show replay jobs, the newest first."""
    office: Office = context.obj
    found = office.jobs.latest(limit + 1)
    shown, has_more = found[:limit], len(found) > limit
    if json:
        print_json({"jobs": shown, "more": has_more})
        return
    console = wide_console()
    console.print(jobs_table("", shown) if shown else "no jobs")
    if has_more:
        console.print(f"{len(shown)} jobs shown; more follow: say a larger --limit", highlight=False)


def watch(context: typer.Context, job_id: JobId, *, json: Json = False) -> None:
    """Watch a job until it has ended. Exits 1 where it was cancelled, or a gate holds some of its letters back."""
    office: Office = context.obj
    _job(office, job_id)
    job = watch_job(office.jobs, job_id)
    if json:
        print_json({"job": job})
    end_with(job)


def pause(context: typer.Context, job: ThisJob = None, why: Why = None, *, json: Json = False) -> None:
    """Pause what beat replays until `resume`, or one job. What is on its way goes on."""
    office: Office = context.obj
    if job is None:
        _turn(office, why, is_paused=True, json=json)
        return
    _steer(office, job, why, to="paused", only_from=("running",))
    _tell(office, job, f"pause job {job}; go on with `payferry dlq resume --job {job}`", json=json)


def resume(context: typer.Context, job: ThisJob = None, why: Why = None, *, json: Json = False) -> None:
    """Let beat replay again, or one job go on."""
    office: Office = context.obj
    if job is None:
        _turn(office, why, is_paused=False, json=json)
        return
    office.settings.require("REDIS_URL")
    _steer(office, job, why, to="running", only_from=("paused",))
    office.start_job(job)
    _tell(office, job, f"let job {job} go on", json=json)


def cancel(
    context: typer.Context,
    job_id: JobId,
    *,
    why: Why = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """End a job for good. What it has sent back stays sent; the rest stays where it is."""
    office: Office = context.obj
    reason = checked_why(why)
    job = _job(office, job_id)
    if job.is_finished:
        cannot(f"job {job_id} is {job.state} already, so there is nothing to cancel")
    meant = f"cancel job {job_id}, which has sent back {job.sent:,} of {many(job.total)}"
    if dry_run:
        would(meant)
        if json:
            print_json({"job": job, "dry_run": True})
        return
    ask(meant, yes=yes)
    _steer(office, job_id, reason, to="cancelled", only_from=("running", "paused"))
    _tell(office, job_id, f"cancel job {job_id}", json=json)


def jobs_table(title: str, found: Iterable[Job]) -> Table:
    """Return jobs, a line each."""
    return table(title, _HEADS, map(_line, found))


_HEADS = (
    *("job", "state", "by", "made", "letters", "sent", "superseded", "refused", "held", "rate", "waits for"),
    "filters",
)


def _line(job: Job) -> tuple[object, ...]:
    rate = f"{job.rate_per_second:g}/s" if job.rate_per_second else ""
    numbers = (job.total, job.sent, job.superseded, job.refused, job.held)
    return (
        *(job.id, job.state, job.made_by, moment(job.created_at), *(f"{number:,}" for number in numbers)),
        *(rate, job.waits_for or "", in_words(job.chosen)),
    )


def _job(office: Office, job_id: int) -> Job:
    job = office.jobs.find(job_id)
    if job is None:
        cannot(f"there is no job {job_id}; see `payferry dlq jobs`")
    return job


def _steer(office: Office, job_id: int, why: str | None, *, to: str, only_from: tuple[str, ...]) -> None:
    actor = Actor(operator(), checked_why(why))
    job = _job(office, job_id)
    if not office.jobs.steer(job_id, actor, to=to, only_from=only_from):
        now = office.jobs.find(job_id) or job
        cannot(f"job {job_id} is {now.state}; only a {' or '.join(only_from)} one can be {_STEERED[to]}")


_STEERED = {"paused": "paused", "running": "resumed", "cancelled": "cancelled"}


def _tell(office: Office, job_id: int, what: str, *, json: bool) -> None:
    if json:
        print_json({"job": office.jobs.find(job_id)})
    done(what)


def _turn(office: Office, why: str | None, *, is_paused: bool, json: bool) -> None:
    actor = Actor(operator(), checked_why(why))
    if not office.switch.turn(actor, is_paused=is_paused):
        _refuse_turn(office, is_paused=is_paused)
    if json:
        state = office.switch.state()
        print_json({"paused": is_paused, "switch": msgspec.structs.asdict(state) if state else None})
    done("pause what beat replays; jobs go on" if is_paused else "let beat replay again")


def _refuse_turn(office: Office, *, is_paused: bool) -> None:
    state = office.switch.state()
    if not is_paused or state is None:
        cannot("replay by beat is not paused, so there is nothing to resume")
    why = f" ({state.why})" if state.why else ""
    cannot(f"replay by beat is paused already, since {moment(state.at)} by {state.who}{why}")
