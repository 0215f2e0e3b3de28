"""Watching a job from a terminal: what is seen is the ledger's, so nothing depends on whoever watches."""

from collections.abc import Callable
from time import monotonic, sleep
from typing import NoReturn

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from payments.ledger.dead_letters.jobs import Job, ReplayJobs
from workers.cli.terminal.console import error_console
from workers.cli.terminal.refusal import CANNOT, remark
from workers.cli.terminal.tables import many, plain

_LOOK_SECONDS = 0.3
_PATIENCE_SECONDS = 5.0  # after which a job that no worker has touched is worth a word
INTERRUPTED = 130
"""The exit code after Ctrl-C, as a shell gives it."""


def watch_job(jobs: ReplayJobs, job_id: int, clock: Callable[[], float] = monotonic) -> Job:
    """Show the job's progress until it has ended; return it then. Ctrl-C ends the watching, and the job goes on."""
    try:
        return _watched(jobs, job_id, clock)
    except KeyboardInterrupt:
        remark(f"job {job_id} goes on: payferry dlq watch {job_id}, or payferry dlq cancel {job_id}")
        raise typer.Exit(INTERRUPTED) from None


def _watched(jobs: ReplayJobs, job_id: int, clock: Callable[[], float]) -> Job:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = error_console()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task(f"job {job_id}", total=None)
        has_said, began = False, clock()
        while True:
            job = jobs.find(job_id)
            assert job is not None
            _show(progress, bar, job)
            if job.is_finished:
                return job
            if job.token == 0 and not has_said and clock() - began > _PATIENCE_SECONDS:
                remark("no worker has taken the job up yet; does one serve the queue dead-letters?")
                has_said = True
            sleep(_LOOK_SECONDS)  # between two looks


def _show(progress: Progress, bar: TaskID, job: Job) -> None:
    waits = f", waits for {plain(job.waits_for)}" if job.waits_for else ""
    paused = ", paused" if job.state == "paused" else ""
    progress.update(bar, description=f"job {job.id}{paused}{waits}", total=job.total, completed=job.decided)


def end_with(job: Job) -> NoReturn:
    """Say how the job has ended, and exit: 0 where it is done and nothing is held back."""
    parts = {"sent back": job.sent, "superseded": job.superseded, "still no payment event": job.refused}
    told = ", ".join(f"{number:,} {name}" for name, number in parts.items() if number) or "nothing sent back"
    remark(f"job {job.id} is {job.state}: of {many(job.total)} {told}")
    if job.held:
        remark(
            f"{job.held:,} held back: an earlier dead letter of the same payment must go first; "
            "see `payferry dlq list --state pending`"
        )
    raise typer.Exit(0 if job.state == "done" and not job.held else CANNOT)
