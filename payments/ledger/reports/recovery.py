"""What became of events that had failed: by being tried again, and by being replayed."""

import msgspec

from payments.ledger.database import Connection
from payments.ledger.reports.errors import FAILED, failed_parameters
from payments.ledger.reports.rows import rows_as
from payments.ledger.reports.window import Window


class Retried(msgspec.Struct, frozen=True, kw_only=True):
    """Events that had a failed attempt within the window, by what they are now. `took_effect`: settled or declined.

    `failure_type` is None for all of them together; an event that failed in two ways counts for both.
    """

    failure_type: str | None
    events: int
    took_effect: int
    superseded: int
    dead: int
    unfinished: int


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """Replays of dead letters: those sent within the window, and those that ended within it."""

    sent: int
    succeeded: int
    failed: int


class Time(msgspec.Struct, frozen=True, kw_only=True):
    """From the first failure of an event to its effect, of those that took effect within the window.

    In seconds; None where there is none.
    """

    events: int
    mean_seconds: float | None
    p50_seconds: float | None
    p95_seconds: float | None


def retried(connection: Connection, window: Window) -> tuple[Retried, ...]:
    """Return what became of events whose attempts failed within the window: all together, then by type."""
    return rows_as(Retried, connection, _RETRIED, failed_parameters(window))


def replayed(connection: Connection, window: Window) -> Replayed:
    """Return how replays fared within the window."""
    [found] = rows_as(Replayed, connection, _REPLAYED, window.parameters())
    return found


def time_to_effect(connection: Connection, window: Window) -> Time:
    """Return how long it took events that had failed to take effect all the same."""
    [found] = rows_as(Time, connection, _TIME, window.parameters())
    return found


_RETRIED = f"""{FAILED}
SELECT kind, count(DISTINCT id),
       count(DISTINCT id) FILTER (WHERE state IN ('settled', 'declined')),
       count(DISTINCT id) FILTER (WHERE state = 'superseded'),
       count(DISTINCT id) FILTER (WHERE state = 'dead'),
       count(DISTINCT id) FILTER (WHERE finished_at IS NULL)
  FROM failed
 WHERE id > 0
 GROUP BY GROUPING SETS ((kind), ())
 ORDER BY grouping(kind) DESC, count(DISTINCT id) DESC, kind
"""  # noqa: S608 - put together from constants

# An edit takes over the history of the letter that it replaces.
_REPLAYED = """
SELECT count(*) FILTER (WHERE line.mark IN ('sent', 'superseded')),
       count(*) FILTER (WHERE line.mark IN ('resolved', 'superseded')),
       count(*) FILTER (WHERE line.mark = 'failed')
  FROM dead_letters AS letter
 CROSS JOIN LATERAL jsonb_to_recordset(letter.replays) AS line (at TIMESTAMPTZ, mark TEXT)
 WHERE letter.replay_count > 0
   AND letter.replaced_by IS NULL
   AND line.at >= %(since)s
   AND line.at < %(until)s
"""

_TIME = """
SELECT count(*), round(avg(seconds)::NUMERIC, 3)::FLOAT8,
       round((percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds))::NUMERIC, 3)::FLOAT8,
       round((percentile_cont(0.95) WITHIN GROUP (ORDER BY seconds))::NUMERIC, 3)::FLOAT8
  FROM (SELECT extract(epoch FROM finished_at - (failures -> 0 ->> 'at')::TIMESTAMPTZ)::FLOAT8 AS seconds
          FROM inbox
         WHERE failures <> '[]'
           AND state IN ('settled', 'declined')
           AND finished_at >= %(since)s
           AND finished_at < %(until)s) AS taken
"""
