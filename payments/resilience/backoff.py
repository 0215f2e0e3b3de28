"""How long to wait before the next attempt."""

from collections.abc import Callable
from random import random

import msgspec


class Backoff(msgspec.Struct, frozen=True, kw_only=True):
    """Exponential delays with equal jitter: half of the delay is certain, so that it is never 0 s.

    Source: the AWS Architecture Blog's "Exponential Backoff And Jitter" (equal jitter).
    """

    base_seconds: float
    cap_seconds: float
    factor: float = 2.0

    def delay_seconds(self, attempt: int, chance: Callable[[], float] = random) -> float:
        """Return the delay after the failed attempt number `attempt`, counted from 1; `chance` gives [0, 1)."""
        exponent = min(attempt - 1, 64)  # beyond the cap for any base, and still a float
        whole = min(self.cap_seconds, self.base_seconds * self.factor**exponent)
        return whole / 2 + chance() * whole / 2
