"""The tasks of dead letters: replay by beat, a stretch of work on a job, and putting away what has ended."""

from typing import Any

import msgspec
from celery import shared_task

from config.celery import ARCHIVE_TASK, REPLAY_JOB_TASK, REPLAY_TASK
from payments.failures import Transient
from payments.flows.dead_letters.archiving import archive_ended
from payments.flows.dead_letters.job import work_on_job
from payments.flows.dead_letters.replay import replay_due
from tasks.again import DiscreetTask, skipped
from tasks.desk import archive_desk, replay_desk


@shared_task(name=REPLAY_TASK, base=DiscreetTask)
def replay(*, is_tick: bool = False, is_watched: bool = False) -> dict[str, Any] | None:
    """Send back the dead letters that are due. None where this tick is another's, replay is paused, or a server away.

    Called by hand it runs now, whatever the schedule says.
    """
    try:
        replayed = replay_due(replay_desk(), is_tick=is_tick)
    except Transient as away:
        replay_desk().tell("replay_skipped", code=away.code)
        skipped(away, is_watched=is_watched)
        return None
    return msgspec.structs.asdict(replayed) if replayed else None


@shared_task(name=REPLAY_JOB_TASK, base=DiscreetTask)
def work(*, job_id: int) -> str | None:
    """Work on a replay job for some seconds. None where a server is away: the sweep sends it on its way again."""
    try:
        return work_on_job(replay_desk(), job_id)
    except Transient as away:
        replay_desk().tell("replay_skipped", code=away.code, job=job_id)
        return None


@shared_task(name=ARCHIVE_TASK, base=DiscreetTask)
def archive(*, is_tick: bool = True, is_watched: bool = False) -> dict[str, Any] | None:
    """Put ended dead letters that are old enough into the archive; None where there were none, or a server is away."""
    try:
        archived = archive_ended(archive_desk(), is_tick=is_tick)
    except Transient as away:
        replay_desk().tell("replay_skipped", code=away.code)
        skipped(away, is_watched=is_watched)
        return None
    return {"archive": archived.id, "letters": archived.letters} if archived else None
