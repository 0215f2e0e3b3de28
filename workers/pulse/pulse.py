"""How one process fares: its loop notes that it turns, and its own report says what is in its way."""

import math
import time
from collections.abc import Callable, Collection, Mapping
from threading import Lock

import msgspec

from workers.pulse.sign import Sign

DATABASE_AWAY = "database away"
REDIS_AWAY = "Redis away"
KAFKA_AWAY = "Kafka away"

AWAY = frozenset({DATABASE_AWAY, REDIS_AWAY, KAFKA_AWAY})
"""Troubles with which a process is not ready: a server that it needs does not answer it."""


class Notes(msgspec.Struct, frozen=True, kw_only=True):
    """What a kind of process adds to its sign. Asked for every two seconds, in a thread of its own."""

    troubles: Collection[str] = ()
    numbers: Mapping[str, float] = {}
    is_excused: bool = False
    """Whether a loop that does not turn waits for a server that is away: to start it again would mend nothing."""
    stuck: str = ""
    """Why it makes no progress although its loop turns; empty where it does."""


Report = Callable[[], Notes]

_LOOK_SECONDS = 1.0
"""For so long a sign waits for a report that another thread has asked for: a probe has no patience."""


def no_notes() -> Notes:
    """Return that there is nothing to add."""
    return Notes()


class Pulse:
    """The state of one process' health. The loop writes one attribute a turn; any thread may read.

    `sign` holds what does not change: name, role, host, pid, version. A loop that has not turned for
    `patience_seconds` is stuck.
    """

    def __init__(
        self,
        sign: Sign,
        patience_seconds: float,
        report: Report = no_notes,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sign = sign
        self._patience_seconds = patience_seconds
        self._report = report
        self._clock = clock
        self._born_at = self._turned_at = clock()
        self._since: dict[str, float] = {}
        self._looking = Lock()
        self._notes = Notes()
        self.is_ready = False
        """Whether the process has said that it takes work."""

    @property
    def key(self) -> str:
        """What its signs are filed under."""
        return self._sign.key

    def turn(self, rest_seconds: float = 0.0) -> None:
        """Note that the loop makes progress. It may rest for so long before it is expected again."""
        self._turned_at = self._clock() + rest_seconds

    def report_by(self, report: Report) -> None:
        """Let `report` say what is in the way from now on."""
        self._report = report

    def sign(self) -> Sign:
        """Return how it fares now; where its report hangs, as one does that waits for a name server, by the last."""
        notes, now = self._look(), self._clock()
        if notes.is_excused:
            self._turned_at = max(self._turned_at, now)
        turned_seconds = max(0.0, now - self._turned_at)
        return msgspec.structs.replace(
            self._sign,
            up_seconds=round(now - self._born_at, 3),
            turned_seconds=round(turned_seconds, 3),
            stuck=self._stuck(turned_seconds, notes),
            troubles=self._lasting(notes.troubles, now),
            numbers=dict(notes.numbers),
        )

    def _look(self) -> Notes:
        """Return what is reported, or what was last, while another thread still waits for that."""
        if self._looking.acquire(timeout=_LOOK_SECONDS):
            try:
                self._notes = self._reported()
            finally:
                self._looking.release()
        return self._notes

    def _reported(self) -> Notes:
        try:
            return self._report()
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a report, the process gives its sign
            return Notes(troubles=[f"its own report fails: {type(error).__name__}"])

    def _stuck(self, turned_seconds: float, notes: Notes) -> str:
        if turned_seconds > self._patience_seconds:
            return f"its main loop has made no progress for {math.floor(turned_seconds)} s"
        return notes.stuck

    def _lasting(self, troubles: Collection[str], now: float) -> dict[str, float]:
        """Return for how long each trouble has been there, as far as it was looked at."""
        self._since = {trouble: self._since.get(trouble, now) for trouble in sorted(troubles)}
        return {trouble: round(now - since, 3) for trouble, since in self._since.items()}
