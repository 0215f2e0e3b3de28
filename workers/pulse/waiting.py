"""What a loop waits for. A server that takes a call and does not answer is away, and who waits for it is not stuck."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

_LONG_SECONDS = 5.0
"""A call that has lasted for so long waits for a server that is away."""


class Waiting:
    """Notes which server a loop waits for, and since when. One thread waits; any may ask."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._now: tuple[str, float] | None = None

    @contextmanager
    def on(self, trouble: str) -> Iterator[None]:
        """Return a context in which a server is asked; `trouble` is what it is if there is no answer."""
        self._now = trouble, self._clock()
        try:
            yield
        finally:
            self._now = None

    @property
    def troubles(self) -> frozenset[str]:
        """What is waited for in vain, if anything is."""
        now = self._now
        return frozenset({now[0]} if now is not None and self._clock() - now[1] > _LONG_SECONDS else ())
