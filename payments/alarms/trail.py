"""What went before an alarm in its process: the last changes of its breakers."""

import time
from collections import deque
from collections.abc import Mapping

import msgspec

_MOST_KEPT = 20


class Crumb(msgspec.Struct, frozen=True, kw_only=True):
    """One event of the trail, at `told_at` seconds since 1970."""

    told_at: float
    name: str
    level: str
    fields: Mapping[str, object]


class Trail:
    """Keeps the last twenty, for all threads of a process."""

    def __init__(self) -> None:
        self._crumbs: deque[Crumb] = deque(maxlen=_MOST_KEPT)

    def add(self, name: str, level: str, fields: Mapping[str, object]) -> None:
        """Take the newest."""
        self._crumbs.append(Crumb(told_at=time.time(), name=name, level=level, fields=fields))

    def crumbs(self) -> list[Crumb]:
        """Return them, the oldest first."""
        return list(self._crumbs)


TRAIL = Trail()
"""This process' own. The child of a pool begins with what its parent has seen, which is nothing: only children work."""
