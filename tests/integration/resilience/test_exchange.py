import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
import redis

from payments.resilience.exchange import Exchange, Request, connect
from tests.integration.resilience.breakers import Clock
from workers.embedded.valkey import Valkey

NAMES = Request("breaker_names", ("payferry:breakers",), ())


class Asking:
    """A part that makes the same requests each time, and notes what it is told."""

    def __init__(self, *requests: Request) -> None:
        self.wanted = requests
        self.learnt: list[Sequence[Any]] = []
        self.alone_told = 0

    def requests(self) -> Sequence[Request]:
        return self.wanted

    def learn(self, answers: Sequence[Any]) -> None:
        self.learnt.append(answers)

    def alone(self) -> None:
        self.alone_told += 1


class Process:
    """An exchange with parts, on a clock that the test moves."""

    def __init__(self, client: redis.Redis | None, *parts: Asking) -> None:
        self.clock = Clock()
        self.told: list[tuple[str, dict[str, object]]] = []
        self.exchange = Exchange(client, lambda name, **fields: self.told.append((name, fields)), self.clock)
        for part in parts:
            self.exchange.join(part)


@pytest.fixture
def server() -> Iterator[Valkey]:
    with Valkey() as own:
        yield own


@pytest.fixture
def own_line(server: Valkey) -> Iterator[redis.Redis]:
    with connect(server.url) as client:
        yield client


@contextmanager
def frozen(server: Valkey) -> Iterator[None]:
    os.kill(server.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server.pid, signal.SIGCONT)


def _calls(line: redis.Redis, command: str) -> int:
    stats: dict[str, Any] = line.info("commandstats")  # type: ignore[assignment]  # this client is not async
    return int(stats.get(f"cmdstat_{command}", {"calls": 0})["calls"])


def test_each_part_learns_the_answers_to_its_own_requests_in_their_order(line: redis.Redis) -> None:
    line.sadd("a", "of a")
    line.sadd("b", "of b")
    in_a, in_b = Request("breaker_names", ("a",), ()), Request("breaker_names", ("b",), ())
    one, other, silent = Asking(in_a, in_b), Asking(in_b), Asking()
    Process(line, one, silent, other).exchange.keep_up()
    assert one.learnt == [[["of a"], ["of b"]]]
    assert other.learnt == [[["of b"]]]
    assert silent.learnt == []


def test_there_are_no_more_than_ten_round_trips_a_second_however_often_it_is_called(line: redis.Redis) -> None:
    part = Asking(NAMES)
    process = Process(line, part)
    for _ in range(1000):
        process.exchange.keep_up()
        process.clock.advance(0.001)
    assert len(part.learnt) == 10


def test_what_is_urgent_makes_two_more_round_trips_a_second(line: redis.Redis) -> None:
    part = Asking(NAMES)
    process = Process(line, part)
    for _ in range(1000):
        process.exchange.keep_up()
        process.exchange.hurry()
        process.clock.advance(0.001)
    assert 10 <= len(part.learnt) <= 12


def test_nothing_is_sent_when_no_part_has_anything_to_tell(line: redis.Redis) -> None:
    process = Process(line, Asking())
    line.config_resetstat()
    process.exchange.keep_up()
    assert _calls(line, "evalsha") == 0
    assert _calls(line, "ping") == 0


def test_scripts_that_redis_has_forgotten_are_loaded_and_only_they_run_again(line: redis.Redis) -> None:
    order = Request("breaker_names", ("a",), ())
    changes = Request("breaker_changes", ("s",), (1,))
    part = Asking(order, changes)
    process = Process(line, part)
    line.script_flush()
    assert process.exchange.ask(changes) == []
    line.config_resetstat()
    process.exchange.keep_up()
    assert part.learnt == [[[], []]]
    assert _calls(line, "evalsha") == 3  # one of the two was known by then
    assert process.told == []


def test_without_a_client_it_is_alone_for_good_and_says_so_to_each_part() -> None:
    part = Asking(NAMES)
    process = Process(None, part)
    process.clock.advance(100)
    process.exchange.keep_up()
    process.exchange.at_once()
    process.exchange.hurry()
    assert process.exchange.alone
    assert process.exchange.ask(NAMES) is None
    assert (part.alone_told, part.learnt, process.told) == (1, [], [])


