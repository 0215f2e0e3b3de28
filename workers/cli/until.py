"""When a command that goes on by itself ends: after some time, or when somebody says so."""

import signal
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from types import FrameType
from typing import Any, Self

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Until:
    """While entered, calls `close` once `seconds` have passed (None: never), or at Ctrl-C or SIGTERM.

    A second signal is not held up. Enter it in the main thread. A handler may interrupt that thread anywhere, also
    within a lock, so it only writes to a queue that allows that; a thread acts on it.
    """

    def __init__(self, seconds: float | None, close: Callable[[], object]) -> None:
        self._seconds = seconds
        self._close = close
        self._arrived: SimpleQueue[bool] = SimpleQueue()
        self._acting = threading.Thread(target=self._act, name="until", daemon=True)
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._note) for number in _SIGNALS}
        self._acting.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._restore()
        self._arrived.put(False)
        self._acting.join()

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        self._restore()
        self._arrived.put(True)

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _act(self) -> None:
        try:
            is_told = self._arrived.get(timeout=self._seconds)
        except Empty:
            is_told = True
        if is_told:
            self._close()
