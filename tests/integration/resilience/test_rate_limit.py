import heapq
import multiprocessing
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from payments.failures import RateExceeded
from payments.resilience.exchange import Exchange, connect
from payments.resilience.policy import RatePolicy
from payments.resilience.rate_limit import Bucket, Limit, RateLimits
from tests.integration.resilience.at_time import DAY_US, AtTime, on_one_server, patient, say_nothing
from workers.embedded.valkey import Valkey

pytestmark = pytest.mark.alone

PROCESSES = 8
LIMIT = RatePolicy(calls_per_second=200.0, burst=50)  # a quarter of a second in which a busy machine does nothing


@pytest.fixture
def exchange(redis_url: str) -> Iterator[AtTime]:
    client = patient(redis_url)
    yield AtTime(client, say_nothing)
    client.close()


def limits_of(exchange: AtTime, policy: RatePolicy, name: str = "stripe") -> RateLimits:
    return RateLimits(exchange, {name: policy}, exchange.clock)


def wait_us(limits: RateLimits, name: str = "stripe") -> int:
    """0 where a token was taken, otherwise the µs until the turn."""
    try:
        limits.take(name)
    except RateExceeded as refused:
        return round(refused.retry_after_seconds * 1e6)
    return 0


@on_one_server
@given(
    limit=st.builds(RatePolicy, calls_per_second=st.floats(0.5, 5000), burst=st.integers(1, 20)),
    steps=st.lists(st.floats(0, 4) | st.just(-1.0), min_size=1, max_size=30),
)
def test_the_script_and_the_bucket_of_a_single_process_are_one_rule(
    exchange: AtTime, limit: RatePolicy, steps: list[float]
) -> None:
    name = uuid.uuid4().hex
    exchange.now_us = DAY_US
    limits, slot_us = limits_of(exchange, limit, name), Limit.of(limit).slot_us
    bucket = Bucket(Limit.of(limit), 0)
    for step in steps:
        exchange.now_us += max(0, int(step * slot_us))
        if step < 0:
            limits.pause(name, 2.0)
            bucket.pause(exchange.now_us + 2_000_000)
        assert wait_us(limits, name) == bucket.take(exchange.now_us)


def test_the_share_of_the_burst_that_is_spent_can_be_seen_without_spending_any(exchange: AtTime) -> None:
    limits = limits_of(exchange, RatePolicy(calls_per_second=10.0, burst=4))
    assert limits.used("stripe") == 0.0
    wait_us(limits)
    assert [limits.used("stripe") for _ in range(3)] == [pytest.approx(0.25)] * 3
    assert [wait_us(limits) for _ in range(5)][:3] == [0, 0, 0]
    assert limits.used("stripe") == pytest.approx(1.0)
    limits.pause("stripe", 60.0)
    assert limits.used("stripe") == 1.0
    exchange.now_us += 61_000_000
    assert limits.used("stripe") == 0.0


def test_the_refused_are_told_turns_one_slot_apart(exchange: AtTime) -> None:
    limits = limits_of(exchange, RatePolicy(calls_per_second=10.0, burst=2))
    assert [wait_us(limits) for _ in range(5)] == [0, 0, 100_000, 200_000, 300_000]


def test_a_thousand_that_wait_are_served_at_the_rate_and_hardly_any_comes_in_vain(exchange: AtTime) -> None:
    limits = limits_of(exchange, RatePolicy(calls_per_second=100.0, burst=10))
    line = [(exchange.now_us, number) for number in range(1000)]
    begun, asked = exchange.now_us, 0
    while line:
        exchange.now_us, number = heapq.heappop(line)
        asked += 1
        if wait := wait_us(limits):
            heapq.heappush(line, (exchange.now_us + wait, number))
    assert asked == 1990  # each of those that did not get one of the first ten came once more
    assert exchange.now_us - begun == 9_900_000