def test_a_dead_redis_is_noticed_once_and_tried_again_once_a_second(server: Valkey, own_line: redis.Redis) -> None:
    part = Asking(NAMES)
    process = Process(own_line, part)
    server.kill()
    process.exchange.keep_up()
    server.start()
    for _ in range(9):
        process.clock.advance(0.1)
        process.exchange.keep_up()
    assert process.exchange.alone
    assert process.exchange.ask(NAMES) is None
    assert (part.alone_told, part.learnt) == (1, [])
    process.clock.advance(0.1)
    process.exchange.keep_up()
    assert not process.exchange.alone
    assert part.learnt == [[[]]]
    assert [name for name, _ in process.told] == ["shared_state_away", "shared_state_back"]


def test_it_finds_back_even_if_no_part_has_anything_to_ask(server: Valkey, own_line: redis.Redis) -> None:
    process = Process(own_line, Asking(NAMES))
    server.kill()
    assert process.exchange.ask(NAMES) is None
    server.start()
    silent = Process(own_line, Asking())
    process.exchange._parts = silent.exchange._parts  # noqa: SLF001 - from now on nobody asks
    process.clock.advance(1)
    process.exchange.keep_up()
    assert not process.exchange.alone


def test_a_script_that_fails_is_told_like_a_redis_that_is_away(line: redis.Redis) -> None:
    line.set("text", "is no set")
    part = Asking(Request("breaker_names", ("text",), ()))
    process = Process(line, part)
    process.exchange.keep_up()
    assert process.told == [("shared_state_away", {"reason": "ResponseError"})]
    assert part.alone_told == 1


def test_a_frozen_redis_slows_one_call_a_second_and_no_longer_than_the_timeout(
    server: Valkey, own_line: redis.Redis
) -> None:
    told: list[str] = []
    exchange = Exchange(own_line, lambda name, **_: told.append(name))
    exchange.join(Asking(NAMES))
    exchange.keep_up()
    with frozen(server):
        seconds = _durations(exchange, for_seconds=2.2)
    slow = [each for each in seconds if each > 0.02]
    assert max(seconds) < 0.35
    assert len(slow) <= 3
    assert told == ["shared_state_away"]


def _durations(exchange: Exchange, for_seconds: float) -> list[float]:
    durations, deadline = [], time.monotonic() + for_seconds
    while (begun := time.monotonic()) < deadline:
        exchange.keep_up()
        exchange.ask(NAMES)
        durations.append(time.monotonic() - begun)
        time.sleep(0.005)  # what the caller does between two calls
    return durations


def test_a_second_thread_does_not_wait_for_a_round_trip_under_way(server: Valkey, own_line: redis.Redis) -> None:
    process = Process(own_line, Asking(NAMES))
    process.exchange.keep_up()
    process.clock.advance(0.1)
    with frozen(server):
        first = threading.Thread(target=process.exchange.keep_up)
        first.start()
        while not process.exchange._trip.locked():  # noqa: SLF001 - until the first is under way
            time.sleep(0.001)
        begun = time.monotonic()
        process.exchange.keep_up()
        waited = time.monotonic() - begun
        first.join()
    assert waited < 0.1


def test_a_thread_that_knows_only_what_is_long_past_waits_for_the_news(server: Valkey, own_line: redis.Redis) -> None:
    part = Asking(NAMES)
    process = Process(own_line, part)
    process.exchange.keep_up()
    process.clock.advance(60)
    os.kill(server.pid, signal.SIGSTOP)
    first = threading.Thread(target=process.exchange.keep_up)
    first.start()
    while not process.exchange._trip.locked():  # noqa: SLF001 - until the first is under way
        time.sleep(0.001)
    threading.Timer(0.05, os.kill, (server.pid, signal.SIGCONT)).start()
    process.exchange.keep_up()
    assert len(part.learnt) == 2
    first.join()
