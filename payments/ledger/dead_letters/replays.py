"""Sending dead letters back: picked, judged and sent in one transaction, so that a crash leaves them as they were."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec

from payments.envelope import Record
from payments.event import Event, decode, encode
from payments.failures import Failure
from payments.ledger import aliases
from payments.ledger.books import PAYMENT_COLUMNS, payment_of
from payments.ledger.claims import saga_lines
from payments.ledger.database import Connection, Database, columns, refused_whole
from payments.ledger.dead_letters.actor import Actor
from payments.ledger.dead_letters.choice import NO_PROVIDER, Choice
from payments.ledger.inbox import BEGUN_ANEW, Wakeup, wakeup
from payments.payment import Payment
from payments.saga import Line

DUE = Choice(states=("pending",))


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A letter that is ours for this transaction: its event and payment, or the record that never became an event.

    One that `goes_out` has none of them: it is a message of ours that the brokers refused.
    """

    letter_id: int
    inbox_id: int | None
    event: Event | None
    payment: Payment | None
    record: Record | None
    saga: tuple[Line, ...] = ()
    goes_out: bool = False
    correlation_id: str | None = None
    trace_parent: str | None = None
    """What it hangs on in the trace of its event."""


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """Which letters may be picked. `job_id` is the job that decides; None: what is due by itself."""

    choice: Choice
    job_id: int | None = None
    last_id: int | None = None

    def condition(self) -> tuple[str, dict[str, Any]]:
        """Return the condition in SQL, and its parameters."""
        condition, parameters = self.choice.condition()
        parameters |= {"job_id": self.job_id, "last_id": self.last_id}
        return f"{condition} AND {_DUE if self.job_id is None else _OF_JOB}", parameters


class Replays:
    """What may be sent back, and the transactions in which that is done."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @contextmanager
    def turn(self, actor: Actor) -> Iterator["Turn"]:
        """Open one transaction in which letters are sent back."""
        with self._database.transaction() as connection:
            actor.act(connection, "replay")
            connection.execute(_WALK)
            yield Turn(connection, actor)

    def due(self, at_most: int) -> dict[str, int]:
        """Return how many letters of each provider are due, counting no further than `at_most` for each."""
        rows = self._database.rows(_DUE_BY_PROVIDER, {"at_most": at_most})
        return {row[0]: row[1] for row in rows}

    def left(self, selection: Selection) -> dict[str, int]:
        """Return how many of the selection are still where they were, by provider; the gates do not count here."""
        condition, parameters = selection.condition()
        rows = self._database.rows(_LEFT.format(condition=condition), parameters)
        return {row[0]: row[1] for row in rows}


class Turn:
    """One transaction. What it picks is locked until the end, and nobody else's."""

    def __init__(self, connection: Connection, actor: Actor) -> None:
        self.connection = connection
        self._actor = actor

    def replaying(self, provider: str) -> int:
        """Return how many letters of the provider are on their way now."""
        row = self.connection.execute(_REPLAYING, {"provider": provider}).fetchone()
        assert row is not None
        return int(row[0])

    def pick(self, selection: Selection, provider: str, most: int, after_id: int = 0) -> list[Candidate]:
        """Lock and return the oldest letters that may go: none behind another one of its payment that waits itself."""
        condition, parameters = selection.condition()
        parameters |= {"lane": None if provider == NO_PROVIDER else provider, "most": most, "after_id": after_id}
        rows = self.connection.execute(_PICK.format(condition=condition), parameters).fetchall()
        return [_candidate(row) for row in rows]

    def send(self, candidates: Sequence[Candidate], job_id: int | None) -> list[Wakeup]:
        """Send dead events back to the inbox, under their own ids, each with its history; return their wake-ups."""
        ids = [each.inbox_id for each in candidates]
        told = {"ids": ids, "by": self._actor.who, "job_id": job_id}
        return [wakeup(row) for row in self.connection.execute(_SEND, told).fetchall()]

    def send_out(self, candidates: Sequence[Candidate], job_id: int | None) -> int:
        """Put refused messages of ours back into the outbox, each as it was; the relay ends their letters."""
        told = {"ids": [each.letter_id for each in candidates], "by": self._actor.who, "job_id": job_id}
        return self.connection.execute(_SEND_OUT, told).rowcount

    def supersede(self, candidates: Sequence[Candidate], job_id: int | None) -> int:
        """End letters whose events later ones have overtaken; nothing of them reaches a provider."""
        ids = [each.inbox_id for each in candidates]
        told = {"ids": ids, "by": self._actor.who, "job_id": job_id}
        return self.connection.execute(_SUPERSEDE, told).rowcount

    def take_in(self, letters: Sequence[tuple[Candidate, Event]], job_id: int | None) -> list[Wakeup]:
        """Store events that can be read now, and that `known` does not; return wake-ups for those that need work.

        Raises DataRefused where the ledger cannot hold one of them, and then none is stored.
        """
        with refused_whole(self.connection):
            return self._take_in(letters, job_id)

    def _take_in(self, letters: Sequence[tuple[Candidate, Event]], job_id: int | None) -> list[Wakeup]:
        if told := [alias for _, event in letters for alias in aliases.told_by(event)]:
            aliases.learn(self.connection, told)
        rows = [(each.letter_id, *_event_columns(event)) for each, event in letters]
        parameters = columns(rows, _TAKE_IN_COLUMNS) | {"by": self._actor.who, "job_id": job_id}
        return [wakeup(row) for row in self.connection.execute(_TAKE_IN, parameters).fetchall() if row[3] is not None]

    def known(self, letters: Sequence[tuple[Candidate, Event]]) -> dict[int, Event]:
        """Return, by letter, the event that the inbox holds under the same id already."""
        rows = [(each.letter_id, event.provider.value, event.event_id) for each, event in letters]
        parameters = columns(rows, ("letter_id", "provider", "event_id"))
        return {row[0]: decode(row[1]) for row in self.connection.execute(_KNOWN, parameters).fetchall()}

    def resolve_known(self, letter_ids: Sequence[int], job_id: int | None) -> int:
        """End letters that tell what the inbox knows already."""
        told = {"ids": list(letter_ids), "by": self._actor.who, "job_id": job_id}
        return self.connection.execute(_RESOLVE_KNOWN, told).rowcount

    def refuse(self, refused: Mapping[int, Failure], job_id: int | None) -> int:
        """Note that these were looked at again in vain; they stay parked."""
        rows = [(letter_id, failure.code, failure.kind, failure.message) for letter_id, failure in refused.items()]
        parameters = columns(rows, ("letter_id", "reason", "failure_type", "message"))
        return self.connection.execute(_REFUSE, parameters | {"by": self._actor.who, "job_id": job_id}).rowcount


