"""How long each task took, told as a log event."""

import time
from typing import Any

from celery.signals import task_postrun, task_prerun

from tasks.desk import tell

_began_at: dict[str, float] = {}


@task_prerun.connect
def note_begin(task_id: str, **_told: object) -> None:
    """Note when a task begins."""
    _began_at[task_id] = time.monotonic()


@task_postrun.connect
def tell_end(task_id: str, task: Any, state: str | None, **_told: object) -> None:  # noqa: ANN401 - Celery is untyped
    """Tell that it has ended, and none of its arguments: they name a payment."""
    began_at = _began_at.pop(task_id, None)
    if began_at is not None:
        took_seconds = round(time.monotonic() - began_at, 4)
        tell("task_ended", task=task.name, state=state or "IGNORED", task_seconds=took_seconds)
