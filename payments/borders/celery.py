"""What Celery's pools raise or report when they end a task, by the name of the class: nothing of Celery is imported.

Source: billiard.exceptions. The soft limit is raised in the task; the others are told of its process from outside.
"""

from collections.abc import Mapping

from payments.failures import Failure, ProcessCrashed, TimeLimitReached


def failure_of_celery(error: BaseException, operation: str = "") -> Failure | None:
    """Return what it means that the pool ended the task; None where it did not."""
    for kind in type(error).__mro__:
        if kind.__name__ in _ENDS:
            failure, message = _ENDS[kind.__name__]
            return failure(message, operation=operation)
    return None


_ENDS: Mapping[str, tuple[type[Failure], str]] = {
    "SoftTimeLimitExceeded": (TimeLimitReached, "the time limit came in the middle of it"),
    "TimeLimitExceeded": (ProcessCrashed, "the process was killed at the hard time limit"),
    "WorkerLostError": (ProcessCrashed, "the process died"),
    "Terminated": (ProcessCrashed, "the process was told to end"),
}
