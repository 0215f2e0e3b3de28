"""`payferry top` on real servers, as a process of its own."""

import json
import signal
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from payments.event import Kind
from payments.ledger.database import Database
from payments.ledger.inbox import Inbox
from tests.acceptance.commands import PROGRAM, environment
from tests.builders import an_arrival, an_event

Env = dict[str, str]


@pytest.fixture
def env(database_url: str, redis_url: str, kafka_bootstrap: str, topic: str, group: str) -> Env:
    return environment(
        {
            "DATABASE_URL": database_url,
            "CELERY_BROKER_URL": redis_url,
            "KAFKA_BOOTSTRAP_SERVERS": kafka_bootstrap,
            "KAFKA_TOPIC": topic,
            "KAFKA_GROUP_ID": group,
        }
    )


def top(env: Env, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([PROGRAM, "top", *words], env=env, text=True, capture_output=True, timeout=60, check=False)


@pytest.fixture
def running(env: Env) -> Iterator["subprocess.Popen[str]"]:
    command = [PROGRAM, "top", "--json", "--interval", "0.5"]
    with subprocess.Popen(command, env=env, text=True, stdout=subprocess.PIPE) as process:
        yield process
        process.kill()


def test_one_frame_tells_of_every_server(env: Env, database: Database) -> None:
    Inbox(database).receive([an_arrival(an_event("evt_1", Kind.REQUESTED))])
    done = top(env, "--once", "--json")
    frame: dict[str, Any] = json.loads(done.stdout)
    assert (done.returncode, frame["unread"]) == (0, {})
    assert frame["inbox"]["by_state"] == {"received": 1}
    assert (frame["lag"], frame["processes"]) == (0, [])
    assert {each["name"] for each in frame["breakers"]} >= {"stripe", "database"}
    assert frame["throughput"] == {"taken_per_second": None, "ended_per_second": None}


def test_a_server_that_is_away_is_named_and_the_others_are_shown(env: Env) -> None:
    done = top(env | {"CELERY_BROKER_URL": "redis://127.0.0.1:1/0"}, "--once")
    assert done.returncode == 0
    assert "degraded" in done.stdout or "unhealthy" in done.stdout
    assert "queues  not known" in done.stdout
    assert "nothing unfinished" in done.stdout


def test_a_frame_a_line_with_rates_from_the_second_on_until_ctrl_c(running: "subprocess.Popen[str]") -> None:
    assert running.stdout is not None
    first, second = (json.loads(running.stdout.readline()) for _ in range(2))
    assert first["throughput"]["ended_per_second"] is None
    assert second["throughput"]["ended_per_second"] == 0.0
    running.send_signal(signal.SIGINT)
    assert running.wait(20) == 0


def test_an_interval_that_makes_no_sense_is_refused(env: Env) -> None:
    done = top(env, "--interval", "0")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("payferry: ")
