"""Under which name the work that is under way here is told: one for each record, from Kafka to whoever reads of it.

The name is what the producer calls the matter, in the record's headers; where it calls it nothing, the event's id; and
where the record is no event, its place in Kafka: `Record.correlated` decides so, once, at the bridge. The row of the
inbox keeps it, and everything that is written about that row bears it.
"""

from contextvars import ContextVar, Token
from types import TracebackType

_under_way: ContextVar[str | None] = ContextVar("correlation_id", default=None)


class About:
    """A context in which all that is told, by this thread or greenlet, is told about one matter."""

    __slots__ = ("_correlation_id", "_token")

    def __init__(self, correlation_id: str | None) -> None:
        self._correlation_id = correlation_id

    def __enter__(self) -> None:
        self._token: Token[str | None] = _under_way.set(self._correlation_id)

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        _under_way.reset(self._token)


def correlation_here() -> str | None:
    """Return what the work under way here is about; None where it is about nothing in particular."""
    return _under_way.get()
