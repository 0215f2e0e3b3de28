"""Finding dead letters: pages, single ones, groups, what was done to them. Reads only."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import msgspec

from payments.ledger.database import Database
from payments.ledger.dead_letters.choice import Choice
from payments.ledger.dead_letters.reading import read


class Brief(msgspec.Struct, frozen=True, kw_only=True):
    """A line of a listing. No payload."""

    id: int
    state: str
    provider: str | None
    payment: str | None
    event_id: str | None
    category: str
    failure_type: str
    reason: str
    message: str
    service: str
    replay_count: int
    first_failed_at: datetime
    last_failed_at: datetime
    next_replay_at: datetime | None
    fingerprint: str
    criticality: str


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Part of a listing, the newest first. `after` is where the next page begins; None: this is the last."""

    letters: tuple[Brief, ...]
    after: int | None


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Letters that died of the same thing. `example_id` and `message` are those of the latest."""

    fingerprint: str
    count: int
    failure_type: str
    category: str
    reason: str
    service: str
    operation: str
    providers: list[str]
    states: dict[str, int]
    first_failed_at: datetime
    last_failed_at: datetime
    example_id: int
    message: str


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the audit."""

    at: datetime
    who: str
    what: str
    why: str | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None


class Search:
    """What there is."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(self, choice: Choice, limit: int, after: int | None = None) -> Page:
        """Return up to `limit` letters older than `after`."""
        told = {"limit": limit + 1, "after": after}
        rows = read(self._database, _PAGE, choice, told, in_order=True)
        letters = tuple(Brief(**dict(zip(Brief.__struct_fields__, row, strict=True))) for row in rows[:limit])
        return Page(letters=letters, after=letters[-1].id if len(rows) > limit else None)

    def count(self, choice: Choice) -> int:
        """Return how many letters there are."""
        [row] = read(self._database, _COUNT, choice)
        return int(row[0])

    def record(self, letter_id: int) -> dict[str, Any] | None:
        """Return the letter as it is told everywhere, or None where there is none of that number."""
        row = self._database.row(_RECORD, {"id": letter_id})
        return dict(row[0]) if row else None

    def payload(self, letter_id: int) -> bytes | None:
        """Return the raw bytes, however many."""
        row = self._database.row(_PAYLOAD, {"id": letter_id})
        return bytes(row[0]) if row else None

    def audit(self, letter_id: int) -> list[Change]:
        """Return everything that was done to the letter, in its order."""
        rows = self._database.rows(_AUDIT, {"id": letter_id})
        return [Change(**dict(zip(Change.__struct_fields__, row, strict=True))) for row in rows]

    def groups(self, choice: Choice, limit: int) -> list[Group]:
        """Return the largest groups."""
        return [_group(row) for row in read(self._database, _GROUPS, choice, {"limit": limit})]

    def whole(self, choice: Choice, size: int = 500) -> Iterator[str]:
        """Yield each letter as JSON with its whole payload, the oldest first, a few at a time."""
        last_id = 0
        while rows := read(self._database, _WHOLE, choice, {"after": last_id, "limit": size}, in_order=True):
            yield from (row[1] for row in rows)
            last_id = rows[-1][0]


def _group(row: Sequence[Any]) -> Group:
    told = dict(zip(Group.__struct_fields__, row, strict=True))
    return Group(**told)


_PAGE = """
SELECT id, state::TEXT, provider, ordering_key, event_id, category, failure_type, reason, message, service,
       replay_count, first_failed_at, last_failed_at, next_replay_at, fingerprint, criticality
  FROM dead_letters AS letter
 WHERE {condition}
   AND (%(after)s::BIGINT IS NULL OR id < %(after)s)
 ORDER BY id DESC
 LIMIT %(limit)s
"""

_COUNT = """
SELECT count(*)
  FROM dead_letters AS letter
 WHERE {condition}
"""

_RECORD = """
SELECT dead_letter_json(letter)
  FROM dead_letters AS letter
 WHERE id = %(id)s
"""

_PAYLOAD = """
SELECT payload
  FROM dead_letters
 WHERE id = %(id)s
"""

_AUDIT = """
SELECT at, who, what, why, before, after
  FROM dead_letter_audit
 WHERE letter_id = %(id)s
 ORDER BY id
"""

# The table is read once, into some groups for each fingerprint. The join is a LATERAL one with a limit: only so it
# stays a look-up of a few letters where look-ups are advised against (`read`).
_GROUPS = """
WITH counted AS (
    SELECT fingerprint, state, provider, count(*) AS number,
           min(first_failed_at) AS first_failed_at, max(last_failed_at) AS last_failed_at, max(id) AS example_id
      FROM dead_letters AS letter
     WHERE {condition}
     GROUP BY fingerprint, state, provider
), largest AS (
    SELECT fingerprint, sum(number)::BIGINT AS number, array_agg(DISTINCT coalesce(provider, 'unknown')) AS providers,
           min(first_failed_at) AS first_failed_at, max(last_failed_at) AS last_failed_at, max(example_id) AS example_id
      FROM counted
     GROUP BY fingerprint
     ORDER BY number DESC, fingerprint
     LIMIT %(limit)s
)
SELECT largest.fingerprint, largest.number, example.failure_type, example.category, example.reason, example.service,
       example.operation, largest.providers,
       (SELECT jsonb_object_agg(each.state, each.number)
          FROM (SELECT counted.state, sum(counted.number) AS number
                  FROM counted
                 WHERE counted.fingerprint = largest.fingerprint
                 GROUP BY counted.state) AS each),
       largest.first_failed_at, largest.last_failed_at, largest.example_id, example.message
  FROM largest
 CROSS JOIN LATERAL (SELECT * FROM dead_letters WHERE id = largest.example_id LIMIT 1) AS example
 ORDER BY largest.number DESC, largest.fingerprint
"""

_WHOLE = """
SELECT id, (dead_letter_json(letter) || jsonb_build_object('payload', base64(payload)))::TEXT
  FROM dead_letters AS letter
 WHERE {condition}
   AND id > %(after)s
 ORDER BY id
 LIMIT %(limit)s
"""
