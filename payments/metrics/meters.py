"""Counting what a process tells: each rule says what one log event means for the metrics."""

import os
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import product
from typing import Any

from payments.event import Provider
from payments.log_events import LOG_EVENTS, Meter, Tell
from payments.metrics.instruments import Instruments
from payments.metrics.place import metrics_place

Fields = Mapping[str, Any]
Rule = Callable[[Instruments, Fields], None]
Levels = Mapping[tuple[str, ...], float]
"""What a gauge is to be, by its labels."""

_LOOK_SECONDS = 1.0
"""Between two looks at what is watched."""


class Meters:
    """Counts the events of one process, and holds what it is given to watch. Never raises, and never waits."""

    def __init__(self, instruments: Instruments, clock: Callable[[], float] = time.monotonic) -> None:
        self._instruments = instruments
        self._clock = clock
        self._watched: dict[str, Callable[[], Levels]] = {}
        self._look_at = 0.0
        _begin(instruments)

    def heard(self, name: str, fields: Fields) -> None:
        """Count one event. What cannot be counted, such as on a full disk, disturbs nobody."""
        with suppress(OSError, ValueError):
            self._instruments.count("payferry_log_events", name, LOG_EVENTS[name].level)
            if (rule := RULES.get(name)) is not None:
                rule(self._instruments, fields)
            self._look()

    def watch(self, name: str, levels: Callable[[], Levels]) -> None:
        """Hold the gauge `name` at what `levels` returns, looked at while events are told, once a second at most."""
        self._watched[name] = levels

    def _look(self) -> None:
        now = self._clock()
        if now < self._look_at:
            return
        self._look_at = now + _LOOK_SECONDS
        for name, levels in tuple(self._watched.items()):
            for labels, value in levels().items():
                self._instruments.hold(name, value, *labels)


_made: dict[int, Meters] = {}
_making = threading.Lock()


def meters_here(slot: str, tell: Tell) -> Meters | None:
    """Return the meters of this process, made at the first call; None where nobody has said where metrics are kept.

    So it is where the disk is full: that is told, and payments go on.
    """
    place = metrics_place()
    if place is None:
        return None
    pid = os.getpid()
    with _making:
        if pid not in _made:
            _made.clear()  # what a parent made before the fork is not ours to use
            try:
                _made[pid] = Meters(Instruments(place, slot))
            except OSError as error:
                tell("metrics_unkept", reason=error.strerror)
        return _made.get(pid)


def meter_of(meters: Meters | None) -> Meter | None:
    """Return what is handed every event, or None."""
    return meters.heard if meters is not None else None


ENDINGS = ("settled", "declined", "superseded", "retrylater", "waiting", "buried", "overtaken")


def _begin(instruments: Instruments) -> None:
    """Let what is looked at for a change be there before it changes."""
    instruments.begin("payferry_works", product(Provider, ENDINGS))
    instruments.begin("payferry_bridge_records", [(outcome,) for outcome in _OUTCOMES])
    instruments.begin("payferry_swept", [("freed",), ("woken",)])
    instruments.begin("payferry_compensations", product(Provider, ("authorize", "capture"), ("done", "failed")))
    instruments.begin("payferry_waits", product(Provider, ("circuit_open", "budget_spent", "rate_exceeded")))
    instruments.begin("payferry_breaker_transitions", product((*Provider, "database", "kafka", "cache"), _STATES))
    instruments.begin("payferry_cache_reads", [("cache",), ("ledger",), ("stale",)])


_STATES = ("open", "half_open", "closed", "isolated")


def _work(instruments: Instruments, told: Fields) -> None:
    provider, ending = told["provider"], told["ending"]
    instruments.count("payferry_works", provider, ending)
    if "work_seconds" in told:
        instruments.observe("payferry_work_seconds", told["work_seconds"], provider, ending)


def _worked_off(instruments: Instruments, told: Fields) -> None:
    _work(instruments, told)
    if told["ending"] not in _TAKES_EFFECT:
        return
    provider = told["provider"]
    instruments.observe("payferry_settlement_seconds", told["age_seconds"], provider)
    if told.get("after_failure") is not None:
        instruments.count("payferry_retry_successes", provider, told["after_failure"])
        instruments.observe("payferry_recovery_seconds", told["failing_seconds"], provider)


_TAKES_EFFECT = frozenset({"settled", "declined", "superseded"})


def _put_off(instruments: Instruments, told: Fields) -> None:
    _work(instruments, told)
    if told["ending"] == "waiting":
        instruments.count("payferry_waits", told["provider"], told["code"])


def _failure(instruments: Instruments, told: Fields) -> None:
    instruments.count("payferry_errors", told["failure_type"], told["category"], told["service"])
    if told["retried"]:
        instruments.count("payferry_retries", told["provider"], told["failure_type"])


def _buried(instruments: Instruments, told: Fields) -> None:
    _work(instruments, told)
    instruments.count("payferry_buried", told["provider"], told["reason"])


def _record_buried(instruments: Instruments, told: Fields) -> None:
    instruments.count("payferry_buried", told.get("provider") or "unknown", told["reason"])
    instruments.count("payferry_errors", told["failure_type"], told["category"], "payferry")


