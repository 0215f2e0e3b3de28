"""The window of a report, and the steps in which its trend is told."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

ORIGIN = datetime(2000, 1, 3, tzinfo=UTC)
"""Steps begin at whole multiples of their length from here: a Monday, so that weeks begin with it."""

_LENGTHS_SECONDS = (60, 300, 3600, 21_600, 86_400, 604_800)

_MOST_STEPS = 48
"""The finest length that needs no more steps than this is taken: an hour for a day."""

MOST_DAYS = 366
"""The longest window: over more than a year the single steps say nothing, and the counting takes long."""


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """From `since` on, and before `until`. Precondition: `since` is before `until`."""

    since: datetime
    until: datetime

    @property
    def seconds(self) -> float:
        """How long it is."""
        return (self.until - self.since).total_seconds()

    @property
    def middle(self) -> datetime:
        """Where its later half begins."""
        return self.since + (self.until - self.since) / 2

    @property
    def step(self) -> timedelta:
        """The length of a step."""
        fitting = (each for each in _LENGTHS_SECONDS if self.seconds <= each * _MOST_STEPS)
        return timedelta(seconds=next(fitting, _LENGTHS_SECONDS[-1]))

    def steps(self) -> Iterator[datetime]:
        """Yield the beginning of every step; that of the first may be before the window."""
        begin = self.since - (self.since - ORIGIN) % self.step
        while begin < self.until:
            yield begin
            begin += self.step

    def parameters(self) -> dict[str, Any]:
        """Return what statements name."""
        told = {name: getattr(self, name) for name in ("since", "until", "middle", "step")}
        return told | {"origin": ORIGIN}