def _candidate(row: Sequence[Any]) -> Candidate:
    letter_id, inbox_id, ordering_key, event, saga, goes_out, correlation_id, trace_parent = row[:8]
    topic, partition, offset, key, headers, payload = row[8:14]
    record = None
    if inbox_id is None and not goes_out:
        pairs = _HEADERS.decode(headers)
        record = Record(
            topic=topic, partition=partition, offset=offset, key=key, headers=[*pairs], payload=bytes(payload)
        )
    known = None if event is None else msgspec.structs.replace(decode(event), ordering_key=ordering_key)
    payment = payment_of(ordering_key, row[14:]) if ordering_key else None
    return Candidate(
        letter_id=letter_id,
        inbox_id=inbox_id,
        event=known,
        payment=payment,
        record=record,
        saga=saga_lines(saga) if saga else (),
        goes_out=goes_out,
        correlation_id=correlation_id,
        trace_parent=trace_parent,
    )


_HEADERS = msgspec.json.Decoder(list[tuple[str, bytes]])

_TAKE_IN_COLUMNS = ("letter_id", "provider", "event_id", "kind", "ordering_key", "event")


def _event_columns(event: Event) -> tuple[object, ...]:
    return (event.provider.value, event.event_id, event.kind.value, event.ordering_key, encode(event).decode())


_DUE = "letter.state = 'pending' AND letter.next_replay_at <= now()"

_OF_JOB = """letter.state IN ('pending', 'parked')
   AND letter.id <= %(last_id)s
   AND (letter.job_id IS NULL
        OR (letter.job_id <> %(job_id)s
            AND NOT letter.replays @> jsonb_build_array(jsonb_build_object('job', %(job_id)s::BIGINT))))"""

_DUE_BY_PROVIDER = """
SELECT lane.provider, due.number
  FROM (SELECT DISTINCT coalesce(provider, 'unknown') AS provider
          FROM dead_letters
         WHERE state = 'pending') AS lane
 CROSS JOIN LATERAL (
       SELECT count(*) AS number
         FROM (SELECT
                 FROM dead_letters
                WHERE state = 'pending'
                  AND coalesce(provider, 'unknown') = lane.provider
                  AND next_replay_at <= now()
                LIMIT %(at_most)s) AS counted) AS due
 WHERE due.number > 0
"""

_LEFT = """
SELECT coalesce(provider, 'unknown'), count(*)
  FROM dead_letters AS letter
 WHERE {condition}
 GROUP BY 1
"""

_REPLAYING = """
SELECT count(*)
  FROM dead_letters
 WHERE provider = %(provider)s
   AND state = 'replaying'
"""

# After a wave of burials PostgreSQL has not counted yet, and would gather and sort all letters for each few hundred.
_WALK = "SELECT set_config('enable_sort', 'off', TRUE), set_config('enable_bitmapscan', 'off', TRUE)"

