"""Dead letters of a report: those that are open now, and those that came and went within the window."""

from datetime import datetime

import msgspec

from payments.ledger.database import Connection
from payments.ledger.reports.rows import rows_as
from payments.ledger.reports.window import Window

MOST_GROUPS = 10
"""So many groups of letters are told one by one."""


class OpenLetters(msgspec.Struct, frozen=True, kw_only=True):
    """Letters that are pending, replaying or parked now. `parked_since` is when the oldest parked one failed last."""

    number: int
    critical: int
    by_state: dict[str, int]
    by_reason: dict[str, int]
    oldest_failed_at: datetime | None
    parked_since: datetime | None


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Letters with the same fingerprint that came in within the window, and how many of them are open now."""

    fingerprint: str
    reason: str
    failure_type: str
    category: str
    service: str
    letters: int
    open: int


class Letters(msgspec.Struct, frozen=True, kw_only=True):
    """Dead letters. `came_in`, by reason, and `went_out`, by resolution, are those of the window.

    A letter is counted as it is now. Letters that are in the archive are not counted.
    """

    open: OpenLetters
    came_in: dict[str, int]
    went_out: dict[str, int]
    groups: tuple[Group, ...]


def letters(connection: Connection, window: Window) -> Letters:
    """Return the dead letters that are open, and those of the window."""
    told = window.parameters()
    return Letters(
        open=_open(connection),
        came_in=dict(connection.execute(_CAME_IN, told).fetchall()),
        went_out=dict(connection.execute(_WENT_OUT, told).fetchall()),
        groups=rows_as(Group, connection, _GROUPS, told | {"most": MOST_GROUPS}),
    )


def _open(connection: Connection) -> OpenLetters:
    row = connection.execute(_OPEN).fetchone()
    assert row is not None
    number, critical, oldest_failed_at, parked_since = row
    return OpenLetters(
        number=number,
        critical=critical,
        by_state=dict(connection.execute(_OPEN_BY_STATE).fetchall()),
        by_reason=dict(connection.execute(_OPEN_BY_REASON).fetchall()),
        oldest_failed_at=oldest_failed_at,
        parked_since=parked_since,
    )


_OPEN = """
SELECT count(*), count(*) FILTER (WHERE criticality <> 'normal'), min(first_failed_at),
       min(last_failed_at) FILTER (WHERE state = 'parked')
  FROM dead_letters
 WHERE state IN ('pending', 'replaying', 'parked')
"""

_OPEN_BY_STATE = """
SELECT state::TEXT, count(*)
  FROM dead_letters
 WHERE state IN ('pending', 'replaying', 'parked')
 GROUP BY state
 ORDER BY state
"""

_OPEN_BY_REASON = """
SELECT reason, count(*)
  FROM dead_letters
 WHERE state IN ('pending', 'replaying', 'parked')
 GROUP BY reason
 ORDER BY count(*) DESC, reason
"""

# An edit is no new failure: it takes the place of its letter.
_CAME_IN = """
SELECT reason, count(*)
  FROM dead_letters
 WHERE created_at >= %(since)s
   AND created_at < %(until)s
   AND origin <> 'edit'
 GROUP BY reason
 ORDER BY count(*) DESC, reason
"""

_WENT_OUT = """
SELECT coalesce(resolution, state::TEXT), count(*)
  FROM dead_letters
 WHERE ended_at >= %(since)s
   AND ended_at < %(until)s
   AND resolution IS DISTINCT FROM 'replaced'
 GROUP BY 1
 ORDER BY count(*) DESC, 1
"""

_GROUPS = """
SELECT fingerprint, reason, failure_type, category, service, count(*),
       count(*) FILTER (WHERE state IN ('pending', 'replaying', 'parked'))
  FROM dead_letters
 WHERE created_at >= %(since)s
   AND created_at < %(until)s
   AND origin <> 'edit'
 GROUP BY fingerprint, reason, failure_type, category, service
 ORDER BY count(*) DESC, fingerprint
 LIMIT %(most)s
"""
