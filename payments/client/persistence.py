"""How a watch comes back after its stream broke, and when it gives up."""

from collections.abc import Callable
from random import random

import msgspec

_MOST_DOUBLINGS = 64  # by then the delay is beyond any cap that makes sense, and still a float


class Reconnect(msgspec.Struct, frozen=True, kw_only=True):
    """Delays that double up to a cap, and after how many failures in a row to give up; 0: never.

    Half of a delay is chance, so that the subscribers of a server that died do not come back all at once (the AWS
    Architecture Blog's "Exponential Backoff And Jitter" calls that equal jitter), and none of them at once either.
    """

    base_seconds: float = 0.5
    cap_seconds: float = 30.0
    most_in_a_row: int = 10

    def delay_seconds(self, failures_in_a_row: int, chance: Callable[[], float] = random) -> float:
        """Return the delay after so many failures, counted from 1; `chance` gives [0, 1)."""
        whole = min(self.cap_seconds, self.base_seconds * 2.0 ** min(failures_in_a_row - 1, _MOST_DOUBLINGS))
        return whole / 2 + chance() * whole / 2

    def gives_up_after(self, failures_in_a_row: int) -> bool:
        """Return whether one failure more is one too many."""
        return 0 < self.most_in_a_row < failures_in_a_row


class Persistence:
    """How many streams in a row have failed.

    Data begins the count anew. A sign of life does only where the same stream had given one before: it has then lived
    for as long as a heartbeat takes, so a quiet stream is not given up over the years, and a server that greets
    everybody and dies at once is.
    """

    def __init__(self, policy: Reconnect) -> None:
        self._policy = policy
        self._failures = 0
        self._heard = 0

    @property
    def failures(self) -> int:
        """How many have failed since the last one that went well."""
        return self._failures

    def begin(self) -> None:
        """Note that a new stream is asked for."""
        self._heard = 0

    def hear(self, *, has_data: bool) -> bool:
        """Note a message, and return whether it is the first one of its stream."""
        self._heard += 1
        if has_data or self._heard > 1:
            self._failures = 0
        return self._heard == 1

    def fail(self, asked_seconds: float | None, chance: Callable[[], float] = random) -> float | None:
        """Note a failure; return the delay before the next stream, or None where this was one too many.

        `asked_seconds` is the pause that the server asks for. It is kept, and the usual delay comes after it, since it
        has told the same to all.
        """
        self._failures += 1
        if self._policy.gives_up_after(self._failures):
            return None
        return (asked_seconds or 0.0) + self._policy.delay_seconds(self._failures, chance)