# The line of a payment is that of all its names: letters keep the one under which they were buried.
#
# Events and payments are looked up once it is clear which few letters may go, and payloads only of what never became an
# event.
_PICK = f"""
WITH picked AS MATERIALIZED (
    SELECT letter.id, letter.inbox_id, letter.ordering_key, letter.origin = 'outbox' AS goes_out,
           letter.correlation_id, letter.trace_parent, letter.topic, letter.partition, letter."offset", letter.key,
           letter.headers,
           CASE WHEN letter.inbox_id IS NULL AND letter.origin <> 'outbox' THEN letter.payload END AS payload
      FROM dead_letters AS letter
     WHERE {{condition}}
       AND letter.provider IS NOT DISTINCT FROM %(lane)s
       AND letter.id > %(after_id)s
       AND NOT EXISTS (
               SELECT
                 FROM dead_letters AS earlier
                WHERE earlier.ordering_key = letter.ordering_key
                  AND earlier.state = 'pending'
                  AND earlier.inbox_id < letter.inbox_id)
       AND NOT EXISTS (
               SELECT
                 FROM aliases AS other
                 JOIN dead_letters AS earlier ON earlier.ordering_key IN (other.alias, other.ordering_key)
                WHERE other.ordering_key = coalesce(
                          (SELECT root.ordering_key FROM aliases AS root WHERE root.alias = letter.ordering_key),
                          letter.ordering_key)
                  AND earlier.state = 'pending'
                  AND earlier.inbox_id < letter.inbox_id)
     ORDER BY letter.id
     LIMIT %(most)s
       FOR UPDATE OF letter SKIP LOCKED
)
SELECT picked.id, picked.inbox_id, coalesce(aliases.ordering_key, picked.ordering_key), inbox.event::TEXT,
       nullif(inbox.saga, '[]')::TEXT, picked.goes_out, picked.correlation_id,
       picked.trace_parent, picked.topic, picked.partition, picked."offset", picked.key, picked.headers::TEXT,
       picked.payload, {PAYMENT_COLUMNS}
  FROM picked
  LEFT JOIN inbox ON inbox.id = picked.inbox_id
  LEFT JOIN aliases ON aliases.alias = picked.ordering_key
  LEFT JOIN payments ON payments.ordering_key = coalesce(aliases.ordering_key, picked.ordering_key)
 ORDER BY picked.id
"""  # noqa: S608 - put together from constants

# How a line of a letter's history begins; who has sent it belongs to it.
_LINE = """'replay', letter.replay_count + 1, 'by', %(by)s::TEXT, 'job', %(job_id)s::BIGINT, 'at', now()"""

# What becomes of a letter that has nothing left to send.
_SUPERSEDED = f"""state = 'resolved',
       resolution = 'superseded',
       next_replay_at = NULL,
       ended_at = now(),
       replay_count = replay_count + 1,
       job_id = coalesce(%(job_id)s::BIGINT, job_id),
       replays = replays || jsonb_build_array(jsonb_build_object('mark', 'superseded', {_LINE}))"""

_SEND = f"""
WITH back AS (
    UPDATE inbox
       SET state = 'received',
           ordering_key = coalesce(
               (SELECT aliases.ordering_key FROM aliases WHERE alias = inbox.ordering_key), ordering_key),
           finished_at = NULL,
           {BEGUN_ANEW}
     WHERE id = ANY (%(ids)s::BIGINT[])
       AND state = 'dead'
    RETURNING id, wakeup, provider, ordering_key
), told AS (
    UPDATE dead_letters AS letter
       SET state = 'replaying',
           ordering_key = back.ordering_key,
           next_replay_at = NULL,
           replay_count = replay_count + 1,
           job_id = coalesce(%(job_id)s::BIGINT, job_id),
           replays = replays || jsonb_build_array(jsonb_build_object('mark', 'sent', {_LINE}))
      FROM back
     WHERE letter.inbox_id = back.id
       AND letter.replaced_by IS NULL
)
SELECT id, wakeup, provider, ordering_key
  FROM back
 ORDER BY wakeup
"""  # noqa: S608 - put together from constants

_SEND_OUT = f"""
WITH back AS (
    UPDATE dead_letters AS letter
       SET state = 'replaying',
           next_replay_at = NULL,
           replay_count = replay_count + 1,
           job_id = coalesce(%(job_id)s::BIGINT, job_id),
           replays = replays || jsonb_build_array(jsonb_build_object('mark', 'sent', {_LINE}))
     WHERE id = ANY (%(ids)s::BIGINT[])
    RETURNING id, topic, key, headers, payload
)
INSERT INTO outbox (topic, key, headers, payload, dead_letter_id)
SELECT topic, convert_from(key, 'UTF8'), headers, convert_from(payload, 'UTF8')::JSONB, id
  FROM back
 ORDER BY id
"""  # noqa: S608 - put together from constants

