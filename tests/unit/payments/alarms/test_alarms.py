"""An alarm reaches its outlet once, is made for this process, and disturbs nobody."""

import multiprocessing
import subprocess
import sys
import threading
from collections.abc import Mapping

import pytest
from billiard.exceptions import SoftTimeLimitExceeded
from celery.signals import worker_process_shutdown

import workers.app
from payments.alarms.alarms import Alarms
from payments.log_events import LOG_EVENTS, teller

CRITICAL = [name for name, (level, _meaning) in LOG_EVENTS.items() if level == "critical"]


class Log:
    """A logger that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, dict[str, object]]] = []

    def __getattr__(self, level: str) -> object:
        return lambda name, **fields: self.lines.append((level, name, fields))


class Outlet:
    """Keeps what it is given, or fails."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.taken: list[tuple[str, str, Mapping[str, object]]] = []
        self.flushed: list[float] = []
        self._failure = failure

    def send(self, name: str, meaning: str, fields: Mapping[str, object]) -> None:
        if self._failure:
            raise self._failure
        self.taken.append((name, meaning, fields))

    def flush(self, seconds: float) -> None:
        self.flushed.append(seconds)


@pytest.fixture
def log() -> Log:
    return Log()


def test_each_critical_event_is_one_alarm_and_no_other_is(log: Log) -> None:
    outlet = Outlet()
    tell = teller(log, Alarms(lambda: outlet, teller(log)).sound)
    for name in LOG_EVENTS:
        tell(name, code="x")
    assert "compensation_failed" in CRITICAL
    assert outlet.taken == [(name, LOG_EVENTS[name][1], {"code": "x"}) for name in CRITICAL]
    assert [name for _level, name, _fields in log.lines] == list(LOG_EVENTS), "the log has all of them"


def test_nothing_is_made_before_the_first_alarm_and_one_outlet_serves_all_threads(log: Log) -> None:
    made: list[Outlet] = []
    alarms = Alarms(lambda: made.append(Outlet()) or made[-1], teller(log))
    assert made == []
    threads = [threading.Thread(target=alarms.sound, args=("compensation_failed", "", {})) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(outlet.taken) for outlet in made] == [8]


def test_a_child_makes_an_outlet_of_its_own(log: Log) -> None:
    made: list[Outlet] = []
    alarms = Alarms(lambda: made.append(Outlet()) or made[-1], teller(log))
    alarms.sound("compensation_failed", "", {})

    def second_life() -> None:
        alarms.sound("compensation_failed", "", {})
        sys.exit(len(made))

    child = multiprocessing.get_context("fork").Process(target=second_life)
    child.start()
    child.join(30)
    assert child.exitcode == 2
    assert len(made[0].taken) == 1


@pytest.mark.parametrize("failure", [OSError("no route for 4242424242424242"), RuntimeError(), ValueError()])
def test_an_outlet_that_fails_is_told_by_the_type_of_its_error_and_disturbs_nobody(
    log: Log, failure: Exception
) -> None:
    Alarms(lambda: Outlet(failure), teller(log)).sound("compensation_failed", "", {})
    assert log.lines == [("warning", "alarm_unsent", {"reason": type(failure).__name__})]


def test_an_outlet_that_cannot_be_made_disturbs_nobody_and_is_tried_again(log: Log) -> None:
    outlet, tries = Outlet(), iter([ImportError("sentry_sdk")])

    def connect() -> Outlet:
        for failure in tries:
            raise failure
        return outlet

    alarms = Alarms(connect, teller(log))
    alarms.sound("compensation_failed", "", {"code": "first"})
    alarms.sound("compensation_failed", "", {"code": "second"})
    assert log.lines == [("warning", "alarm_unsent", {"reason": "ImportError"})]
    assert [fields for _name, _meaning, fields in outlet.taken] == [{"code": "second"}]


def test_a_time_limit_that_comes_during_an_alarm_is_the_task_s_to_hear(log: Log) -> None:
    with pytest.raises(SoftTimeLimitExceeded):
        Alarms(lambda: Outlet(SoftTimeLimitExceeded()), teller(log)).sound("compensation_failed", "", {})


def test_the_end_of_a_pool_s_child_waits_two_seconds_at_most_for_its_alarms(log: Log) -> None:
    outlet = Outlet()
    alarms = Alarms(lambda: outlet, teller(log))
    alarms.sound("compensation_failed", "", {})
    assert workers.app.app is not None  # it has connected the signal
    worker_process_shutdown.send(sender=None, pid=0, exitcode=0)
    assert outlet.flushed == [pytest.approx(2.0, abs=0.5)]


WITHOUT_SENTRY = """
import sys
from config.settings import Settings
from payments.wiring import Wiring, build_alarm
wiring = Wiring(Settings())
wiring.tell("compensation_failed", code="x")
assert build_alarm(wiring.settings, wiring.tell) is None
print("sentry_sdk" in sys.modules, file=sys.stderr)  # the log goes to stdout, from a thread too
"""

WITH_SENTRY = """
import os, sys
os.environ["SENTRY_DSN"] = "http://public@127.0.0.1:1/1"
from config.settings import Settings
from payments.wiring import Wiring
wiring = Wiring(Settings())
wiring.tell("payment_buried", reason="x")
print("sentry_sdk" in sys.modules, file=sys.stderr)  # the log goes to stdout, from a thread too
wiring.tell("compensation_failed", code="x")
print("sentry_sdk" in sys.modules, file=sys.stderr)  # the log goes to stdout, from a thread too
"""


@pytest.mark.parametrize(("script", "loaded"), [(WITHOUT_SENTRY, ["False"]), (WITH_SENTRY, ["False", "True"])])
def test_without_a_dsn_or_an_alarm_sentry_s_library_is_not_even_loaded(
    monkeypatch: pytest.MonkeyPatch, script: str, loaded: list[str]
) -> None:
    monkeypatch.delenv("SENTRY_DSN", raising=False)
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert [line for line in ended.stderr.splitlines() if line in {"True", "False"}] == loaded
