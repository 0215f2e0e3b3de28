"""What redis-py and kombu raise where a message cannot be queued now.

All of it is QueueAway, whatever the reason: who sends a wake-up goes on without it, and the sweep sends it later. The
reason is in the code.
"""

from collections.abc import Iterator

import redis
from kombu.exceptions import BatchPublishError

from payments.failures import QueueAway


def failure_of_redis(error: BaseException, operation: str) -> QueueAway:
    """Return why the queue cannot be used now; kombu keeps redis-py's error as the cause of its own."""
    code = next(filter(None, map(_code, _chain(error))), None)
    message = _SAYS.get(code or "", "Redis does not answer")
    return QueueAway(message, code=code, service="redis", operation=operation)


def _code(error: BaseException) -> str | None:
    return next((code for kind, code in _CODES if isinstance(error, kind)), None)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield the causes, the deepest one first: the nearer one knows less of what Redis said."""
    cause = error.__cause__ or error.__context__
    if cause is not None:
        yield from _chain(cause)
    yield error


_CODES: tuple[tuple[type[BaseException], str], ...] = (
    (redis.exceptions.OutOfMemoryError, "out_of_memory"),
    (redis.exceptions.ReadOnlyError, "queue_read_only"),
    (redis.exceptions.BusyLoadingError, "queue_loading"),
    (redis.exceptions.AuthenticationError, "queue_unauthorized"),
    (redis.exceptions.AuthorizationError, "queue_unauthorized"),
    (redis.exceptions.NoPermissionError, "queue_unauthorized"),
    (redis.exceptions.MaxConnectionsError, "queue_connections_spent"),
    (redis.exceptions.TimeoutError, "queue_timeout"),
    (BatchPublishError, "queue_uncertain"),
)

_SAYS = {
    "out_of_memory": "Redis has no memory left",
    "queue_read_only": "Redis is a replica now",
    "queue_loading": "Redis is still loading its data",
    "queue_unauthorized": "Redis refuses our login, or our right to the queue",
    "queue_connections_spent": "every connection to Redis is in use",
}
