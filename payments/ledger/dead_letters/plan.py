"""What sending dead letters back would come to: how many, in which lines, of which payments. Reads only."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import msgspec

from payments.event import decode
from payments.ledger.books import PAYMENT_COLUMNS, payment_of
from payments.ledger.claims import saga_lines
from payments.ledger.database import Database
from payments.ledger.dead_letters.choice import Choice
from payments.ledger.dead_letters.reading import read
from payments.ledger.dead_letters.replays import Candidate

AGES = ("under a minute", "under an hour", "under a day", "older")
"""How long ago letters failed first, from the youngest on."""


class Outline(msgspec.Struct, frozen=True, kw_only=True):
    """The letters of a choice in numbers. Every age is told, also one that none has; the rest largest first."""

    letters: int
    by_reason: dict[str, int]
    by_age: dict[str, int]
    by_provider: dict[str, int]
    by_state: dict[str, int]
    oldest_at: datetime | None


class Queued(msgspec.Struct, frozen=True, kw_only=True):
    """Letters that cannot go first, since an earlier pending one of their payment has not gone.

    `follow` go after one that is meant itself. `behind` stay where they are: what is before them is not meant.
    """

    follow: int
    behind: int


class Plans:
    """Looking ahead. A choice should name the states that the verb can act on."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def outline(self, choice: Choice) -> Outline:
        """Return how many letters there are, and of which kinds."""
        condition, parameters = choice.condition()
        rows = self._database.rows(_OUTLINE.format(condition=condition), parameters)
        ages = _summed(rows, 2)
        return Outline(
            letters=sum(row[4] for row in rows),
            by_reason=_summed(rows, 1),
            by_age={name: ages.get(place, 0) for place, name in enumerate(AGES)},
            by_provider=_summed(rows, 0),
            by_state=_summed(rows, 3),
            oldest_at=min((row[5] for row in rows), default=None),
        )

    def queued(self, choice: Choice) -> Queued:
        """Return how many of the letters stand in line behind another one."""
        condition, parameters = choice.condition()
        row = self._database.row(_QUEUED.format(condition=condition), parameters)
        assert row is not None
        return Queued(follow=row[0], behind=row[1])

    def candidates(self, choice: Choice, most: int, size: int = 500) -> Iterator[list[Candidate]]:
        """Yield the oldest `most` letters that have an event, each with its payment as it is booked now."""
        after_id = 0
        while most > 0:
            told = {"after_id": after_id, "most": min(size, most)}
            rows = read(self._database, _CANDIDATES, choice, told, in_order=True)
            if not rows:
                return
            yield [_candidate(row) for row in rows]
            after_id, most = rows[-1][0], most - len(rows)


def _summed(rows: Sequence[Sequence[Any]], column: int) -> dict[Any, int]:
    """Return the counts by one column, the largest first."""
    sums: dict[Any, int] = {}
    for row in rows:
        sums[row[column]] = sums.get(row[column], 0) + row[4]
    return dict(sorted(sums.items(), key=lambda item: (-item[1], str(item[0]))))


def _candidate(row: Sequence[Any]) -> Candidate:
    letter_id, inbox_id, ordering_key, event, saga = row[:5]
    return Candidate(
        letter_id=letter_id,
        inbox_id=inbox_id,
        event=msgspec.structs.replace(decode(event), ordering_key=ordering_key),
        payment=payment_of(ordering_key, row[5:]),
        record=None,
        saga=saga_lines(saga) if saga else (),
    )


_OUTLINE = """
SELECT coalesce(provider, 'unknown'), reason,
       CASE WHEN first_failed_at > now() - '1 minute'::INTERVAL THEN 0
            WHEN first_failed_at > now() - '1 hour'::INTERVAL THEN 1
            WHEN first_failed_at > now() - '1 day'::INTERVAL THEN 2
            ELSE 3 END,
       state::TEXT, count(*), min(first_failed_at)
  FROM dead_letters AS letter
 WHERE {condition}
 GROUP BY 1, 2, 3, 4
"""

# The same line as in picking: what never became an event stands in none.
_QUEUED = """
WITH meant AS (
    SELECT id, inbox_id, ordering_key
      FROM dead_letters AS letter
     WHERE {condition}
), later AS (
    SELECT meant.id, bool_or(also.id IS NULL) AS is_behind
      FROM meant
      JOIN dead_letters AS earlier ON earlier.ordering_key = meant.ordering_key
                                  AND earlier.state = 'pending'
                                  AND earlier.inbox_id < meant.inbox_id
      LEFT JOIN meant AS also ON also.id = earlier.id
     GROUP BY meant.id
)
SELECT count(*) FILTER (WHERE NOT is_behind), count(*) FILTER (WHERE is_behind)
  FROM later
"""

_CANDIDATES = f"""
SELECT letter.id, letter.inbox_id, coalesce(aliases.ordering_key, letter.ordering_key), inbox.event::TEXT,
       nullif(inbox.saga, '[]')::TEXT, {PAYMENT_COLUMNS}
  FROM dead_letters AS letter
  JOIN inbox ON inbox.id = letter.inbox_id
  LEFT JOIN aliases ON aliases.alias = letter.ordering_key
  LEFT JOIN payments ON payments.ordering_key = coalesce(aliases.ordering_key, letter.ordering_key)
 WHERE {{condition}}
   AND letter.id > %(after_id)s
 ORDER BY letter.id
 LIMIT %(most)s
"""  # noqa: S608 - the columns are a constant of ours