def test_those_that_wait_and_those_that_are_new_share_the_rate_and_the_provider_is_never_idle(
    exchange: AtTime,
) -> None:
    limits = limits_of(exchange, RatePolicy(calls_per_second=100.0, burst=10))
    begun = exchange.now_us
    line = [(begun, number) for number in range(400)]
    line += [(begun + number * 20_000, 400 + number) for number in range(300)]  # fifty new ones a second
    heapq.heapify(line)
    asked = 0
    while line:
        exchange.now_us, number = heapq.heappop(line)
        asked += 1
        if wait := wait_us(limits):
            heapq.heappush(line, (exchange.now_us + wait, number))
    assert exchange.now_us - begun <= 700 * 10_000 * 1.05
    assert asked <= 700 * 4


def test_a_line_in_which_nobody_comes_is_forgotten(exchange: AtTime) -> None:
    limits = limits_of(exchange, RatePolicy(calls_per_second=10.0, burst=2))
    assert max(wait_us(limits) for _ in range(300)) > 29_000_000
    exchange.now_us += 1_400_000  # the bucket is full again since 1.2 s
    assert [wait_us(limits) for _ in range(3)] == [0, 0, 100_000]


def test_a_line_in_which_all_come_at_their_turns_is_kept(exchange: AtTime) -> None:
    limits = limits_of(exchange, RatePolicy(calls_per_second=10.0, burst=1))
    assert [wait_us(limits) for _ in range(100)][-1] == 9_900_000
    for _ in range(50):
        exchange.now_us += 100_000
        assert wait_us(limits) == 0
    assert wait_us(limits) == 5_000_000


def test_a_line_in_which_somebody_comes_a_little_late_is_kept(exchange: AtTime) -> None:
    limits = limits_of(exchange, RatePolicy(calls_per_second=10.0, burst=1))
    assert [wait_us(limits) for _ in range(100)][-1] == 9_900_000
    exchange.now_us += 1_000_000
    assert [wait_us(limits) for _ in range(2)] == [0, 9_000_000]


def test_after_a_pause_the_bucket_begins_empty_and_the_refused_come_one_by_one(exchange: AtTime) -> None:
    limits = limits_of(exchange, RatePolicy(calls_per_second=10.0, burst=5))
    limits.pause("stripe", 3.0)
    assert [wait_us(limits) for _ in range(3)] == [3_100_000, 3_200_000, 3_300_000]
    exchange.now_us += 3_099_999
    assert wait_us(limits) > 0
    exchange.now_us += 1
    assert wait_us(limits) == 0
    assert wait_us(limits) > 0


def test_a_shorter_pause_does_not_end_a_longer_one(exchange: AtTime) -> None:
    limits = limits_of(exchange, RatePolicy(calls_per_second=10.0, burst=5))
    limits.pause("stripe", 30.0)
    limits.pause("stripe", 1.0)
    assert wait_us(limits) > 30_000_000


def test_a_wiped_server_gives_no_second_burst_to_those_that_knew_the_bucket(exchange: AtTime, redis_url: str) -> None:
    limits = limits_of(exchange, RatePolicy(calls_per_second=10.0, burst=5))
    assert [wait_us(limits) for _ in range(6)].count(0) == 5
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
    exchange.now_us += 250_000
    assert [wait_us(limits) for _ in range(6)].count(0) == 2


def test_a_bucket_that_says_nothing_any_more_is_not_kept(exchange: AtTime, redis_url: str) -> None:
    wait_us(limits_of(exchange, RatePolicy(calls_per_second=10.0, burst=5)))
    with redis.Redis.from_url(redis_url) as client:
        assert 60_000 < client.pttl("payferry:rate:stripe") <= 60_600


def test_a_pause_of_a_provider_without_a_limit_reaches_the_other_processes(redis_url: str) -> None:
    here, there = (Exchange(patient(redis_url), say_nothing) for _ in range(2))
    asked, other = RateLimits(here, {}), RateLimits(there, {"stripe": RatePolicy()})
    asked.pause("stripe", 60.0)
    other.take("stripe")
    there.at_once()
    with pytest.raises(RateExceeded) as refused:
        other.take("stripe")
    assert 59 < refused.value.retry_after_seconds <= 90


@pytest.fixture
def own_valkey(tmp_path: Path) -> Iterator[Valkey]:
    with Valkey(tmp_path / "valkey") as server:
        yield server


