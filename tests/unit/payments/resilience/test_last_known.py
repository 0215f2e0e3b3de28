from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from payments.failures import CircuitOpen, QueueAway
from payments.resilience.last_known import LARGEST_BYTES, LastKnown
from workers.embedded.port import free_port


class Breaker:
    """Lets everything through, or nothing, and keeps what it learns."""

    def __init__(self, *, is_open: bool = False) -> None:
        self.is_open = is_open
        self.learnt: list[Exception | None] = []

    @contextmanager
    def call(self) -> Iterator[None]:
        if self.is_open:
            raise CircuitOpen("open", retry_after_seconds=1.0)
        try:
            yield
        except Exception as error:
            self.learnt.append(error)
            raise
        self.learnt.append(None)


@pytest.fixture
def nobody() -> Iterator[redis.Redis]:
    """A client of a server that is not there."""
    with redis.Redis(port=free_port(), retry=Retry(NoBackoff(), 0)) as client:
        yield client


def test_without_a_client_nothing_is_known_and_nothing_is_kept() -> None:
    breaker = Breaker()
    cache = LastKnown(None, breaker, 60.0)
    cache.put("standing:stripe", b"1")
    assert cache.get("standing:stripe") is None
    assert breaker.learnt == []


def test_a_cache_that_is_down_is_a_miss_and_the_breaker_learns_it(nobody: redis.Redis) -> None:
    breaker = Breaker()
    cache = LastKnown(nobody, breaker, 60.0)
    cache.put("standing:stripe", b"1")
    assert cache.get("standing:stripe") is None
    assert [type(error) for error in breaker.learnt] == [QueueAway, QueueAway]
    assert all(error.blames_dependency for error in breaker.learnt if isinstance(error, QueueAway))


def test_behind_an_open_breaker_redis_is_not_asked(nobody: redis.Redis) -> None:
    breaker = Breaker(is_open=True)
    cache = LastKnown(nobody, breaker, 60.0)
    cache.put("standing:stripe", b"1")
    assert cache.get("standing:stripe") is None
    assert breaker.learnt == []


def test_a_value_that_is_too_large_is_not_sent_at_all(nobody: redis.Redis) -> None:
    breaker = Breaker()
    LastKnown(nobody, breaker, 60.0).put("standing:stripe", b"x" * (LARGEST_BYTES + 1))
    assert breaker.learnt == []


def test_a_mistake_in_the_program_is_not_taken_for_a_miss() -> None:
    class Broken(redis.Redis):
        def set(self, *_: object, **__: object) -> None:
            raise TypeError("a bug")

    with pytest.raises(TypeError):
        LastKnown(Broken(), Breaker(), 60.0).put("standing:stripe", b"1")


def test_a_client_that_gives_text_is_refused() -> None:
    with pytest.raises(AssertionError, match="bytes"):
        LastKnown(redis.Redis(decode_responses=True), Breaker(), 60.0)
