"""How long to wait before the next attempt."""

from collections.abc import Callable
from enum import StrEnum
from itertools import accumulate, repeat
from random import random

import msgspec


class Shape(StrEnum):
    """How delays grow from one attempt to the next."""

    EXPONENTIAL = "exponential"
    LINEAR = "linear"
    FIBONACCI = "fibonacci"


class Backoff(msgspec.Struct, frozen=True, kw_only=True):
    """Delays that grow up to a cap, each with a random part that keeps a crowd from coming back at once.

    `jitter` is the share of a delay that is left to chance. It is below 1, so a delay is never 0 s: with 0.5, half of
    it is certain (the AWS Architecture Blog's "Exponential Backoff And Jitter" calls that equal jitter).
    """

    base_seconds: float
    cap_seconds: float
    factor: float = 2.0
    shape: Shape = Shape.EXPONENTIAL
    jitter: float = 0.5

    def delay_seconds(self, attempt: int, chance: Callable[[], float] = random) -> float:
        """Return the delay after the failed attempt number `attempt`, counted from 1; `chance` gives [0, 1)."""
        whole = min(self.cap_seconds, self.base_seconds * self._growth(attempt))
        return whole * (1 - self.jitter) + chance() * whole * self.jitter

    def _growth(self, attempt: int) -> float:
        match self.shape:
            case Shape.EXPONENTIAL:
                return self.factor ** (min(attempt, _MOST) - 1)
            case Shape.LINEAR:
                return float(attempt)
            case Shape.FIBONACCI:
                return float(_FIBONACCI[min(attempt, _MOST) - 1])


_MOST = 64  # by then what grows by shares of itself is beyond any cap that makes sense, and still a float

_FIBONACCI = [
    first for first, _ in accumulate(repeat(None, _MOST), lambda pair, _: (pair[1], sum(pair)), initial=(1, 2))
]
"""1, 2, 3, 5, 8, …"""
