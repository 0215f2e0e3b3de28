"""The tasks that beat sends."""

from celery import shared_task

from config.celery import FORGET_TASK, SWEEP_TASK
from payments.failures import Transient
from payments.flows.dead_letters.tend import tend
from payments.flows.forgetting import forget_old_changes
from payments.flows.sweep import sweep
from tasks.again import DiscreetTask, skipped
from tasks.desk import desk, feed_desk, replay_desk


@shared_task(name=SWEEP_TASK, base=DiscreetTask)
def sweep_up(*, is_watched: bool = False) -> dict[str, int] | None:
    """Put lost work back on its way; None where another worker has this tick, or a server is away until the next.

    Where somebody watches that the tick is done, a server that is away is raised. So in all tasks of beat.
    """
    try:
        swept = sweep(desk())
        if swept is not None:
            tend(replay_desk())
    except Transient as away:
        desk().tell("sweep_skipped", code=away.code)
        skipped(away, is_watched=is_watched)
        return None
    return {"freed": swept.freed, "woken": swept.woken} if swept else None


@shared_task(name=FORGET_TASK, base=DiscreetTask)
def forget(*, is_watched: bool = False) -> int | None:
    """Forget changes of payments that are older than they are kept. None where a server is away until the next tick."""
    try:
        return forget_old_changes(feed_desk())
    except Transient as away:
        desk().tell("sweep_skipped", code=away.code)
        skipped(away, is_watched=is_watched)
        return None
