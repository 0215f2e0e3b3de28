"""What the tasks have in common: what of their failures gets out, and Celery's autoretry with our own delay."""

from random import uniform
from typing import Any

from celery import Task
from celery.exceptions import Ignore, Reject, Retry

from payments.borders.unforeseen import failure_of
from payments.failures import Postponed, Transient


class Again(Transient):
    """The event is due again in `delay_seconds`. The inbox says so too, so a lost retry message does no harm."""

    def __init__(self, code: str, delay_seconds: float) -> None:
        super().__init__(f"again in {delay_seconds:.1f} s", code=code, operation="process")
        self.delay_seconds = delay_seconds

    def __repr__(self) -> str:
        return f"{self.code}, {self.message}"


class DiscreetTask(Task):
    """A task of which Celery, its log and Flower hear no more than may be told.

    They quote what a task raises, and all that has caused it. So whatever it is gets the name of a failure of ours, and
    goes out by itself; where it was raised can be seen still. A Transient failure is none that a person must see.
    """

    abstract = True
    throws = (Transient,)

    def __call__(self, *args: Any, **told: Any) -> Any:  # noqa: ANN401 - Celery's own
        """Run the task. Raises what steers Celery, and failures of the tree."""
        try:
            return super().__call__(*args, **told)
        except (Retry, Ignore, Reject) as steering:
            _forget_causes(getattr(steering, "exc", None))
            raise steering from None
        except Exception as error:  # noqa: BLE001 - the border of our own code
            failure = failure_of(error, self.name).with_traceback(error.__traceback__)
            _forget_causes(failure)
            raise failure from None


def skipped(away: Transient, *, is_watched: bool) -> None:
    """Let a tick go for which a server was away, or raise that where somebody watches that the tick is done."""
    if is_watched:
        raise away


def _forget_causes(failure: BaseException | None) -> None:
    if failure is not None:
        failure.__cause__ = failure.__context__ = None


class RetryingTask(DiscreetTask):
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
