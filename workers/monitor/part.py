"""Reading one part of a survey: beside the others, within a time, and not more often than it is worth."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import redis

from payments.failures import Failure


class Unread(Exception):
    """A part cannot be told; the text says why."""


class Trusted:
    """Asks again only after twenty times as long as the last answer took: what is dear is asked for seldom."""

    def __init__(
        self, read: Callable[[], Any], factor: float = 20.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._read = read
        self._factor = factor
        self._clock = clock
        self._known: Any = None
        self._until = float("-inf")

    def __call__(self) -> Any:  # noqa: ANN401 - whatever `read` returns
        """Return the answer, or the last one for as long as it is trusted. Raises what `read` raises."""
        if self._clock() >= self._until:
            began = self._clock()
            self._known = self._read()
            ended = self._clock()
            self._until = ended + self._factor * (ended - began)
        return self._known


class Part:
    """One part. Where the reading takes longer than a survey may, the next survey waits for that same reading.

    One that is `slow` has its last answer until then: a count of everything may take longer than a survey.
    """

    def __init__(self, read: Callable[[], Any], *, slow: bool = False) -> None:
        self._read = read
        self._slow = slow
        self._last: Any = None
        self._reading: Future[Any] | None = None

    def begin(self, pool: ThreadPoolExecutor) -> None:
        """Begin to read, unless it is still being read."""
        if self._reading is None:
            self._reading = pool.submit(self._read)

    def answer(self, seconds: float) -> Any:  # noqa: ANN401 - whatever the part is
        """Return what was read, waiting for at most `seconds`. Raises Unread."""
        assert self._reading is not None
        try:
            self._last = self._reading.result(max(0.0, seconds))
        except TimeoutError:
            if not self._reading.done():
                return self._meanwhile()
            self._forget()
            raise Unread("it did not answer in time") from None
        except Exception as error:  # noqa: BLE001 - whatever goes wrong with one part, the others are told
            self._forget()
            raise Unread(reason_of(error)) from None
        self._reading = None
        return self._last

    def _meanwhile(self) -> Any:  # noqa: ANN401 - whatever the part is
        if self._slow and self._last is not None:
            return self._last
        raise Unread("it does not answer in time")

    def _forget(self) -> None:
        self._last = self._reading = None


def reason_of(error: Exception) -> str:
    """Return what went wrong, in a line without anything that is personal."""
    if isinstance(error, Failure):
        return f"{error.code}: {error.message}" if error.message else error.code
    if isinstance(error, Unread):
        return str(error)
    if isinstance(error, redis.RedisError):
        return f"Redis: {type(error).__name__}"
    return type(error).__name__
