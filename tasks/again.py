"""Celery's autoretry, with our own delay."""

from random import uniform
from typing import Any

from celery import Task

from payments.failures import Postponed, Transient


class Again(Transient):
    """The event is due again in `delay_seconds`. The inbox says so too, so a lost retry message does no harm."""

    def __init__(self, code: str, delay_seconds: float) -> None:
        super().__init__("tried again later", code=code, operation="process")
        self.delay_seconds = delay_seconds


class RetryingTask(Task):
    """A task that Celery retries on every Transient failure, for as long as the ledger says that it is worth it.

    How often is counted in the ledger, at the claim, where the death of a worker cannot forget it.
    """

    autoretry_for = (Transient,)
    max_retries = None
    abstract = True

    def retry(self, *args: Any, exc: Exception | None = None, **options: Any) -> Any:  # noqa: ANN401 - Celery's own
        """Retry after the delay that `exc` names; where the ledger or the queue is away, after some seconds."""
        options["countdown"] = exc.delay_seconds if isinstance(exc, Again) else _pause_seconds(exc)
        return super().retry(*args, exc=exc, **options)


def _pause_seconds(failure: Exception | None) -> float:
    """Return a few seconds, or about as long as an open breaker says: a backlog need not be asked for in vain."""
    asked_seconds = failure.retry_after_seconds if isinstance(failure, Postponed) else 0.0
    return uniform(1.0, 3.0) + min(asked_seconds, _LONGEST_PAUSE_SECONDS)  # noqa: S311 - a jitter


_LONGEST_PAUSE_SECONDS = 30.0
