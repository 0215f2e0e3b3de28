"""An alarm reaches its outlet once, is made for this process, and disturbs nobody."""

import multiprocessing
import subprocess
import sys
import threading
from functools import partial

import pytest
from billiard.exceptions import SoftTimeLimitExceeded
from celery.signals import worker_process_shutdown

import workers.app
from payments.alarms.alarms import Alarms
from payments.alarms.notice import Notice
from payments.alarms.trail import Trail
from payments.log_events import LOG_EVENTS, teller

ALARMS = [name for name, event in LOG_EVENTS.items() if event.level in {"error", "critical"}]


class Log:
    """A logger that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, dict[str, object]]] = []

    def __getattr__(self, level: str) -> object:
        return lambda name, **fields: self.lines.append((level, name, fields))


class Outlet:
    """Keeps what it is given, or fails."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.taken: list[Notice] = []
        self.flushed: list[float] = []
        self._failure = failure

    def send(self, notice: Notice) -> None:
        if self._failure:
            raise self._failure
        self.taken.append(notice)

    def flush(self, seconds: float) -> None:
        self.flushed.append(seconds)


def _make(made: list[Outlet]) -> Outlet:
    made.append(Outlet())
    return made[-1]


@pytest.fixture
def log() -> Log:
    return Log()


def test_each_error_and_each_critical_event_is_one_alarm_and_no_other_is(log: Log) -> None:
    outlet = Outlet()
    tell = teller(log, Alarms(lambda: outlet, teller(log)).sound)
    for name in LOG_EVENTS:
        tell(name, code="x")
    assert {"compensation_failed", "payment_buried", "record_buried"} <= set(ALARMS)
    assert {"payment_put_off", "payment_worked_off", "payment_failed", "breaker_opened"}.isdisjoint(ALARMS)
    assert [notice.name for notice in outlet.taken] == ALARMS
    for notice in outlet.taken:
        told = LOG_EVENTS[notice.name]
        assert (notice.level, notice.meaning, notice.fields) == (told.level, told.meaning, {"code": "x"})
    assert [name for _level, name, _fields in log.lines] == list(LOG_EVENTS), "the log has all of them"


def test_nothing_is_made_before_the_first_alarm_and_one_outlet_serves_all_threads(log: Log) -> None:
    made: list[Outlet] = []
    alarms = Alarms(partial(_make, made), teller(log))
    assert made == []
    threads = [threading.Thread(target=alarms.sound, args=("compensation_failed", "", {})) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(outlet.taken) for outlet in made] == [8]


def test_a_child_makes_an_outlet_of_its_own(log: Log) -> None:
    made: list[Outlet] = []
    alarms = Alarms(partial(_make, made), teller(log))
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
    assert [notice.fields for notice in outlet.taken] == [{"code": "second"}]


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


def test_a_storm_of_errors_is_a_few_alarms_then_one_a_minute_and_the_rest_is_counted(log: Log) -> None:
    now, outlet = [0.0], Outlet()
    alarms = Alarms(lambda: outlet, teller(log), clock=lambda: now[0])
    for offset in range(10_000):
        now[0] += 0.006  # so that they take a minute
        alarms.sound("record_buried", "", {"fingerprint": "a", "offset": offset})
    assert [notice.left_out for notice in outlet.taken] == [0, 0, 0, 0, 0]
    now[0] += 1.0
    alarms.sound("record_buried", "", {"fingerprint": "a", "offset": 10_000})
    assert sum(1 + notice.left_out for notice in outlet.taken) == 10_001


def test_what_was_left_out_is_told_at_the_end_of_the_process(log: Log) -> None:
    outlet = Outlet()
    alarms = Alarms(lambda: outlet, teller(log), clock=lambda: 0.0)
    for offset in range(100):
        alarms.sound("record_buried", "", {"fingerprint": "a", "offset": offset})
    alarms.flush(1.0)
    assert [notice.fields["offset"] for notice in outlet.taken] == [0, 1, 2, 3, 4, 99]
    assert sum(1 + notice.left_out for notice in outlet.taken) == 100


def test_no_critical_event_is_ever_left_out(log: Log) -> None:
    outlet = Outlet()
    alarms = Alarms(lambda: outlet, teller(log), clock=lambda: 0.0)
    for number in range(50):
        alarms.sound("compensation_failed", "", {"code": "a", "payment_id": number})
    assert len(outlet.taken) == 50


def test_what_is_only_of_the_trail_is_no_alarm(log: Log) -> None:
    outlet, trail = Outlet(), Trail()
    tell = teller(log, Alarms(lambda: outlet, teller(log), trail=trail).sound)
    tell("breaker_opened", breaker="stripe")
    tell("breaker_drained", breaker="stripe")
    assert outlet.taken == []
    assert [(crumb.name, crumb.fields) for crumb in trail.crumbs()] == [("breaker_opened", {"breaker": "stripe"})]


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
wiring.tell("breaker_opened", breaker="stripe")
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
