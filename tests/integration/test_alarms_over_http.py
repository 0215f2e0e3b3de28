"""Alarms over real HTTP: from a forked child, at the end of a process, and where Sentry refuses or hangs."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from payments.alarms.alarms import Alarms, flush_alarms
from payments.alarms.sentry import Sentry, SentryPolicy
from payments.log_events import Tell, teller
from tests.fake_sentry import FakeSentry


@pytest.fixture
def sentry() -> Iterator[FakeSentry]:
    with FakeSentry() as server:
        yield server


class Log:
    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, object]]] = []

    def __getattr__(self, level: str) -> object:
        return lambda name, **fields: self.lines.append((name, fields))


def tell_through(dsn: str, log: Log) -> Tell:
    policy = SentryPolicy(dsn=dsn, environment="test", server_name="worker-1")
    return teller(log, Alarms(lambda: Sentry(policy, teller(log)), teller(log)).sound)


def test_a_forked_child_sends_its_alarm_before_it_ends_like_a_pool_s(sentry: FakeSentry) -> None:
    tell = tell_through(sentry.dsn, Log())
    child = os.fork()
    if child == 0:
        try:
            tell("compensation_failed", provider="stripe", code="child")
            flush_alarms()  # what Celery's signal calls
        finally:
            os._exit(0)
    assert os.waitpid(child, 0) == (child, 0)
    tell("compensation_failed", provider="stripe", code="parent")
    flush_alarms()
    assert [event["tags"]["code"] for event in sentry.events] == ["child", "parent"]
    path, auth = sentry.requests[0]
    assert path == "/api/7/envelope/"
    assert "sentry_key=publickey" in auth


ENDS_AT_ONCE = """
import structlog
from config.settings import Settings
from payments.wiring import Wiring
Wiring(Settings()).tell("compensation_failed", provider="stripe", code="last words")
"""


def test_a_process_that_ends_at_once_sends_its_alarm_all_the_same(sentry: FakeSentry) -> None:
    environment = {**os.environ, "SENTRY_DSN": sentry.dsn, "SENTRY_ENVIRONMENT": "staging", "PROCESS_NAME": "relay"}
    ended = subprocess.run(
        [sys.executable, "-c", ENDS_AT_ONCE], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    (event,) = sentry.events
    assert (event["environment"], event["server_name"]) == ("staging", "relay")
    assert event["tags"] == {"alarm": "compensation_failed", "provider": "stripe", "code": "last words"}
    assert ended.stderr == "", "the library is quiet"


def test_a_sentry_that_hangs_holds_the_end_of_a_process_two_seconds_at_most() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:  # takes connections and never answers
        tell = tell_through(f"http://publickey@127.0.0.1:{mute.getsockname()[1]}/7", Log())
        begun = time.monotonic()
        tell("compensation_failed", code="x")
        told = time.monotonic()
        flush_alarms()
        assert told - begun < 1.0, "who raises an alarm does not wait for it to be sent"
        assert 1.5 < time.monotonic() - told < 4.0


@pytest.mark.parametrize(("status", "reason"), [(403, "status_403"), (429, "status_429"), (503, "status_503")])
def test_what_sentry_refuses_is_told_in_the_log(sentry: FakeSentry, status: int, reason: str) -> None:
    sentry.status, log = status, Log()
    tell_through(sentry.dsn, log)("compensation_failed", code="x")
    flush_alarms()
    assert log.lines[1:] == [("alarm_unsent", {"reason": reason})]


def test_a_sentry_that_is_not_there_is_told_in_the_log() -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    log = Log()
    tell_through(f"http://publickey@127.0.0.1:{port}/7", log)("compensation_failed", code="x")
    flush_alarms()
    assert log.lines[1:] == [("alarm_unsent", {"reason": "network"})]
