"""What failed within the window: every failed attempt that the histories of events and records tell of."""

from datetime import datetime

import msgspec

from payments.failures import Unknown, category_of, kinds
from payments.ledger.database import Connection
from payments.ledger.reports.rows import rows_as
from payments.ledger.reports.window import Window

MOST_KINDS = 15
"""So many kinds of error are told one by one; the others as one sum."""


class Category(msgspec.Struct, frozen=True, kw_only=True):
    """How many attempts failed in a way of this branch of the tree, and of how many events and records."""

    category: str
    errors: int
    events: int


class OfType(msgspec.Struct, frozen=True, kw_only=True):
    """How many attempts failed in a way of this type at one service, and of how many events and records."""

    failure_type: str
    category: str
    service: str
    errors: int
    events: int


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """Errors of one type, code and place. `message` is that of the latest: words of ours."""

    failure_type: str
    category: str
    code: str
    service: str
    operation: str
    errors: int
    events: int
    first_seen_at: datetime
    last_seen_at: datetime
    message: str


class Seen(msgspec.Struct, frozen=True):
    """How many attempts failed within one step. `is_later`: in the later half of the window."""

    begins_at: datetime
    is_later: bool
    number: int


class Errors(msgspec.Struct, frozen=True, kw_only=True):
    """All that failed: how many attempts, of how many payment events, which did or did not end within the window.

    What failed as a record, before it was an event, or as a message on its way out, counts as an error only.
    """

    errors: int
    events: int
    unended_events: int
    by_category: tuple[Category, ...]
    by_type: tuple[OfType, ...]
    kinds: tuple[Kind, ...]
    by_step: tuple[Seen, ...]


def errors(connection: Connection, window: Window) -> Errors:
    """Return what failed within the window."""
    told = failed_parameters(window)
    whole = connection.execute(_WHOLE, told).fetchone()
    assert whole is not None
    return Errors(
        errors=whole[0],
        events=whole[1],
        unended_events=whole[2],
        by_category=rows_as(Category, connection, _BY_CATEGORY, told),
        by_type=rows_as(OfType, connection, _BY_TYPE, told),
        kinds=rows_as(Kind, connection, _KINDS, told | {"most": MOST_KINDS}),
        by_step=rows_as(Seen, connection, _BY_STEP, told),
    )


def failed_parameters(window: Window) -> dict[str, object]:
    """Return what a statement names that begins with FAILED."""
    tree = {name: category_of(kind) for name, kind in kinds().items()}
    return window.parameters() | {"tree_kinds": list(tree), "tree_categories": list(tree.values())}


# Every failed attempt within the window, a line each. A row with a failure in the window has not ended before it, which
# spares the reading of most histories. Records that could not be taken in, and messages that were refused on their way
# out, are told by their letters, with negative numbers, so that they are nobody else's. A record that has become an
# event since tells its later failures there. A line of the kind `permanent` is no attempt: it says that a saga has
# taken back what was done, after the failure of another line.
FAILED = f"""
WITH told AS (
    SELECT row.id, row.ordering_key, row.state::TEXT AS state, row.finished_at, line.*
      FROM inbox AS row
     CROSS JOIN LATERAL jsonb_to_recordset(row.failures)
        AS line (at TIMESTAMPTZ, kind TEXT, code TEXT, service TEXT, operation TEXT, message TEXT)
     WHERE row.failures <> '[]'
       AND (row.finished_at IS NULL OR row.finished_at >= %(since)s)
     UNION ALL
    SELECT -letter.id, letter.ordering_key, letter.state::TEXT, letter.last_failed_at, line.*
      FROM dead_letters AS letter
     CROSS JOIN LATERAL jsonb_to_recordset(letter.failures)
        AS line (at TIMESTAMPTZ, kind TEXT, code TEXT, service TEXT, operation TEXT, message TEXT)
     WHERE letter.origin IN ('intake', 'outbox')
       AND letter.last_failed_at >= %(since)s
       AND (letter.inbox_id IS NULL OR line.at = letter.created_at)
), failed AS MATERIALIZED (
    SELECT told.*, coalesce(tree.category, '{Unknown.kind}') AS category
      FROM told
      LEFT JOIN unnest(%(tree_kinds)s::TEXT[], %(tree_categories)s::TEXT[]) AS tree (kind, category) USING (kind)
     WHERE told.at >= %(since)s
       AND told.at < %(until)s
       AND told.kind <> 'permanent'
)"""  # noqa: S608 - put together from constants

_WHOLE = f"""{FAILED}
SELECT count(*), count(DISTINCT id) FILTER (WHERE id > 0),
       count(DISTINCT id) FILTER (WHERE id > 0 AND (finished_at IS NULL OR finished_at >= %(until)s))
  FROM failed
"""  # noqa: S608 - likewise

_BY_CATEGORY = f"""{FAILED}
SELECT category, count(*), count(DISTINCT id)
  FROM failed
 GROUP BY category
 ORDER BY count(*) DESC, category
"""  # noqa: S608 - likewise

_BY_TYPE = f"""{FAILED}
SELECT kind, category, service, count(*), count(DISTINCT id)
  FROM failed
 GROUP BY kind, category, service
 ORDER BY count(*) DESC, kind, service
"""  # noqa: S608 - likewise

_KINDS = f"""{FAILED}
SELECT kind, category, code, service, operation, count(*), count(DISTINCT id), min(at), max(at),
       (array_agg(message ORDER BY at DESC))[1]
  FROM failed
 GROUP BY kind, category, code, service, operation
 ORDER BY count(*) DESC, kind, code, service, operation
 LIMIT %(most)s
"""  # noqa: S608 - likewise

_BY_STEP = f"""{FAILED}
SELECT date_bin(%(step)s, at, %(origin)s), at >= %(middle)s, count(*)
  FROM failed
 GROUP BY 1, 2
"""  # noqa: S608 - likewise
