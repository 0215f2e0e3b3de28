"""Counting and listing, for status and reconciliation. Reads only."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from payments.ledger.database import Database, columns


class OutboxDepth(msgspec.Struct, frozen=True, kw_only=True):
    """What the outbox holds. `oldest_seconds` is the age of the oldest message that waits; 0 if none does."""

    waiting: int
    refused: int
    """Set aside, because the brokers will never take them."""
    oldest_seconds: float


class Census:
    """What the ledger holds."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def states(self) -> dict[str, int]:
        """Return how many inbox rows are in each state."""
        return {str(row[0]): int(row[1]) for row in self._database.rows(_STATES)}

    def dead_letters(self) -> dict[str, int]:
        """Return how many open dead letters there are for each reason: pending, on their way, or parked."""
        return {str(row[0]): int(row[1]) for row in self._database.rows(_DEAD_LETTERS)}

    def unfinished(self) -> dict[str, dict[str, int]]:
        """Return how many events have not ended, by provider and state. Costs as much as there are of these."""
        return _nested(self._database.rows(_UNFINISHED))

    def ended(self) -> dict[str, dict[str, int]]:
        """Return how many events have ended, by provider and state. Costs the more, the more the inbox holds."""
        return _nested(self._database.rows(_ENDED))

    def oldest_due_seconds(self) -> float:
        """Return for how long the longest overdue event has been due; 0 if none is. One behind another is not due."""
        return float(self._one(OLDEST_DUE))

    def slot_ages(self) -> dict[str, float]:
        """Return how many seconds ago each tick of beat was last taken; one that never was is not there."""
        return {row[0]: float(row[1]) for row in self._database.rows(_SLOT_AGES)}

    def outbox(self) -> OutboxDepth:
        """Return what the outbox holds, counted to a million."""
        row = self._database.row(_OUTBOX)
        assert row is not None
        return OutboxDepth(waiting=row[0], refused=row[1], oldest_seconds=round(row[2], 3))

    def outbox_depth(self) -> int:
        """Return how many messages wait to be sent."""
        return int(self._one("SELECT count(*) FROM outbox"))

    def states_of(self, ids: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
        """Return the state of each known event, by provider and event id."""
        rows = self._database.rows(_STATES_OF, columns(ids, ("provider", "event_id")))
        return {(row[0], row[1]): row[2] for row in rows}

    def buried_records(self, topic: str) -> dict[tuple[int, int], str]:
        """Return, by partition and offset, every record of `topic` that was buried before it was an event.

        `dead`, the state of the event that a replay or an edit has made of it, or `duplicates`: it told a known one.
        """
        return {(row[0], row[1]): row[2] for row in self._database.rows(_BURIED_RECORDS, {"topic": topic})}

    def unbalanced(self) -> list[str]:
        """Return the payments whose entries do not sum to zero in each currency."""
        return [row[0] for row in self._database.rows(_UNBALANCED)]

    def misbooked(self) -> list[str]:
        """Return the payments whose entries do not tell the amounts that the payment itself tells."""
        return [row[0] for row in self._database.rows(_MISBOOKED)]

    def captures(self) -> Iterator[dict[str, Any]]:
        """Yield `ordering_key, captured_minor, currency, acted` of each payment; `acted` says that we captured it."""
        for row in self._database.rows(_CAPTURES):
            yield {"ordering_key": row[0], "captured_minor": row[1], "currency": row[2], "acted": row[3]}

    def ordering_keys(self, names: Iterable[str]) -> dict[str, str]:
        """Return the ordering keys of payments by their other names, `provider:id`, where they have any."""
        return {row[0]: row[1] for row in self._database.rows(_ORDERING_KEYS, {"names": list(names)})}

    def unfinished_keys(self) -> set[str]:
        """Return the ordering keys of payments with events that have not ended."""
        return {row[0] for row in self._database.rows(_UNFINISHED_KEYS)}

    def _one(self, statement: str) -> Any:  # noqa: ANN401 - whatever the one column holds
        row = self._database.row(statement)
        assert row is not None
        return row[0]


def _nested(rows: Iterable[Sequence[Any]]) -> dict[str, dict[str, int]]:
    """Return rows of provider, state and number by provider and then by state."""
    found: dict[str, dict[str, int]] = {}
    for provider, state, number in rows:
        found.setdefault(provider, {})[state] = number
    return found


_STATES = """
SELECT state, count(*)
  FROM inbox
 GROUP BY state
 ORDER BY state
"""

_DEAD_LETTERS = """
SELECT reason, count(*)
  FROM dead_letters
 WHERE state IN ('pending', 'replaying', 'parked')
 GROUP BY reason
 ORDER BY count(*) DESC, reason
"""

# Who is behind another event of the same payment is not due, however long the one before it may have to wait.
OLDEST_DUE = """
SELECT coalesce(max(extract(epoch FROM now() - greatest(due_at, received_at))), 0)::FLOAT8
  FROM inbox AS mine
 WHERE state IN ('received', 'retrying', 'waiting', 'verifying')
   AND due_at <= now()
   AND NOT EXISTS (
           SELECT
             FROM inbox AS earlier
            WHERE earlier.ordering_key = mine.ordering_key
              AND earlier.id < mine.id
              AND earlier.yielding_since IS NULL
              AND earlier.state IN ('received', 'processing', 'retrying', 'waiting', 'verifying'))
"""

_UNFINISHED = """
SELECT provider, state::TEXT, count(*)
  FROM inbox
 WHERE state IN ('received', 'processing', 'retrying', 'waiting', 'verifying')
 GROUP BY provider, state
"""

_ENDED = """
SELECT provider, state::TEXT, count(*)
  FROM inbox
 WHERE state NOT IN ('received', 'processing', 'retrying', 'waiting', 'verifying')
 GROUP BY provider, state
"""

_SLOT_AGES = """
SELECT name, extract(epoch FROM now() - taken_at)::FLOAT8
  FROM beat_slots
"""

# After an hour without brokers nobody needs to know whether it is one million or two.
_OUTBOX = """
SELECT count(*) FILTER (WHERE refused IS NULL), count(*) FILTER (WHERE refused IS NOT NULL),
       coalesce((SELECT extract(epoch FROM now() - created_at)
                   FROM outbox
                  WHERE refused IS NULL
                  ORDER BY id
                  LIMIT 1), 0)::FLOAT8
  FROM (SELECT refused FROM outbox LIMIT 1000000) AS counted
"""

_STATES_OF = """
SELECT provider, event_id, state
  FROM inbox
  JOIN unnest(%(provider)s::TEXT[], %(event_id)s::TEXT[]) AS asked (provider, event_id) USING (provider, event_id)
"""

# Those that are in the archive are told by what purging has left of them. What a replay found to be known already is
# told by another record.
_BURIED_RECORDS = """
SELECT letter.partition, letter."offset",
       CASE WHEN letter.state = 'resolved' AND letter.inbox_id IS NULL THEN 'duplicates'
            ELSE coalesce(inbox.state::TEXT, 'dead') END
  FROM dead_letters AS letter
  LEFT JOIN inbox ON inbox.id = letter.inbox_id
 WHERE letter.topic = %(topic)s
   AND letter.origin = 'intake'
 UNION ALL
SELECT purged.partition, purged."offset", coalesce(inbox.state::TEXT, 'dead')
  FROM purged_records AS purged
  LEFT JOIN inbox ON inbox.id = purged.inbox_id
 WHERE purged.topic = %(topic)s
"""

_UNBALANCED = """
SELECT DISTINCT ordering_key
  FROM entries
 GROUP BY ordering_key, currency
HAVING sum(amount_minor) <> 0
"""

_MISBOOKED = """
SELECT payments.ordering_key
  FROM payments
  LEFT JOIN entries USING (ordering_key)
 GROUP BY payments.ordering_key
HAVING coalesce(sum(entries.amount_minor) FILTER (WHERE leg = 'capture/debit'), 0) <> captured_minor
    OR coalesce(sum(entries.amount_minor) FILTER (WHERE leg LIKE 'refund:%%/debit'), 0)
       <> greatest(refunded_total_minor,
                   (SELECT coalesce(sum(told.amount::BIGINT), 0) FROM jsonb_each_text(refunds) AS told (id, amount)))
    OR bool_or(entries.currency <> payments.currency)
"""

_ORDERING_KEYS = """
SELECT alias, ordering_key
  FROM aliases
 WHERE alias = ANY (%(names)s::TEXT[])
"""

_UNFINISHED_KEYS = """
SELECT DISTINCT ordering_key
  FROM inbox
 WHERE state IN ('received', 'processing', 'retrying', 'waiting', 'verifying')
"""

_CAPTURES = """
SELECT ordering_key, captured_minor, currency,
       EXISTS (SELECT
                 FROM entries
                 JOIN inbox ON inbox.id = entries.inbox_id
                WHERE entries.ordering_key = payments.ordering_key
                  AND leg = 'capture/debit'
                  AND kind IN ('requested', 'authorized'))
  FROM payments
"""
