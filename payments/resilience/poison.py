"""What tells a poisonous record now and then from a producer that sends nothing but poison."""

from collections import deque
from collections.abc import Iterable

import msgspec


class PoisonPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """When records that are no payment events are an outage of whoever sends them.

    That is where more than `share` of the last `window` records are bad: 50 bad ones in 12,000 are buried and that is
    all, 10,000 in 12,000 are for a person to look at. A share of 1 is never passed. Then `probe_size` records are taken
    every `probe_seconds`, to see whether they are well again.
    """

    share: float = 0.2
    window: int = 500
    probe_seconds: float = 30.0
    probe_size: int = 50

    def is_passed_by(self, seen: "PoisonWindow") -> bool:
        """Say whether too many of those records are bad."""
        return seen.share > self.share


class PoisonWindow:
    """The last `size` records, in the order in which they were read, and how many of them are bad."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._outcomes: deque[bool] = deque()
        self.bad = 0

    @property
    def looked_at(self) -> int:
        """How many records it knows of, at most its size."""
        return len(self._outcomes)

    @property
    def room(self) -> int:
        """How many records it needs before it is full."""
        return self._size - len(self._outcomes)

    @property
    def share(self) -> float:
        """The share of bad ones; 0 of nothing."""
        return self.bad / len(self._outcomes) if self._outcomes else 0.0

    def add(self, outcomes: Iterable[bool]) -> None:
        """Note for each record whether it is bad, and let go of the oldest ones."""
        for is_bad in outcomes:
            self._outcomes.append(is_bad)
            self.bad += is_bad
            if len(self._outcomes) > self._size:
                self.bad -= self._outcomes.popleft()

    def clear(self) -> None:
        """Know nothing."""
        self._outcomes.clear()
        self.bad = 0
