"""Alarms: what becomes of an event that a person should see, besides its line in the log."""

import atexit
import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec

from payments.alarms.damper import DAMPING, Damper, DampingPolicy
from payments.alarms.notice import CRITICAL, Notice
from payments.alarms.trail import TRAIL, Trail
from payments.borders.celery import failure_of_celery
from payments.log_events import LOG_EVENTS, Tell

_FLUSH_SECONDS = 2.0
"""What the end of a process waits at most; a supervisor that has asked it to stop waits too."""


class Outlet(Protocol):
    """Where alarms go. It sends from a thread of its own."""

    def send(self, notice: Notice) -> None:
        """Take one alarm."""

    def flush(self, seconds: float) -> None:
        """Wait until all that was taken is sent, at most so long."""


class Alarms:
    """Hands alarms to an outlet of this process, which `connect` makes at the first one: after the fork.

    Every critical event is handed over. Of errors of one kind a few are, then one a minute, which says how many were
    left out. An outlet that fails, or cannot be made, is told as `alarm_unsent` and disturbs nobody.
    """

    def __init__(
        self,
        connect: Callable[[], Outlet],
        tell: Tell,
        *,
        trail: Trail = TRAIL,
        damping: DampingPolicy = DAMPING,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connect = connect
        self._tell = tell
        self._trail = trail
        self._clock = clock
        self._damper: Damper[Notice] = Damper(damping)
        self._damping = threading.Lock()
        self._outlets: dict[int, Outlet] = {}
        self._making = threading.Lock()

    def sound(self, name: str, meaning: str, fields: Mapping[str, object]) -> None:
        """Take the event `name`. Raises nothing but a task's time limit that comes just now."""
        event = LOG_EVENTS[name]
        if event.is_trail:
            self._trail.add(name, event.level, fields)
        notice = Notice(name=name, level=event.level, meaning=meaning, fields=fields)
        if event.is_alarm and not notice.is_told_otherwise:
            damped = notice if event.level == CRITICAL else self._damped(notice)
            if damped is not None:
                self._hand_over(damped)

    def flush(self, seconds: float) -> None:
        """Tell how many were left out, and wait until all is sent, at most so long."""
        if outlet := self._outlets.get(os.getpid()):
            for notice in self._left_out():
                self._hand_over(notice)
            outlet.flush(seconds)

    def _damped(self, notice: Notice) -> Notice | None:
        with self._damping:
            left_out = self._damper.admit(notice.kind, notice, self._clock())
        return None if left_out is None else msgspec.structs.replace(notice, left_out=left_out)

    def _left_out(self) -> list[Notice]:
        """Return the latest of each kind that was left out; it stands for those before it."""
        with self._damping:
            told = self._damper.left_out()
        return [msgspec.structs.replace(notice, left_out=before) for notice, before in told]

    def _hand_over(self, notice: Notice) -> None:
        try:
            self._outlet().send(notice)
        except Exception as error:
            if failure_of_celery(error):
                raise
            self._tell("alarm_unsent", reason=type(error).__name__)

    def _outlet(self) -> Outlet:
        pid = os.getpid()
        with self._making:
            if pid not in self._outlets:
                self._outlets = {pid: self._connect()}  # what a parent made before the fork is not ours to use
                if not _in_use:
                    atexit.register(flush_alarms)
                _in_use.add(self)
        return self._outlets[pid]


_in_use: set[Alarms] = set()


def flush_alarms() -> None:
    """Wait until the alarms of this process are sent, for at most two seconds.

    An interpreter does so at its end; the child of a pool ends without that, and must be told to.
    """
    deadline = time.monotonic() + _FLUSH_SECONDS
    for alarms in list(_in_use):
        alarms.flush(max(0.0, deadline - time.monotonic()))
