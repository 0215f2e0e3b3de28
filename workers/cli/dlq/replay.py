"""`payferry dlq replay`: sending dead letters back, after a look at what that would meet."""

import re
from typing import Annotated, NoReturn

import msgspec
import typer

from config.celery import REPLAY_TASK
from payments.failures import QueueAway
from payments.flows.dead_letters.plan import Plan, plan_replay
from payments.flows.dead_letters.replay import replay_due
from payments.ledger.dead_letters.actor import Actor
from payments.ledger.dead_letters.choice import Choice
from payments.ledger.dead_letters.jobs import Job
from payments.queue.tasks import call_task
from workers.cli.dlq.filters import Meant, filtered, need_filter
from workers.cli.dlq.office import Office
from workers.cli.dlq.options import All, DryRun, Json, Why, Yes, checked_why
from workers.cli.dlq.plan import show_plan
from workers.cli.dlq.progress import counting
from workers.cli.dlq.reach import REPLAY
from workers.cli.dlq.watching import end_with, watch_job
from workers.cli.operator import operator
from workers.cli.terminal.asking import ask, done, would
from workers.cli.terminal.console import print_json
from workers.cli.terminal.refusal import cannot, remark, wrong
from workers.cli.terminal.tables import many
from workers.cli.terminal.times import moment

_UNASKED = 10
"""So many letters may go back without a question."""

_FASTEST = 1_000_000.0

Rate = Annotated[
    str | None, typer.Option(help="So many a second, over all providers. Default: their velocities.", metavar="N[/s]")
]


@filtered
def replay(  # noqa: PLR0913 - each argument is an option of the command line
    context: typer.Context,
    meant: Meant,
    *,
    everything: All = False,
    due: Annotated[bool, typer.Option("--due", help="What beat would send back now, at once; no filters.")] = False,
    here: Annotated[bool, typer.Option("--here", help="With --due: in this process, not by a worker.")] = False,
    rate: Rate = None,
    detach: Annotated[bool, typer.Option("--detach", help="Do not watch the job.")] = False,
    why: Why = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Send dead letters back, under the same event ids and idempotency keys: pending and parked ones.

    Shows first how many are meant and what the gates would hold back, and asks above ten. Then workers do it, as a job
    that survives them and can be paused and cancelled; Ctrl-C ends only the watching. Exits 0 once all were sent, 1
    where the job was cancelled or something is held back.
    """
    office: Office = context.obj
    reason = checked_why(why)
    if due:
        _check_due(meant, everything=everything, options={"--rate": rate, "--detach": detach, "--why": why})
        _replay_due(office, here=here, dry_run=dry_run, json=json)
        return
    if here:
        wrong("--here goes with --due; a job is always done by workers")
    need_filter(meant, everything=everything)
    pace = _rate(rate)
    choice = REPLAY.within(meant, office.search)
    plan = _planned(office, choice, pace)
    if not plan.letters or dry_run:
        _end_with_plan(plan, dry_run=dry_run, json=json)
    ask(_meant(plan), yes=yes or plan.letters <= _UNASKED, show=lambda: show_plan(plan, answers=False))
    job = _begin(office, choice, Actor(operator(), reason), pace)
    _follow(office, job, plan, detach=detach, json=json)


def rate_in(told: str) -> float:
    """Return how many a second `told` means: `50` or `50/s`. Raises ValueError."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(?:/s)?", told.strip(), re.ASCII)
    rate = float(match[1]) if match else 0.0
    if not 0 < rate <= _FASTEST:
        raise ValueError("is no rate; write dead letters a second, such as 50 or 50/s")
    return rate


def _rate(told: str | None) -> float | None:
    try:
        return None if told is None else rate_in(told)
    except ValueError as error:
        wrong(f"--rate {told!r} {error}")


def _planned(office: Office, choice: Choice, rate: float | None) -> Plan:
    with counting("looking at their payments") as advance:
        return plan_replay(office.lookout, choice, rate, advance)


def _end_with_plan(plan: Plan, *, dry_run: bool, json: bool) -> NoReturn:
    """End where nothing is to be done, or nothing should be."""
    if json:
        print_json({"plan": plan, "job": None, "dry_run": dry_run})
    elif plan.letters:
        show_plan(plan, answers=True)
    if not plan.letters:
        remark("nothing to replay: no pending or parked dead letter is meant")
    else:
        would(_meant(plan))
    raise typer.Exit


def _meant(plan: Plan) -> str:
    return f"send back {many(plan.letters)}"


def _begin(office: Office, choice: Choice, actor: Actor, rate: float | None) -> Job:
    job = office.jobs.make(choice, actor, rate)
    if job is None:
        cannot("somebody else has taken all of them meanwhile; see `payferry dlq jobs`")
    remark(f"job {job.id}: {many(job.total)}")
    office.start_job(job.id)
    return job


def _follow(office: Office, job: Job, plan: Plan, *, detach: bool, json: bool) -> None:
    if not detach:
        job = watch_job(office.jobs, job.id)
    if json:
        print_json({"plan": plan, "job": job, "dry_run": False})
    if not detach:
        end_with(job)
    remark(f"watch it with: payferry dlq watch {job.id}")


def _check_due(meant: Meant, *, everything: bool, options: dict[str, object]) -> None:
    if everything or not meant.choice.is_all:
        wrong("--due sends back what is due, so it takes no filters and no --all; leave out one or the other")
    for option, told in options.items():
        if told:
            wrong(f"--due is one run of what beat does, so {option} does not go with it")


def _replay_due(office: Office, *, here: bool, dry_run: bool, json: bool) -> None:
    state = office.switch.state()
    if state is not None and state.is_paused:
        cannot(f"replay by beat is paused since {moment(state.at)} by {state.who}; `payferry dlq resume` first")
    if dry_run:
        _tell_due(office, json=json)
    elif here:
        _replay_here(office, json=json)
    else:
        _queue_run(office, json=json)


def _tell_due(office: Office, *, json: bool) -> None:
    most = office.settings.dead_letters.replay_batch_size
    waiting = office.due(most)
    if json:
        print_json({"due": waiting, "batch_size": most, "dry_run": True})
    told = ", ".join(f"{number:,} of {provider}" for provider, number in waiting.items()) or "none is due"
    would(f"send back up to {most:,} of what is due ({told}), fairly across providers")


def _replay_here(office: Office, *, json: bool) -> None:
    replayed = replay_due(office.desk, is_tick=False, actor=Actor(operator()))
    if replayed is None:
        cannot("replay by beat was paused meanwhile; `payferry dlq resume` first")
    if json:
        print_json(msgspec.structs.asdict(replayed) | {"queued": False})
    told = f"{replayed.sent:,} sent back, {replayed.superseded:,} superseded, {replayed.refused:,} refused"
    done(f"{many(replayed.total)} that were due: {told}")


def _queue_run(office: Office, *, json: bool) -> None:
    from workers.app import app  # noqa: PLC0415 - only verbs that send need Celery in memory

    office.settings.require("REDIS_URL")
    try:
        call_task(app, REPLAY_TASK, 0.0)
    except QueueAway:
        cannot("Redis does not answer, so no worker can be told; try again, or do it in this process with --here")
    if json:
        print_json({"queued": True})
    done("ask a worker to send back what is due; see `payferry dlq stats`")
