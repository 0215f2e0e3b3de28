"""How many alarms of one kind a person is told of, so that a storm of them is one matter and not thousands."""

from typing import Generic, TypeVar

import msgspec

Kind = tuple[str, ...]
Item = TypeVar("Item")


class DampingPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Of each kind `burst` at once, and after them one in `every_seconds`.

    From `most_kinds` on, whatever is new counts as one kind together with all that is new.
    """

    burst: int = 5
    every_seconds: float = 60.0
    most_kinds: int = 100


DAMPING = DampingPolicy()


class Damper(Generic[Item]):
    """Decides for one process, without a lock of its own. Time is an argument: seconds on a clock that only goes on."""

    def __init__(self, policy: DampingPolicy) -> None:
        self._policy = policy
        self._tallies: dict[Kind, _Tally[Item]] = {}

    def admit(self, kind: Kind, item: Item, now: float) -> int | None:
        """Return None where `item` is to be left out, otherwise how many of its kind were since the last one."""
        tally = self._tally(kind, now)
        tally.refill(now, self._policy)
        if tally.leave < 1.0:
            tally.left_out += 1
            tally.latest = item
            return None
        tally.leave -= 1.0
        left_out, tally.left_out, tally.latest = tally.left_out, 0, None
        return left_out

    def left_out(self) -> list[tuple[Item, int]]:
        """Return the latest of each kind that was left out, with how many before it were, and begin to count anew."""
        busy = [tally for tally in self._tallies.values() if tally.left_out]
        told = [(tally.latest, tally.left_out - 1) for tally in busy]
        for tally in busy:
            tally.left_out, tally.latest = 0, None
        return [(item, before) for item, before in told if item is not None]

    def _tally(self, kind: Kind, now: float) -> "_Tally[Item]":
        if kind not in self._tallies and len(self._tallies) >= self._policy.most_kinds:
            self._forget_the_quiet(now)
            if len(self._tallies) >= self._policy.most_kinds:
                kind = _OTHERS
        return self._tallies.setdefault(kind, _Tally(self._policy.burst, now))

    def _forget_the_quiet(self, now: float) -> None:
        """Forget the kinds of which nothing is left to tell, and which would have all their leave again."""
        for tally in self._tallies.values():
            tally.refill(now, self._policy)
        quiet = [k for k, each in self._tallies.items() if not each.left_out and each.leave >= self._policy.burst]
        for kind in quiet:
            del self._tallies[kind]


class _Tally(Generic[Item]):
    """What is known of one kind: how many may be told of, as of which moment, how many were left out, and the last."""

    def __init__(self, leave: float, at: float) -> None:
        self.leave = leave
        self.at = at
        self.left_out = 0
        self.latest: Item | None = None

    def refill(self, now: float, policy: DampingPolicy) -> None:
        self.leave = min(policy.burst, self.leave + (now - self.at) / policy.every_seconds)
        self.at = now


_OTHERS: Kind = ("others",)
