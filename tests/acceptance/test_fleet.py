"""A running fleet: two workers, two beats, and a person who looks at it."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.celery_events import CeleryEvents
from tests.acceptance.commands import payferry
from tests.acceptance.harbour import Harbour
from tests.acceptance.running import Running, Sandbox, Up
from tests.integration.kafka import eventually

pytestmark = pytest.mark.timeout(180)


class Fleet:
    """Processes, what they are told to use, and what Celery tells about them."""

    def __init__(self, up: Up, harbour: Harbour, events: CeleryEvents, env: dict[str, str]) -> None:
        self.up = up
        self.ledger = harbour.ledger
        self.events = events
        self.env = env
        self.folder = harbour.folder

    def produce(self, *options: str) -> float:
        """Send records, wait for their end, and return how many seconds the sending took."""
        before, started = self.ledger.taken_in(), time.monotonic()
        done = payferry("produce", *options, env=self.env, folder=self.folder)
        took_seconds = time.monotonic() - started
        assert done.code == 0, done.err
        eventually(lambda: self.ledger.ended() == self.ledger.taken_in() > before, "all has ended")
        return took_seconds


@pytest.fixture(scope="module")
def fleet(harbour: Harbour) -> Iterator[Fleet]:
    with (
        Sandbox(harbour.folder, "--latency-ms", "30") as sandbox,
        CeleryEvents(harbour.redis_url) as events,
    ):
        env = {**harbour.env, "SANDBOX_URL": sandbox.url, "BRIDGE_POISON_SHARE": "1"}  # one test sends half bad
        with Up(env, harbour.folder, "--workers", "2", "--no-flower") as up:
            yield Fleet(up, harbour, events, env)


def test_two_workers_have_names_of_their_own_and_both_work(fleet: Fleet) -> None:
    first, second = fleet.up.main("worker.1"), fleet.up.main("worker.2")
    assert first is not None
    assert second is not None
    assert first.pid != second.pid
    fleet.produce("--count", "150")
    eventually(lambda: _busy(fleet) == {"worker.1", "worker.2"}, "both have worked")


def _busy(fleet: Fleet) -> set[str]:
    """Return the names of the workers that have worked off payments."""
    done = fleet.events.of("task-succeeded")
    payments = {event["uuid"] for event in fleet.events.of("task-received") if event["name"] == "payments.process"}
    return {event["hostname"].partition("@")[0] for event in done if event["uuid"] in payments}


def test_two_beats_use_each_slot_once(fleet: Fleet) -> None:
    beat = str(Path(sys.executable).with_name("celery"))
    command = [beat, "-A", "workers.app", "beat", "--scheduler", "workers.beat:PulsingScheduler", "--pidfile="]
    with Running(command, fleet.env, fleet.folder, "second-beat"):
        since = time.time()
        eventually(lambda: len(_ticks(fleet, since, taken=True)) >= 6, "six ticks were taken")
        eventually(lambda: len(_ticks(fleet, since, taken=False)) >= 3, "the second beat sends, too")
        taken = _ticks(fleet, since, taken=True)
    span_seconds = taken[-1] - taken[0]
    assert len(taken) - 1 <= span_seconds / 0.8 + 1, "a tick of 1 s is given at most once in 0.8 s"


def _ticks(fleet: Fleet, since: float, *, taken: bool) -> list[float]:
    """Return when sweeps ended that had their tick, or that found it taken."""
    received = fleet.events.of("task-received", lambda event: event["name"] == "maintenance.sweep")
    sweeps = {event["uuid"] for event in received if event["timestamp"] > since}
    done = fleet.events.of("task-succeeded", lambda event: event["uuid"] in sweeps)
    return [event["timestamp"] for event in done if (event["result"] != "None") == taken]


def test_status_tells_every_part(fleet: Fleet) -> None:
    fleet.produce("--count", "20", "--bad", "0.5")
    done = payferry("status", "--json", env=fleet.env, folder=fleet.folder)
    assert done.code == 0, done.err
    told = done.json
    assert set(told) == {
        *("inbox", "oldest_due_seconds", "dead_letters", "outbox", "queues", "lag", "bridge_pause", "unreachable"),
    }
    assert sum(told["inbox"].values()) > 0
    assert sum(told["dead_letters"].values()) > 0
    assert set(told["queues"]) >= {"payments.stripe", "payments.canonical", "maintenance"}
    assert told["bridge_pause"] is None
    assert told["unreachable"] == {}


def test_the_monitor_sees_every_process_and_finds_nothing_wrong(fleet: Fleet) -> None:
    def told() -> Any:  # noqa: ANN401 - JSON
        return httpx.get(fleet.up.place("Monitor"), trust_env=False).json()

    def names() -> set[str]:
        return {each["name"].partition("@")[0] for each in told()["processes"]}

    eventually(lambda: told()["status"] == "healthy", "healthy", 15)
    ours = {"bridge", "worker.1", "worker.2", "beat", "relay", "api"}
    eventually(lambda: names() == ours, f"{ours}, and no beat that has ended: its last look is some seconds old", 15)


def test_check_finds_nothing_wrong(fleet: Fleet) -> None:
    done = payferry("check", "--json", env=fleet.env, folder=fleet.folder)
    assert done.code == 0, done.out
    assert done.json["ok"] is True
    assert set(done.json["checks"].values()) == {None}


def test_status_names_the_part_that_does_not_answer(fleet: Fleet) -> None:
    env = {**fleet.env, "CELERY_BROKER_URL": "redis://127.0.0.1:1/0"}
    done = payferry("status", "--json", env=env, folder=fleet.folder)
    assert done.code == 1
    assert done.json["queues"] is None
    assert list(done.json["unreachable"]) == ["queues"]
    assert done.json["inbox"] is not None


def test_a_rate_is_kept(fleet: Fleet) -> None:
    at_once_seconds = fleet.produce("--count", "1")
    paced_seconds = fleet.produce("--count", "60", "--rate", "20") - at_once_seconds
    assert 2 < paced_seconds < 8


def test_an_interval_is_kept(fleet: Fleet) -> None:
    at_once_seconds = fleet.produce("--count", "1")
    paced_seconds = fleet.produce("--count", "6", "--interval", "0.5") - at_once_seconds
    assert 2 < paced_seconds < 8


def test_half_bad_is_about_half_dead(fleet: Fleet) -> None:
    count = "SELECT count(*) FROM dead_letters WHERE inbox_id IS NULL"
    before = fleet.ledger.rows(count)[0][0]
    fleet.produce("--count", "200", "--bad", "0.5", "--seed", "5")
    eventually(lambda: 70 <= fleet.ledger.rows(count)[0][0] - before <= 130, "about half are dead letters")


def test_a_file_is_produced_line_by_line(fleet: Fleet) -> None:
    lines = [
        b'{"id":"file-%d","amount":"1.00","currency":"EUR","status":"paid","created_at":1767225600}' % number
        for number in range(5)
    ]
    path = fleet.folder / "events.jsonl"
    path.write_bytes(b"\n".join(lines) + b"\n\n")
    fleet.produce("--file", str(path))
    found = "SELECT count(*) FROM inbox WHERE ordering_key LIKE 'canonical:file-%' AND state = 'settled'"
    eventually(lambda: fleet.ledger.rows(found)[0][0] == 5, "all five are settled")
