"""What is unfinished now, and what it has waited for."""

import msgspec

from payments.ledger.census import OLDEST_DUE
from payments.ledger.database import Connection
from payments.ledger.reports.rows import rows_as
from payments.ledger.reports.window import Window


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What is unfinished now. Of nothing, the age is 0."""

    unfinished: dict[str, int]
    """Events by state."""
    oldest_due_seconds: float
    """For how long the longest overdue event has been due."""
    outbox: int
    """Messages that wait to be sent."""
    oldest_outbox_seconds: float
    """The age of the oldest of them."""


class Wait(msgspec.Struct, frozen=True, kw_only=True):
    """Events that were put off for no fault of their own, by what for, and for how long in all.

    `kind` is the type of the failure that put them off: `circuit_open`, `rate_exceeded` (our limit), `budget_spent`, or
    `rate_limited` (the provider's, whatever code it gave). Of each event its last cause is known, and the sum of its
    waits since it was begun, or begun anew.
    """

    kind: str
    events: int
    seconds: float


def standing(connection: Connection) -> Standing:
    """Return what is unfinished now."""
    due = connection.execute(OLDEST_DUE).fetchone()
    outbox = connection.execute(_OUTBOX).fetchone()
    assert due is not None
    assert outbox is not None
    return Standing(
        unfinished=dict(connection.execute(_UNFINISHED).fetchall()),
        oldest_due_seconds=round(due[0], 3),
        outbox=outbox[0],
        oldest_outbox_seconds=round(outbox[1], 3),
    )


def waits(connection: Connection, window: Window) -> tuple[Wait, ...]:
    """Return what those events waited for that ended within the window, or are unfinished."""
    return rows_as(Wait, connection, _WAITS, window.parameters())


_UNFINISHED = """
SELECT state::TEXT, count(*)
  FROM inbox
 WHERE state IN ('received', 'processing', 'retrying', 'waiting', 'verifying')
 GROUP BY state
 ORDER BY state
"""

_OUTBOX = """
SELECT count(*), coalesce(extract(epoch FROM now() - min(created_at)), 0)::FLOAT8
  FROM outbox
 WHERE refused IS NULL
"""

_WAITS = """
SELECT CASE WHEN waiting_for IN ('circuit_open', 'rate_exceeded', 'budget_spent') THEN waiting_for
            ELSE 'rate_limited' END,
       count(*), round(extract(epoch FROM sum(waited)), 3)::FLOAT8
  FROM inbox
 WHERE waited > '0'
   AND received_at < %(until)s
   AND (finished_at IS NULL OR (finished_at >= %(since)s AND finished_at < %(until)s))
 GROUP BY 1
 ORDER BY 3 DESC, 1
"""
