import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from payments.resilience.last_known import LARGEST_BYTES, LastKnown
from workers.embedded.valkey import Valkey


class NoBreaker:
    def call(self) -> nullcontext[None]:
        return nullcontext()


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as opened:
        yield opened


@pytest.fixture
def cache(client: redis.Redis) -> LastKnown:
    return LastKnown(client, NoBreaker(), 60.0)


def value_of(cache: LastKnown, key: str) -> bytes | None:
    known = cache.get(key)
    return known.value if known else None


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=st.binary(max_size=500))
def test_any_bytes_come_back_as_they_were(cache: LastKnown, value: bytes) -> None:
    cache.put("standing:stripe", value)
    assert value_of(cache, "standing:stripe") == value


def test_what_was_never_read_is_not_known(cache: LastKnown) -> None:
    assert cache.get("standing:paypal") is None


def test_a_later_value_takes_the_place_of_an_earlier_one_and_is_new_again(cache: LastKnown) -> None:
    cache.put("standing:stripe", b"old")
    cache.put("standing:stripe", b"new")
    assert value_of(cache, "standing:stripe") == b"new"


def test_a_value_tells_its_age_and_every_process_sees_the_same(cache: LastKnown, client: redis.Redis) -> None:
    cache.put("standing:stripe", b"1")
    client.pexpire("payferry:last:standing:stripe", 18_000)  # as if 42 of its 60 s had gone by
    for reader in (cache, LastKnown(client, NoBreaker(), 60.0)):
        known = reader.get("standing:stripe")
        assert known is not None
        assert 42 <= known.age_seconds < 44


def test_a_value_goes_when_its_time_is_over(client: redis.Redis) -> None:
    cache = LastKnown(client, NoBreaker(), 0.05)
    cache.put("standing:stripe", b"1")
    deadline = time.monotonic() + 5.0
    while cache.get("standing:stripe") is not None:
        assert time.monotonic() < deadline
    assert client.dbsize() == 0


def test_the_largest_value_is_kept_and_a_larger_one_leaves_the_one_before_it(cache: LastKnown) -> None:
    cache.put("standing:stripe", b"x" * LARGEST_BYTES)
    cache.put("standing:stripe", b"y" * (LARGEST_BYTES + 1))
    assert value_of(cache, "standing:stripe") == b"x" * LARGEST_BYTES


def test_what_somebody_else_keeps_under_the_key_is_a_miss(cache: LastKnown, client: redis.Redis) -> None:
    client.lpush("payferry:last:standing:stripe", "1")
    assert cache.get("standing:stripe") is None


def test_a_redis_that_has_no_room_is_a_miss_and_no_failure(tmp_path: Path) -> None:
    with Valkey(tmp_path / "valkey") as server, redis.Redis.from_url(server.url) as client:
        client.config_set("maxmemory", "1")
        cache = LastKnown(client, NoBreaker(), 60.0)
        cache.put("standing:stripe", b"1")
        assert cache.get("standing:stripe") is None


def test_the_cache_comes_back_with_redis(tmp_path: Path) -> None:
    with Valkey(tmp_path / "valkey") as server, redis.Redis.from_url(server.url) as client:
        cache = LastKnown(client, NoBreaker(), 60.0)
        cache.put("standing:stripe", b"1")
        server.kill()
        assert cache.get("standing:stripe") is None
        server.start()
        cache.put("standing:stripe", b"2")
        assert value_of(cache, "standing:stripe") == b"2"


def test_what_was_outdated_is_told_with_the_value(cache: LastKnown) -> None:
    cache.outdate({"stripe:p1": 7, "stripe:p2": 3})
    cache.put("stripe:p1", b"6")
    cache.put("stripe:p3", b"1")
    told = [cache.get(key) for key in ("stripe:p1", "stripe:p3")]
    assert [known and known.least_revision for known in told] == [7, 0]
