"""Alarms: what becomes of a critical event besides its line in the log."""

import atexit
import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import Protocol

from payments.borders.celery import failure_of_celery
from payments.log_events import Tell

_FLUSH_SECONDS = 2.0
"""What the end of a process waits at most; a supervisor that has asked it to stop waits too."""


class Outlet(Protocol):
    """Where alarms go. It sends from a thread of its own."""

    def send(self, name: str, meaning: str, fields: Mapping[str, object]) -> None:
        """Take one alarm."""

    def flush(self, seconds: float) -> None:
        """Wait until all that was taken is sent, at most so long."""


class Alarms:
    """Hands critical events to an outlet of this process, which `connect` makes at its first alarm: after the fork.

    An outlet that fails, or cannot be made, is told as `alarm_unsent` and disturbs nobody.
    """

    def __init__(self, connect: Callable[[], Outlet], tell: Tell) -> None:
        self._connect = connect
        self._tell = tell
        self._outlets: dict[int, Outlet] = {}
        self._making = threading.Lock()

    def sound(self, name: str, meaning: str, fields: Mapping[str, object]) -> None:
        """Hand over the event `name` with its fields. Raises nothing but a task's time limit that comes just now."""
        try:
            self._outlet().send(name, meaning, fields)
        except Exception as error:
            if failure_of_celery(error):
                raise
            self._tell("alarm_unsent", reason=type(error).__name__)

    def flush(self, seconds: float) -> None:
        """Wait until what this process has handed over is sent, at most so long."""
        if outlet := self._outlets.get(os.getpid()):
            outlet.flush(seconds)

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
