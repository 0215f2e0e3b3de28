"""Lanes: the outbox in sixteen parts. A key has one lane and a lane one relay, so the order of each key holds."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from payments.ledger.database import Connection, Database

LANES = 16
"""As many as migration 0005 has made. More relays than that stand by."""

ALL_LANES = range(LANES)

_LOOK_SECONDS = 1.0


class Lanes:
    """The lanes of one outbox, shared by all relays."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @contextmanager
    def shared(self) -> Iterator["Share"]:
        """Be one of the relays until the block ends, with a share of the lanes.

        Locks of a session hold it: they end with the connection, so a relay that is killed gives its lanes up at once,
        and one that is frozen after a minute, by when its producer has given up what it had in hand. Raises
        DatabaseAway.
        """
        with self._database.connection(shielded=False) as connection:
            connection.execute("SET idle_session_timeout = '60s'")
            connection.execute(_BE_THERE, _KEYS)
            try:
                yield Share(connection)
            finally:
                if not connection.broken:
                    connection.execute("RESET idle_session_timeout")
                    connection.execute("SELECT pg_advisory_unlock_all()")


class Share:
    """The lanes that one relay holds. They must be empty-handed when it is asked: nothing of them may be in flight."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._held: set[int] = set()
        self._looked_at = float("-inf")

    def lanes(self, now: float) -> list[int]:
        """Return the lanes that are ours, still. About once a second it takes or gives back some, to hold a fair share.

        `now` is any clock that does not go back. Once the connection is gone, and the lanes with it, the block of
        `shared` ends here, with DatabaseAway.
        """
        if now - self._looked_at >= _LOOK_SECONDS:
            self._looked_at = now
            self._even_out()
        else:
            self._connection.execute("SELECT 1")
        return sorted(self._held)

    def _even_out(self) -> None:
        row = self._connection.execute(_LOOK, _KEYS).fetchone()
        assert row is not None
        relays, before_us, taken = row
        share = share_of(relays, before_us)
        if len(self._held) > share:
            self._give_back(sorted(self._held)[share:])
        elif len(self._held) < share:
            free = [lane for lane in ALL_LANES if lane not in taken]
            self._take(free[: share - len(self._held)])

    def _take(self, lanes: Iterable[int]) -> None:
        """Take those of the lanes that nobody else has taken meanwhile."""
        rows = self._connection.execute(_TAKE, _KEYS | {"lanes": list(lanes)}).fetchall()
        self._held.update(lane for lane, is_taken in rows if is_taken)

    def _give_back(self, lanes: Iterable[int]) -> None:
        given = list(lanes)
        self._connection.execute(_GIVE_BACK, _KEYS | {"lanes": given})
        self._held.difference_update(given)


def share_of(relays: int, before_us: int) -> int:
    """Return how many lanes are the share of the relay that has `before_us` others before it: all shares sum to 16."""
    return LANES // relays + (before_us < LANES % relays)


_KEYS = {"outbox": 721_730_931, "presence": LANES}
"""Advisory locks have two numbers: ours, the same for all relays, and the lane; the one after the lanes is presence."""

_BE_THERE = "SELECT pg_advisory_lock_shared(%(outbox)s::INTEGER, %(presence)s::INTEGER)"

# Relays are ordered by the number of their session, which all of them see alike.
_LOOK = """
SELECT count(*) FILTER (WHERE objid = %(presence)s),
       count(*) FILTER (WHERE objid = %(presence)s AND pid < pg_backend_pid()),
       coalesce(array_agg(objid::INTEGER) FILTER (WHERE objid <> %(presence)s), '{}')
  FROM pg_locks
 WHERE locktype = 'advisory'
   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
   AND classid = %(outbox)s
   AND objsubid = 2
   AND granted
"""

_TAKE = """
SELECT lane, pg_try_advisory_lock(%(outbox)s::INTEGER, lane)
  FROM unnest(%(lanes)s::INTEGER[]) AS wanted (lane)
"""

_GIVE_BACK = """
SELECT pg_advisory_unlock(%(outbox)s::INTEGER, lane)
  FROM unnest(%(lanes)s::INTEGER[]) AS surplus (lane)
"""
