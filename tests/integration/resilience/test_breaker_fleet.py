"""Sixteen real processes share one breaker."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis

from payments.resilience.policy import BreakerPolicy
from payments.resilience.shared_breaker import EVENTS, key_of
from tests.integration.resilience.breakers import POLICY
from workers.embedded.valkey import Valkey

pytestmark = pytest.mark.alone

PROJECT = Path(__file__).parents[3]
SIZE = 16
BY_RATE = msgspec.structs.replace(POLICY, consecutive_failures=100_000, minimum_volume=20, open_seconds=60.0)
QUICK = msgspec.structs.replace(
    POLICY, consecutive_failures=3, open_seconds=0.5, probes=3, successes=3, probe_seconds=1.5, open_factor=1.0
)


class Member:
    """A process of the fleet."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.integration.resilience.breaker_process"]
        self._process = subprocess.Popen(command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def tell(self, verb: str, **words: object) -> None:
        """Say what to do, without waiting for it."""
        assert self._process.stdin
        self._process.stdin.write(json.dumps([verb, words]) + "\n")
        self._process.stdin.flush()

    def answer(self) -> Any:  # noqa: ANN401 - any JSON
        assert self._process.stdout
        return json.loads(self._process.stdout.readline())

    def do(self, verb: str, **words: object) -> Any:  # noqa: ANN401 - any JSON
        self.tell(verb, **words)
        return self.answer()

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        """End it with SIGKILL."""
        self._process.kill()
        self._process.communicate()


class Fleet:
    """All of them at once."""

    def __init__(self) -> None:
        self.members = [Member() for _ in range(SIZE)]

    def connect(self, url: str, policy: BreakerPolicy) -> None:
        self.members = [member if member.alive else Member() for member in self.members]
        self.all("connect", url=url, policy=msgspec.to_builtins(policy))

    def all(self, verb: str, **words: object) -> list[Any]:
        """Let all do the same at the same time, and return their answers."""
        for member in self.members:
            member.tell(verb, **words)
        return [member.answer() for member in self.members]


@pytest.fixture(scope="module")
def processes() -> Iterator[Fleet]:
    fleet = Fleet()
    yield fleet
    for member in fleet.members:
        member.kill()


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url, decode_responses=True) as opened:
        yield opened


def _state(client: redis.Redis) -> str:
    return str(client.hget(key_of("stripe"), "state"))


def test_half_of_the_calls_failing_opens_it_in_all_processes_within_half_a_second(
    processes: Fleet, redis_url: str, client: redis.Redis
) -> None:
    processes.connect(redis_url, BY_RATE)
    well = processes.all("calls", until=time.time() + 0.3, pause=0.005, failing=False)
    assert all(each["refused_at"] is None and each["let_through"] > 0 for each in well)
    client.delete(key_of("stripe"))  # so that the good calls before do not count,
    processes.connect(redis_url, BY_RATE)  # nor those that a process has not told yet
    began = time.time()
    told = processes.all("calls", until=began + 5, pause=0.005, failing=True)
    assert max(each["refused_at"] - began for each in told) < 0.5
    assert sum(name == "breaker_opened" for names in processes.all("logged") for name in names) == 1
    assert client.xlen(EVENTS) == 1


class HalfOpen:
    """The fleet after it was opened and its probes have all gone out. `late` holds a permit of the closed state."""

    def __init__(self, fleet: Fleet, url: str) -> None:
        fleet.connect(url, QUICK)
        self.late, *self.others = fleet.members
        assert all(self.late.do("take_one") for _ in range(4))
        for _ in range(3):
            self.late.do("give", outcome="failure")
        self._others_take(0.2)  # so that they have heard of it
        held = self._others_take(1.0)
        self.holders = [member for member, number in zip(self.others, held, strict=True) for _ in range(number)]

    def _others_take(self, seconds: float) -> list[int]:
        until = time.time() + seconds
        for member in self.others:
            member.tell("take", until=until)
        return [member.answer() for member in self.others]


@pytest.fixture
def half_open(processes: Fleet, redis_url: str, client: redis.Redis) -> HalfOpen:
    made = HalfOpen(processes, redis_url)
    assert _state(client) == "half_open"
    return made


def test_exactly_the_allowed_probes_go_out_of_all_processes_together(half_open: HalfOpen, client: redis.Redis) -> None:
    assert len(half_open.holders) == 3
    for holder in half_open.holders:
        assert _state(client) == "half_open"
        holder.do("give", outcome="success")
    assert _state(client) == "closed"


def test_a_late_success_of_before_it_opened_changes_nothing(half_open: HalfOpen, client: redis.Redis) -> None:
    before = client.hgetall(key_of("stripe"))
    half_open.late.do("give", outcome="success")
    assert half_open.late.do("take_one") is False
    assert client.hgetall(key_of("stripe")) == before


def test_the_permit_of_a_killed_process_expires_and_another_process_gets_it(
    half_open: HalfOpen, client: redis.Redis
) -> None:
    victim, *left = half_open.holders
    victim.kill()
    for holder in left:
        if holder is not victim:
            holder.do("give", outcome="success")
    survivor = next(member for member in half_open.others if member.alive)
    assert survivor.do("take_one") is False
    deadline = time.monotonic() + 3 * QUICK.probe_seconds
    while _state(client) == "half_open":
        assert time.monotonic() < deadline, "its permit did not come back"
        if survivor.do("take_one"):
            survivor.do("give", outcome="success")
        time.sleep(0.05)  # between two tries
    assert _state(client) == "closed"


def test_without_redis_every_process_breaks_by_itself_and_finds_back(processes: Fleet) -> None:
    with Valkey() as server:
        processes.connect(server.url, BY_RATE)
        processes.all("calls", until=time.time() + 0.2, pause=0.005, failing=False)
        server.kill()
        told = processes.all("calls", until=time.time() + 10, pause=0.005, failing=True)
        assert all(each["refused_at"] for each in told)
        assert processes.all("logged") == [["shared_state_away", "breaker_opened"]] * SIZE
        server.start()
        processes.all("take", until=time.time() + 1.5)
        back = processes.all("calls", until=time.time() + 0.2, pause=0.005, failing=False)
        assert all(each["refused_at"] is None for each in back)  # what the fleet knows counts again
        assert processes.all("logged") == [["shared_state_away", "breaker_opened", "shared_state_back"]] * SIZE
