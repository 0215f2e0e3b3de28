"""How a publisher fares: what it has sent, what it could not, and whether it is well."""

from collections import deque
from datetime import UTC, datetime

import msgspec

_WINDOW_SECONDS = 60.0
_MOST_FAILING = 0.1


class PublisherReport(msgspec.Struct, frozen=True, kw_only=True):
    """Messages since the process began, and how its last minute went.

    `publish_seconds_…` is the time from handing a batch over until all of it was confirmed; None where the last minute
    had none. `error_rate` is the share of tries, counted by message, that were not confirmed in that minute.
    """

    published: int
    failed: int
    """Tries that were not confirmed: a message that was tried three times in vain counts three times."""
    retried: int
    publish_seconds_mean: float | None
    publish_seconds_max: float | None
    last_error: str | None
    """The code of the failure; it may be long ago."""
    last_error_at: datetime | None
    breaker: str
    """`closed`, `half_open` or `open`."""
    error_rate: float

    @property
    def healthy(self) -> bool:
        """Whether less than a tenth fails, and the breaker lets anything through."""
        return self.error_rate < _MOST_FAILING and self.breaker != "open"

    def told(self) -> dict[str, object]:
        """Return all of it, with the verdict, as a log event or a line of JSON has it."""
        at = self.last_error_at.isoformat() if self.last_error_at else None
        return msgspec.structs.asdict(self) | {"last_error_at": at, "healthy": self.healthy}


class _Try(msgspec.Struct, frozen=True):
    """One batch that was handed over. Times are the publisher's clock's."""

    ended: float
    seconds: float
    published: int
    failed: int


class PublishTally:
    """What is counted. Time is an argument, on any clock that does not go back."""

    def __init__(self) -> None:
        self.retried = 0
        self._published = 0
        self._failed = 0
        self._last_error: tuple[str, datetime] | None = None
        self._tries: deque[_Try] = deque()

    def count(self, since: float, now: float, published: int, failed: int, error: str | None = None) -> None:
        """Take one try that began at `since`; `error` is the code of what ended it."""
        self._published += published
        self._failed += failed
        if error is not None:
            self._last_error = error, datetime.now(UTC)
        if published or failed:
            self._tries.append(_Try(now, now - since, published, failed))
        self._forget(now)

    def report(self, now: float, breaker: str) -> PublisherReport:
        """Return how it stands at `now`."""
        self._forget(now)
        failed = sum(each.failed for each in self._tries)
        tried = failed + sum(each.published for each in self._tries)
        seconds = [each.seconds for each in self._tries if not each.failed]
        return PublisherReport(
            published=self._published,
            failed=self._failed,
            retried=self.retried,
            publish_seconds_mean=round(sum(seconds) / len(seconds), 6) if seconds else None,
            publish_seconds_max=round(max(seconds), 6) if seconds else None,
            last_error=self._last_error[0] if self._last_error else None,
            last_error_at=self._last_error[1] if self._last_error else None,
            breaker=breaker,
            error_rate=round(failed / tried, 6) if tried else 0.0,
        )

    def _forget(self, now: float) -> None:
        while self._tries and self._tries[0].ended < now - _WINDOW_SECONDS:
            self._tries.popleft()
