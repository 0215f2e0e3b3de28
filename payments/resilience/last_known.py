"""The last known value of something read: a cache while it is fresh, and a fallback when nothing can be read now."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol, TypeVar

import msgspec
import redis

from payments.failures import CircuitOpen, QueueAway

T = TypeVar("T")

LARGEST_BYTES = 256 * 1024
"""A larger value is not kept: Redis is there for the queues."""

_OUTDATED_SECONDS = 120
"""How long it is remembered that a value was outdated: longer than any value counts as fresh, and any read takes."""


class Breaker(Protocol):
    """What the cache needs of a breaker: a block raises CircuitOpen while it is open, and else tells it how it went."""

    def call(self) -> AbstractContextManager[Any]: ...  # noqa: D102 - see the class


class Known(msgspec.Struct, frozen=True):
    """A value, its age, and the least revision that is not outdated (0: nothing is known to be)."""

    value: bytes
    age_seconds: float
    least_revision: int


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

    def get(self, key: str) -> Known | None:
        """Return what is known, or None where nothing is."""
        told = self._try(lambda client: _read(client, key))
        value, left_ms, revision = told or (None, 0, None)
        if value is None or left_ms < 0:  # -2: it went between the two commands
            return None
        return Known(value, max(0.0, (self._ttl_ms - left_ms) / 1000), _revision(revision))

    def put(self, key: str, value: bytes) -> None:
        """Keep `value` in place of the one before it; forget it where that cannot be done."""
        if len(value) <= LARGEST_BYTES:
            self._try(lambda client: client.set(_name(key), value, px=self._ttl_ms))

    def outdate(self, revisions: Mapping[str, int]) -> None:
        """Note for each key that values before this revision are outdated, also one that is being read just now."""
        if revisions:
            self._try(lambda client: _outdate(client, revisions))

    def _try(self, what: Callable[[redis.Redis], T]) -> T | None:
        if self._client is None:
            return None
        try:
            with self._breaker.call(), _as_failures():
                return what(self._client)
        except (QueueAway, CircuitOpen):
            return None


def _read(client: redis.Redis, key: str) -> tuple[bytes | None, int, bytes | None]:
    with client.pipeline(transaction=False) as pipe:
        pipe.get(_name(key))
        pipe.pttl(_name(key))
        pipe.get(_outdated_name(key))
        value, left_ms, revision = pipe.execute()
    return value, left_ms, revision


def _outdate(client: redis.Redis, revisions: Mapping[str, int]) -> None:
    with client.pipeline(transaction=False) as pipe:
        for key, revision in revisions.items():
            pipe.set(_outdated_name(key), revision, ex=_OUTDATED_SECONDS)
        pipe.execute()


def _revision(told: bytes | None) -> int:
    return int(told) if told is not None and told.isdigit() else 0


def _name(key: str) -> str:
    return f"payferry:last:{key}"


def _outdated_name(key: str) -> str:
    return f"payferry:outdated:{key}"


@contextmanager
def _as_failures() -> Iterator[None]:
    """Raise what Redis cannot do as QueueAway, which the breaker counts."""
    try:
        yield
    except (redis.RedisError, OSError) as error:
        raise QueueAway("Redis does not answer", code="queue_away", service="cache", operation="last_known") from error
