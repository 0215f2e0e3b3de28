"""Ctrl-C and SIGTERM to the supervisor."""

import signal
import threading
from queue import SimpleQueue
from types import FrameType, TracebackType
from typing import Any, Self

from workers.supervisor.supervisor import Supervisor

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopSignals:
    """While entered, the first signal requests a stop and a second one hurries it. Enter it in the main thread.

    A handler may interrupt the main thread anywhere, also within a lock, so it only writes to a queue that allows that;
    a thread acts on it.
    """

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._arrived: SimpleQueue[bool] = SimpleQueue()
        self._acting = threading.Thread(target=self._act, name="stop signals", daemon=True)
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        self._acting.start()
        self._before = {number: signal.signal(number, self._note) for number in _SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._arrived.put(False)
        self._acting.join()

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        self._arrived.put(True)

    def _act(self) -> None:
        if self._arrived.get():
            self._supervisor.request_stop()
        else:
            return
        while self._arrived.get():
            self._supervisor.hurry()
