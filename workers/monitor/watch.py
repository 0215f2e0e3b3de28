"""A thread that looks around every few seconds, and what it saw last."""

import threading
import time
from collections.abc import Callable
from datetime import datetime

import msgspec

from workers.monitor.finding import Finding, Memory, Status, Verdict
from workers.monitor.survey import Survey
from workers.monitor.verdict import VerdictPolicy, judge

_OVERDUE_SECONDS = 10.0
"""So much longer than the pause between two looks the last one may be past: a look takes three seconds at most."""


class Look(msgspec.Struct, frozen=True):
    """What was seen, and what follows from it."""

    survey: Survey
    verdict: Verdict


class Watch:
    """Looks in a thread of its own; `latest` may be asked from any thread."""

    def __init__(
        self,
        look: Callable[[], Survey],
        policy: VerdictPolicy,
        every_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._look = look
        self._policy = policy
        self._every_seconds = every_seconds
        self._clock = clock
        self._memory = Memory()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._looked_at = clock()
        self._latest: Look | None = None

    def start(self) -> None:
        """Look once, and then from time to time."""
        self.turn()
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stopping.set()

    def turn(self) -> None:
        """Look once."""
        survey = self._look()
        self._latest = Look(survey, self._memory.recall(judge(survey, self._policy)))
        self._looked_at = self._clock()

    @property
    def latest(self) -> Look:
        """What was seen last. `turn` must have been called."""
        assert self._latest is not None
        return self._latest

    @property
    def age_seconds(self) -> float:
        """Since that was seen."""
        return self._clock() - self._looked_at

    @property
    def is_late(self) -> bool:
        """Whether the thread makes no progress, so that nobody may go by what it saw last."""
        return self.age_seconds > self._every_seconds + _OVERDUE_SECONDS

    def _run(self) -> None:
        while not self._stopping.wait(self._every_seconds):
            self.turn()


def blind(age_seconds: float, since: datetime) -> Verdict:
    """Return the verdict of a monitor that does not see any more."""
    finding = Finding(
        what="monitor_blind",
        subject="monitor",
        severity=Status.UNHEALTHY,
        cause=f"the monitor has not looked around for {age_seconds:.0f} s",
        since=since,
        look_at="the log of the monitor; start it anew",
    )
    return Verdict.of([finding])
