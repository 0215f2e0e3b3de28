"""How fast dead letters go back: a token bucket in the ledger, so that what is counted is exactly what was sent.

A token is a stretch of time, 1 / `per_second` long. All time up to `spent_until` is used up; between it and now lie the
tokens, at most `burst` of them. The row is locked by whoever sends, so its clock is the database's and its order total.
"""

import math
from datetime import datetime, timedelta

import msgspec

from payments.ledger.database import Connection

_MOST = 1_000_000


class Pace(msgspec.Struct, frozen=True):
    """So many a second, of which `burst` may go at once after a quiet while. 0: as fast as it goes."""

    per_second: float
    burst: float

    def tokens(self, spent_until: datetime, now: datetime) -> int:
        """Return how many may go now."""
        if not self.per_second:
            return _MOST
        gathered = (now - spent_until).total_seconds() * self.per_second
        return max(0, math.floor(min(self.burst, gathered) + 1e-6))

    def spent(self, spent_until: datetime, now: datetime, count: int) -> datetime:
        """Return up to when time is used up once `count` have gone."""
        if not self.per_second:
            return now
        full = now - timedelta(seconds=self.burst / self.per_second)
        return max(spent_until, full) + timedelta(seconds=count / self.per_second)

    def wait_seconds(self, spent_until: datetime, now: datetime, count: int = 1) -> float:
        """Return in how long `count` tokens will be there."""
        if not self.per_second:
            return 0.0
        return max(0.0, count / self.per_second - (now - spent_until).total_seconds())


class Lane:
    """One name's pace, locked until the transaction ends."""

    def __init__(self, connection: Connection, name: str, pace: Pace, begins_full: bool = True) -> None:  # noqa: FBT001, FBT002
        quiet_seconds = pace.burst / pace.per_second if begins_full and pace.per_second else 0.0
        connection.execute(_BEGIN, {"name": name, "quiet_seconds": quiet_seconds})
        row = connection.execute(_LOCK, {"name": name}).fetchone()
        assert row is not None
        self._connection = connection
        self._name = name
        self._pace = pace
        self._spent_until: datetime
        self._now: datetime
        self._spent_until, self._now = row

    @property
    def tokens(self) -> int:
        """How many may go now."""
        return self._pace.tokens(self._spent_until, self._now)

    @property
    def wait_seconds(self) -> float:
        """In how long the next one may."""
        return self._pace.wait_seconds(self._spent_until, self._now)

    def spend(self, count: int) -> None:
        """Use up `count` tokens, with the transaction."""
        if count:
            self._spent_until = self._pace.spent(self._spent_until, self._now, count)
            self._connection.execute(_SPEND, {"name": self._name, "spent_until": self._spent_until})


_BEGIN = """
INSERT INTO replay_paces (name, spent_until)
VALUES (%(name)s, clock_timestamp() - make_interval(secs => %(quiet_seconds)s))
    ON CONFLICT (name) DO NOTHING
"""

_LOCK = """
SELECT spent_until, clock_timestamp()
  FROM replay_paces
 WHERE name = %(name)s
   FOR UPDATE
"""

_SPEND = """
UPDATE replay_paces
   SET spent_until = %(spent_until)s
 WHERE name = %(name)s
"""
