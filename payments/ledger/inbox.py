"""The inbox: what has come in, one row an event, stored before anything is done about it."""

from collections.abc import Sequence

import msgspec

from payments.envelope import Record
from payments.event import Event, Kind, decode, encode
from payments.ledger import aliases
from payments.ledger.database import Database, columns
from payments.ledger.state import State


class Arrival(msgspec.Struct, frozen=True):
    """A record, and the event that it was decoded to."""

    record: Record
    event: Event


class Wakeup(msgspec.Struct, frozen=True, kw_only=True):
    """One Celery message that is due: for which row, under which number, and what Flower may show of it."""

    inbox_id: int
    number: int
    provider: str
    payment_id: str


class Inbox:
    """Where arrivals are stored. All times are the database's."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def receive(self, arrivals: Sequence[Arrival]) -> tuple[int, list[Wakeup]]:
        """Store what is new of `arrivals`, in their order; return how many were, and a wake-up for each to work on.

        An event that is known (by provider and event id) is left as it is. One that we do not handle ends here.
        """
        if told := [alias for arrival in arrivals for alias in aliases.told_by(arrival.event)]:
            # before the events that tell them, and apart from them: names are true whatever becomes of those
            with self._database.transaction() as connection:
                aliases.learn(connection, told)
        new = self._database.rows(_RECEIVE, columns([_row(each) for each in arrivals], _COLUMNS))
        return len(new), [wakeup(row) for row in new if row[3] is not None]

    def known(self, events: Sequence[Event]) -> dict[tuple[str, str], Event]:
        """Return what has come under the ids of `events`, by provider and event id, as it was before any edit."""
        ids = columns([(event.provider, event.event_id) for event in events], ("provider", "event_id"))
        stored = (decode(row[0]) for row in self._database.rows(_KNOWN, ids))
        return {(event.provider, event.event_id): event for event in stored}

    def unfinished(self, at_most: int) -> int:
        """Return how many events have not ended, counting no further than `at_most`."""
        row = self._database.row(_UNFINISHED, {"at_most": at_most})
        assert row is not None
        return int(row[0])


def wakeup(row: Sequence[object]) -> Wakeup:
    """Return the wake-up in a row of `id, wakeup, provider, ordering_key`."""
    inbox_id, number, provider, ordering_key = row
    assert isinstance(inbox_id, int)
    assert isinstance(number, int)
    payment_id = str(ordering_key).partition(":")[2]
    return Wakeup(inbox_id=inbox_id, number=number, provider=str(provider), payment_id=payment_id)


# Under which name it is told; a row from before that was always written down has none.
CORRELATION = "coalesce(correlation_id, event_id)"

# How a row that was dead begins once more: its attempts and its patience are counted anew, its history stays.
BEGUN_ANEW = """attempts = 0,
           due_at = now(),
           yielding_since = NULL,
           put_off_since = NULL,
           waited = '0',
           wakeup = nextval('wakeups'),
           woken_at = now()"""

_COLUMNS = (
    *("provider", "event_id", "kind", "ordering_key", "event", "state"),
    *("topic", "partition", "offset", "key", "headers", "payload"),
    *("correlation_id", "trace_id", "trace_parent"),
)


def _row(arrival: Arrival) -> tuple[object, ...]:
    event, record = arrival.event, arrival.record
    state = State.IGNORED if event.kind is Kind.IGNORED else State.RECEIVED
    return (
        *(
            event.provider.value,
            event.event_id,
            event.kind.value,
            event.ordering_key,
            encode(event).decode(),
            state.value,
        ),
        *(record.topic, record.partition, record.offset, record.key, record.headers_json(), record.payload),
        *(record.correlated(event.event_id), record.trace_id, record.trace_parent),
    )


_RECEIVE = """
WITH arrived AS (
    SELECT *
      FROM unnest(
               %(provider)b::TEXT[], %(event_id)b::TEXT[], %(kind)b::TEXT[], %(ordering_key)b::TEXT[],
               %(event)b::TEXT[], %(state)s::inbox_state[],
               %(topic)b::TEXT[], %(partition)b::INTEGER[], %(offset)b::BIGINT[],
               %(key)b::BYTEA[], %(headers)b::TEXT[], %(payload)b::BYTEA[],
               %(correlation_id)b::TEXT[], %(trace_id)b::TEXT[], %(trace_parent)b::TEXT[]
           ) WITH ORDINALITY
        AS told (provider, event_id, kind, ordering_key, event, state,
                 topic, partition, "offset", key, headers, payload, correlation_id, trace_id, trace_parent, place)
)
INSERT INTO inbox (provider, event_id, kind, ordering_key, event, state, finished_at,
                   topic, partition, "offset", key, headers, payload, correlation_id, trace_id, trace_parent, wakeup)
SELECT provider, event_id, kind, coalesce(aliases.ordering_key, arrived.ordering_key), event::JSONB, state,
       CASE WHEN state = 'ignored' THEN now() END,
       topic, partition, "offset", key, headers::JSONB, payload, correlation_id, trace_id, trace_parent,
       nextval('wakeups')
  FROM arrived
  LEFT JOIN aliases ON aliases.alias = arrived.ordering_key
 ORDER BY place
    ON CONFLICT (provider, event_id) DO NOTHING
RETURNING id, wakeup, provider, CASE WHEN state = 'received' THEN ordering_key END
"""

_KNOWN = """
SELECT coalesce(first_event, event)::TEXT
  FROM inbox
  JOIN unnest(%(provider)b::TEXT[], %(event_id)b::TEXT[]) AS asked (provider, event_id) USING (provider, event_id)
"""

_UNFINISHED = """
SELECT count(*)
  FROM (SELECT
          FROM inbox
         WHERE state IN ('received', 'processing', 'retrying', 'waiting', 'verifying')
         LIMIT %(at_most)s) AS counted
"""
