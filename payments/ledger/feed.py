"""The feed: every booked change of a payment, in an order in which nothing can appear behind a reader.

Rows are read in the order of their transactions, and only those older than every transaction still under way. A
transaction that takes long, in any database of the same server, holds the feed back for as long; it loses nothing.

A position names a change that was booked, never how far nothing more can come: after a crash PostgreSQL gives out again
the numbers of transactions that had ended without a commit, and a reader beyond them would miss what they write.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from payments.ledger.database import Connection, Database
from payments.ledger.views import view_of
from payments.view import PaymentView


class Position(msgspec.Struct, frozen=True, order=True):
    """A place in the feed: after the change `number` of transaction `txid`."""

    txid: int
    number: int = 0

    @property
    def next_txid(self) -> int:
        """The first transaction of which nothing stands before it."""
        return self.txid + 1 if self.number else self.txid


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """That a payment is as `view` says, since an event had its `ending`; and where in the feed that stands."""

    position: Position
    view: PaymentView
    event_id: str
    kind: str
    ending: str
    occurred_at: datetime
    decline_kind: str | None
    decline_code: str | None


class Stretch(msgspec.Struct, frozen=True):
    """Some changes, and how far the feed is read with them: up to the last one, or where there is none, no further."""

    changes: tuple[Change, ...]
    reached: Position


class Purged(msgspec.Struct, frozen=True):
    """What stood there is no longer kept, or the server has never had it: it took over from one that was ahead."""


class Feed:
    """Reading the feed, and purging it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def epoch(self) -> str:
        """Return the name of this numbering: a position is good for as long as it stays."""
        row = self._database.row(_EPOCH)
        assert row is not None
        return str(row[0])

    def end(self) -> Position:
        """Return the position after everything that can be read now."""
        row = self._database.row(_END)
        return Position(int(row[0]), row[1]) if row else Position(0)

    def after(self, position: Position, limit: int) -> Stretch | Purged:
        """Return the changes after `position`, at most `limit`."""
        told = {"txid": str(position.txid), "number": position.number, "limit": limit}
        rows = self._database.rows(_AFTER, told)
        edge_txid, purged = int(rows[0][0]), Position(int(rows[0][1]), rows[0][2])
        if not purged <= position < Position(edge_txid):
            return Purged()
        changes = tuple(_change(row[3:]) for row in rows if row[3] is not None)
        return Stretch(changes, changes[-1].position if changes else position)

    def purge(self, retention_seconds: float, limit: int) -> int:
        """Forget the oldest changes that are older than that, at most `limit`, and return how many."""
        row = self._database.row(_PURGE, {"seconds": retention_seconds, "limit": limit})
        assert row is not None
        return int(row[0])


def renumber_if_restored(connection: Connection) -> bool:
    """Begin the numbering anew where transactions lie in the future: the tables came from another server.

    Cursors from before are then good no longer, and say so. Returns whether that was needed.
    """
    with connection.transaction():
        row = connection.execute(_FROM_THE_FUTURE).fetchone()
        if not (row and row[0]):
            return False
        for statement in _RENUMBER:
            connection.execute(statement)
    return True


def _change(row: Sequence[Any]) -> Change:
    return Change(
        position=Position(int(row[0]), row[1]),
        event_id=row[2],
        kind=row[3],
        ending=row[4],
        occurred_at=row[5],
        decline_kind=row[6],
        decline_code=row[7],
        view=view_of(row[8:]),
    )


_EPOCH = """
WITH begun AS (
    INSERT INTO feed_epochs DEFAULT VALUES
        ON CONFLICT DO NOTHING
    RETURNING id
)
SELECT id FROM begun
 UNION ALL
SELECT id FROM feed_epochs
 LIMIT 1
"""

_END = """
SELECT place.txid::TEXT, place.id
  FROM ((SELECT txid, id
           FROM payment_events
          WHERE txid < pg_snapshot_xmin(pg_current_snapshot())
          ORDER BY txid DESC, id DESC
          LIMIT 1)
         UNION ALL
         SELECT purged_txid, purged_id
           FROM feed_epochs) AS place
 ORDER BY place.txid DESC, place.id DESC
 LIMIT 1
"""

_AFTER = """
WITH edge AS (
    SELECT pg_snapshot_xmin(pg_current_snapshot()) AS txid
)
SELECT edge.txid::TEXT, coalesce(feed_epochs.purged_txid::TEXT, '0'), coalesce(feed_epochs.purged_id, 0), change.*
  FROM edge
  LEFT JOIN feed_epochs ON true
  LEFT JOIN LATERAL (
       SELECT event.txid::TEXT, event.id, event.event_id, event.kind, event.ending, event.occurred_at,
              event.decline_kind, event.decline_code,
              event.ordering_key, event.provider, event.payment_id, event.status, event.currency,
              event.amount_minor, event.captured_minor, event.refunded_minor,
              event.created_at, event.settled_at, event.revision, event.customer_reference, payments.customer_email
         FROM payment_events AS event
         LEFT JOIN payments USING (ordering_key)
        WHERE (event.txid, event.id) > (%(txid)s::xid8, %(number)s)
          AND event.txid < edge.txid
        ORDER BY event.txid, event.id
        LIMIT %(limit)s) AS change ON true
"""

# What nobody can read yet stays, however old it is.
_PURGE = """
WITH old AS (
    SELECT txid, id
      FROM (SELECT txid, id, settled_at FROM payment_events ORDER BY txid, id LIMIT %(limit)s) AS oldest
     WHERE settled_at < now() - make_interval(secs => %(seconds)s)
       AND txid < pg_snapshot_xmin(pg_current_snapshot())
), gone AS (
    DELETE FROM payment_events
     USING old
     WHERE (payment_events.txid, payment_events.id) = (old.txid, old.id)
    RETURNING payment_events.txid, payment_events.id
), noted AS (
    INSERT INTO feed_epochs (purged_txid, purged_id)
    SELECT txid, id
      FROM gone
     ORDER BY txid DESC, id DESC
     LIMIT 1
        ON CONFLICT ((true)) DO UPDATE
       SET purged_txid = excluded.purged_txid,
           purged_id = excluded.purged_id
     WHERE (excluded.purged_txid, excluded.purged_id) > (feed_epochs.purged_txid, feed_epochs.purged_id)
)
SELECT count(*) FROM gone
"""

_FROM_THE_FUTURE = """
SELECT EXISTS (SELECT FROM payment_events WHERE txid >= pg_snapshot_xmax(pg_current_snapshot()))
    OR EXISTS (SELECT FROM payments WHERE changed_by >= pg_snapshot_xmax(pg_current_snapshot()))
"""

# What was is older than every transaction of this server. Its rows keep the order of their numbers, which is that of
# each payment, and nobody has a cursor any more that stood between two of them.
_RENUMBER = (
    "UPDATE payment_events SET txid = '1' WHERE txid <> '1'",
    "UPDATE payments SET changed_by = pg_current_xact_id() WHERE changed_by <> '0'",
    "UPDATE feed_epochs SET id = gen_random_uuid(), purged_txid = '0', purged_id = 0",
)
