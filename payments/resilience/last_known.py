"""The last known value of something read, for when it cannot be read now."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol, TypeVar

import redis

from payments.failures import CircuitOpen, QueueAway

T = TypeVar("T")

LARGEST_BYTES = 256 * 1024
"""A larger value is not kept: Redis is there for the queues."""


class Breaker(Protocol):
    """What the cache needs of a breaker: a block raises CircuitOpen while it is open, and else tells it how it went."""

    def call(self) -> AbstractContextManager[Any]: ...  # noqa: D102 - see the class


class LastKnown:
    """Values by key, each for `ttl_seconds`. A cache that is down is a miss, and never a failure.

    `client` must give bytes (`decode_responses=False`), wait for short times only and not retry (redis-py does so for
    seconds by itself); without one nothing is kept. Neither a key nor a value may hold personal data. The age of a
    value is told by its time left to live, so it is by Redis' clock, and wrong for `ttl_seconds` after that setting was
    changed.
    """

    def __init__(self, client: redis.Redis | None, breaker: Breaker, ttl_seconds: float) -> None:
        assert client is None or not client.get_encoder().decode_responses, "values are bytes"
        self._client = client
        self._breaker = breaker
        self._ttl_ms = round(ttl_seconds * 1000)
        assert self._ttl_ms > 0

    def get(self, key: str) -> tuple[bytes, float] | None:
        """Return the value and its age in seconds, or None where none is known."""
        value, left_ms = self._try(lambda client: _read(client, _name(key))) or (None, 0)
        if value is None or left_ms < 0:  # -2: it went between the two commands
            return None
        return value, max(0.0, (self._ttl_ms - left_ms) / 1000)

    def put(self, key: str, value: bytes) -> None:
        """Keep `value` in place of the one before it; forget it where that cannot be done."""
        if len(value) <= LARGEST_BYTES:
            self._try(lambda client: client.set(_name(key), value, px=self._ttl_ms))

    def _try(self, what: Callable[[redis.Redis], T]) -> T | None:
        if self._client is None:
            return None
        try:
            with self._breaker.call(), _as_failures():
                return what(self._client)
        except (QueueAway, CircuitOpen):
            return None


def _read(client: redis.Redis, name: str) -> tuple[bytes | None, int]:
    with client.pipeline(transaction=False) as pipe:
        pipe.get(name)
        pipe.pttl(name)
        value, left_ms = pipe.execute()
    return value, left_ms


def _name(key: str) -> str:
    return f"payferry:last:{key}"


@contextmanager
def _as_failures() -> Iterator[None]:
    """Raise what Redis cannot do as QueueAway, which the breaker counts."""
    try:
        yield
    except (redis.RedisError, OSError) as error:
        raise QueueAway("Redis does not answer", code="queue_away", service="cache", operation="last_known") from error