_SUPERSEDE = f"""
WITH overtaken AS (
    UPDATE inbox
       SET state = 'superseded',
           finished_at = now()
     WHERE id = ANY (%(ids)s::BIGINT[])
       AND state = 'dead'
    RETURNING id
)
UPDATE dead_letters AS letter
   SET {_SUPERSEDED}
  FROM overtaken
 WHERE letter.inbox_id = overtaken.id
   AND letter.replaced_by IS NULL
"""  # noqa: S608 - put together from constants

# In the order of the letters, so that the events of a payment keep theirs. A type that needs no work ends here.
_TAKE_IN = f"""
WITH told AS (
    SELECT *
      FROM unnest(%(letter_id)s::BIGINT[], %(provider)s::TEXT[], %(event_id)s::TEXT[], %(kind)s::TEXT[],
                  %(ordering_key)s::TEXT[], %(event)s::TEXT[])
        AS told (letter_id, provider, event_id, kind, ordering_key, event)
), new AS (
    INSERT INTO inbox (provider, event_id, kind, ordering_key, event, state, finished_at, topic, partition, "offset",
                       key, headers, payload, correlation_id, trace_id, trace_parent, wakeup)
    SELECT told.provider, told.event_id, told.kind, coalesce(aliases.ordering_key, told.ordering_key),
           told.event::JSONB, (CASE WHEN told.kind = 'ignored' THEN 'ignored' ELSE 'received' END)::inbox_state,
           CASE WHEN told.kind = 'ignored' THEN now() END, letter.topic, letter.partition, letter."offset",
           letter.key, letter.headers, letter.payload, letter.correlation_id, letter.trace_id, letter.trace_parent,
           nextval('wakeups')
      FROM told
      JOIN dead_letters AS letter ON letter.id = told.letter_id
      LEFT JOIN aliases ON aliases.alias = told.ordering_key
     ORDER BY told.letter_id
        ON CONFLICT (provider, event_id) DO NOTHING
    RETURNING id, wakeup, provider, event_id, ordering_key, event, state
), moved AS (
    UPDATE dead_letters AS letter
       SET inbox_id = new.id,
           provider = new.provider,
           event_id = new.event_id,
           ordering_key = new.ordering_key,
           event = new.event,
           state = CASE WHEN new.state = 'ignored' THEN 'resolved' ELSE 'replaying' END::dead_letter_state,
           resolution = CASE WHEN new.state = 'ignored' THEN 'ignored' END,
           ended_at = CASE WHEN new.state = 'ignored' THEN now() END,
           next_replay_at = NULL,
           replay_count = replay_count + 1,
           job_id = coalesce(%(job_id)s::BIGINT, job_id),
           replays = replays || jsonb_build_array(jsonb_build_object('mark', 'sent', {_LINE}))
      FROM told
      JOIN new USING (provider, event_id)
     WHERE letter.id = told.letter_id
    RETURNING letter.id
)
SELECT id, wakeup, provider, CASE WHEN state = 'received' THEN ordering_key END
  FROM new
 ORDER BY wakeup
"""  # noqa: S608 - put together from constants

_KNOWN = """
SELECT told.letter_id, coalesce(inbox.first_event, inbox.event)::TEXT
  FROM unnest(%(letter_id)s::BIGINT[], %(provider)s::TEXT[], %(event_id)s::TEXT[])
    AS told (letter_id, provider, event_id)
  JOIN inbox USING (provider, event_id)
"""

_RESOLVE_KNOWN = f"""
UPDATE dead_letters AS letter
   SET {_SUPERSEDED}
 WHERE id = ANY (%(ids)s::BIGINT[])
"""  # noqa: S608 - put together from constants

_REFUSE = f"""
UPDATE dead_letters AS letter
   SET state = 'parked',
       next_replay_at = NULL,
       reason = told.reason,
       failure_type = told.failure_type,
       message = told.message,
       last_failed_at = now(),
       replay_count = replay_count + 1,
       job_id = coalesce(%(job_id)s::BIGINT, job_id),
       replays = replays || jsonb_build_array(
           jsonb_build_object('mark', 'sent', {_LINE}),
           jsonb_build_object('mark', 'failed', 'reason', told.reason, 'failure_type', told.failure_type,
                              'message', told.message, {_LINE}))
  FROM unnest(%(letter_id)s::BIGINT[], %(reason)s::TEXT[], %(failure_type)s::TEXT[], %(message)s::TEXT[])
    AS told (letter_id, reason, failure_type, message)
 WHERE letter.id = told.letter_id
"""  # noqa: S608 - put together from constants