class Clock:
    seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def granted_within(limits: RateLimits, clock: Clock, seconds: float) -> int:
    """How many calls pass while one is tried every 2 ms, by `clock`."""
    granted = 0
    for _ in range(int(seconds * 500)):
        clock.seconds += 0.002
        granted += wait_us(limits) == 0
    return granted


def test_without_redis_a_process_goes_on_with_its_share_and_with_it_again_by_the_limit_of_all(
    own_valkey: Valkey,
) -> None:
    clock = Clock()
    exchange = Exchange(connect(own_valkey.url), say_nothing, clock)
    limits = RateLimits(exchange, {"stripe": RatePolicy(calls_per_second=50.0, burst=200, alone_share=0.1)}, clock)
    assert [wait_us(limits) for _ in range(150)] == [0] * 150

    own_valkey.kill()
    assert 8 <= granted_within(limits, clock, 2.0) <= 11
    assert exchange.alone

    own_valkey.start()
    clock.seconds += 1.1
    exchange.keep_up()
    assert not exchange.alone
    assert wait_us(limits) == 0
    with redis.Redis.from_url(own_valkey.url) as client:
        assert client.exists("payferry:rate:stripe")


def hammer(url: str, ready: Any, stop_at: Any, found: Any) -> None:  # noqa: ANN401 - multiprocessing's own types
    """Take tokens as fast as possible, whatever turn is told, and put the times around each one into `found`."""
    exchange = Exchange(patient(url), say_nothing)
    limits, times = RateLimits(exchange, {"stripe": LIMIT}), []
    exchange.at_once()
    ready.wait()
    while (before := time.monotonic()) < stop_at.value:
        exchange.keep_up()
        try:
            limits.take("stripe")
        except RateExceeded:
            continue
        times.append((before, time.monotonic()))
    found.put(times)


class Crowd:
    """Many processes at one limit, for some seconds from the moment that all are ready."""

    def __init__(self, url: str, seconds: float) -> None:
        context = multiprocessing.get_context("spawn")
        ready = context.Barrier(PROCESSES + 1)
        stop_at = context.Value("d", time.monotonic() + 60.0)
        self.found = context.Queue()
        self.processes = [
            context.Process(target=hammer, args=(url, ready, stop_at, self.found), daemon=True)
            for _ in range(PROCESSES)
        ]
        for process in self.processes:
            process.start()
        stop_at.value = time.monotonic() + 60.0
        ready.wait(timeout=50.0)
        self.begun = time.monotonic()
        stop_at.value = self.begun + seconds
        self.seconds = seconds

    def times(self) -> list[tuple[float, float]]:
        """Between which times each call was allowed, once all have ended."""
        found = [times for _ in self.processes for times in self.found.get(timeout=50.0)]
        for process in self.processes:
            process.join(timeout=10.0)
        return found


def wait_until(is_so: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10.0
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def allowed_in(times: list[tuple[float, float]]) -> float:
    """How many calls the limit allows from the first to the last of these."""
    first, last = min(before for before, _ in times), max(after for _, after in times)
    return LIMIT.burst + LIMIT.calls_per_second * (last - first)


def test_eight_processes_stay_under_one_limit_and_use_it_up(redis_url: str) -> None:
    crowd = Crowd(redis_url, 2.5)
    times = crowd.times()
    assert 0.9 * LIMIT.calls_per_second * crowd.seconds <= len(times) <= allowed_in(times)


def test_a_pause_stops_eight_processes_and_a_wiped_redis_does_not(redis_url: str) -> None:
    crowd = Crowd(redis_url, 3.0)
    limits = RateLimits(Exchange(patient(redis_url), say_nothing), {"stripe": LIMIT})
    with redis.Redis.from_url(redis_url) as client:
        wait_until(lambda: client.exists("payferry:rate:stripe"))
        pausing = time.monotonic()
        limits.pause("stripe", 1.0)
        paused = time.monotonic()
        wait_until(lambda: time.monotonic() > pausing + 1.5)
        wiped = time.monotonic()
        client.flushall()
    times = crowd.times()
    assert not [before for before, after in times if before > paused and after < pausing + 1.0]
    assert len([before for before, _ in times if before > wiped]) > LIMIT.calls_per_second
    assert len(times) <= allowed_in(times) - 0.9 * LIMIT.calls_per_second  # the second of the pause is missing
