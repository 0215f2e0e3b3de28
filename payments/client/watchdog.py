"""Ends a call that has said nothing for too long."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

_LOOKS = 4  # in the time of the limit, so it is overstayed by a quarter at most


class Watchdog:
    """While entered, calls `bark` once somebody has been listening for longer than `limit_seconds`.

    Only the time spent listening counts: who takes long over a message is not kept from it.
    """

    def __init__(
        self, limit_seconds: float, bark: Callable[[], object], clock: Callable[[], float] = monotonic
    ) -> None:
        self._limit_seconds = limit_seconds
        self._bark = bark
        self._clock = clock
        self._since: float | None = None
        self._stop = threading.Event()
        self._looking = threading.Thread(target=self._look, name="silence", daemon=True)
        self.has_barked = False

    def start(self) -> None:
        """Begin to look."""
        self._looking.start()

    def stop(self) -> None:
        """End it. May be called again, and by any thread."""
        self._stop.set()

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Somebody waits for a message meanwhile."""
        self._since = self._clock()
        try:
            yield
        finally:
            self._since = None

    def _look(self) -> None:
        while not self._stop.wait(self._limit_seconds / _LOOKS):
            since = self._since
            if since is not None and self._clock() - since > self._limit_seconds:
                self.has_barked = True
                self._bark()
                return