def _taken_back(instruments: Instruments, told: Fields) -> None:
    instruments.count("payferry_compensations", told["provider"], told["step"], told["result"])


def _swept(instruments: Instruments, told: Fields) -> None:
    instruments.count("payferry_swept", "freed", by=told["freed"])
    instruments.count("payferry_swept", "woken", by=told["woken"])


def _task(instruments: Instruments, told: Fields) -> None:
    instruments.observe("payferry_task_seconds", told["task_seconds"], told["task"], told["state"])


def _answered(instruments: Instruments, told: Fields) -> None:
    result = f"{told['status'] // 100}xx"
    instruments.observe(
        "payferry_gateway_seconds", told["duration_ms"] / 1000, told["service"], told["operation"], result
    )


def _unanswered(instruments: Instruments, told: Fields) -> None:
    instruments.observe(
        "payferry_gateway_seconds", told["duration_ms"] / 1000, told["service"], told["operation"], told["kind"]
    )


def _breaker(state: str) -> Rule:
    return lambda instruments, told: instruments.count("payferry_breaker_transitions", told["breaker"], state)


def _taken(instruments: Instruments, told: Fields) -> None:
    for outcome in _OUTCOMES:
        instruments.count("payferry_bridge_records", outcome, by=told[outcome])
    instruments.observe("payferry_bridge_batch_records", told["records"])
    if told.get("oldest_seconds") is not None:
        instruments.observe("payferry_bridge_delay_seconds", told["oldest_seconds"])


_OUTCOMES = ("new", "known", "dead")


def _partitions(sign: int) -> Rule:
    return lambda instruments, told: instruments.change("payferry_bridge_partitions", sign * len(told["partitions"]))


def _held(name: str, value: float, *fields: str) -> Rule:
    """Return the rule that holds a gauge at a value, under the labels that these fields tell."""
    return lambda instruments, told: instruments.hold(name, value, *(told[field] for field in fields))


def _bridging(instruments: Instruments, told: Fields) -> None:
    for reason in told["reasons"]:
        instruments.hold("payferry_bridge_paused", 0, reason)


def _relaying(instruments: Instruments, told: Fields) -> None:
    for topic in told["topics"]:
        instruments.hold("payferry_publisher_outage", 0, topic)
        instruments.count("payferry_relay_letters", topic, "sent", by=0)


def _relayed(instruments: Instruments, told: Fields) -> None:
    for topic, number in told["sent"].items():
        instruments.count("payferry_relay_letters", topic, "sent", by=number)
    instruments.observe("payferry_relay_publish_seconds", told["batch_seconds"])


def _unrelayed(result: str) -> Rule:
    return lambda instruments, told: instruments.count("payferry_relay_letters", told.get("topic", "all"), result)


def _called(instruments: Instruments, told: Fields) -> None:
    instruments.count("payferry_api_calls", told["method"], told["status"])
    if not told["lasts"]:
        instruments.observe("payferry_api_seconds", told["took_ms"] / 1000, told["method"])


def _read(instruments: Instruments, told: Fields) -> None:
    instruments.count("payferry_cache_reads", told["source"])


def _streamed(instruments: Instruments, told: Fields) -> None:
    instruments.count("payferry_api_stream_events", by=told["events"])
    instruments.hold("payferry_api_streams", told["streams"])


RULES: dict[str, Rule] = {
    "payment_worked_off": _worked_off,
    "payment_put_off": _put_off,
    "payment_buried": _buried,
    "payment_overtaken": _work,
    "payment_failed": _failure,
    "record_buried": _record_buried,
    "step_taken_back": _taken_back,
    "compensation_failed": lambda instruments, told: _taken_back(instruments, {**told, "result": "failed"}),
    "work_swept_up": _swept,
    "task_ended": _task,
    "gateway_answered": _answered,
    "gateway_failed": _unanswered,
    "breaker_opened": _breaker("open"),
    "breaker_half_open": _breaker("half_open"),
    "breaker_closed": _breaker("closed"),
    "breaker_isolated": _breaker("isolated"),
    "shared_state_away": _held("payferry_shared_state_away", 1),
    "shared_state_back": _held("payferry_shared_state_away", 0),
    "bridge_started": _bridging,
    "bridge_batch_taken": _taken,
    "bridge_partitions_assigned": _partitions(1),
    "bridge_partitions_revoked": _partitions(-1),
    "bridge_partitions_lost": _partitions(-1),
    "bridge_paused": _held("payferry_bridge_paused", 1, "reason"),
    "bridge_pause_lifted": _held("payferry_bridge_paused", 0, "reason"),
    "relay_started": _relaying,
    "relay_batch_sent": _relayed,
    "relay_failed": _unrelayed("failed"),
    "event_refused": _unrelayed("refused"),
    "publisher_outage": _held("payferry_publisher_outage", 1, "topic"),
    "publisher_recovered": _held("payferry_publisher_outage", 0, "topic"),
    "api_called": _called,
    "payment_read": _read,
    "streams_told": _streamed,
}
"""What each event means; those that are not here are only counted by their name."""
