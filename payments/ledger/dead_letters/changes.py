"""What a person does to dead letters: park, discard, take a discard back, and replace by an edit."""

from collections.abc import Callable
from typing import Any

import msgspec

from payments.event import Event, decode, encode
from payments.failures import ConfigurationError
from payments.ledger import aliases
from payments.ledger.claims import saga_lines
from payments.ledger.database import Connection, Database
from payments.ledger.dead_letters.actor import Actor
from payments.ledger.dead_letters.choice import Choice
from payments.ledger.inbox import BEGUN_ANEW, Wakeup, wakeup
from payments.saga import Journal


class NotPossible(ConfigurationError):
    """What was asked for cannot be done to this letter; the message says why and what to do instead."""


class Original(msgspec.Struct, frozen=True, kw_only=True):
    """A letter that is to be edited: what it holds, and what was done about its event before."""

    letter_id: int
    state: str
    origin: str
    inbox_id: int | None
    topic: str
    partition: int
    offset: int
    headers: list[tuple[str, bytes]]
    payload: bytes
    event: Event | None
    has_begun: bool
    """Whether anything that was asked of a provider for it stands there, or may."""


class Edited(msgspec.Struct, frozen=True):
    """The child that took the original's place, and the wake-up of its event; None where that needs no work."""

    letter_id: int
    call: Wakeup | None


class Changes:
    """Every change by hand. Each is filed with who did it and why."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def park(self, choice: Choice, actor: Actor) -> int:
        """Let pending letters wait for a person; return how many there were."""
        return self._change(_PARK, choice, actor, "park")

    def discard(self, choice: Choice, actor: Actor) -> int:
        """Give open letters up; return how many there were. Their events stay dead, and `restore` takes it back."""
        return self._change(_DISCARD, choice, actor, "discard")

    def restore(self, choice: Choice, actor: Actor) -> int:
        """Take discards back: each letter is again what it was before, a pending one due now; return how many."""
        return self._change(_RESTORE, choice, actor, "restore")

    def original(self, letter_id: int) -> Original | None:
        """Return the letter as it is to be edited."""
        row = self._database.row(_ORIGINAL, {"id": letter_id})
        return _original(row) if row else None

    def edit(
        self, letter_id: int, payload: bytes, event: Event, actor: Actor, judge: Callable[[Original], None]
    ) -> Edited:
        """Put a child with `payload` in the letter's place, and its event back to work under its own id.

        `judge` raises where the letter, as it is now, cannot be edited so. Raises NotPossible too where another event
        has the id already. The original keeps everything it had, and is resolved as replaced.
        """
        with self._database.transaction() as connection:
            actor.act(connection, "edit")
            row = connection.execute(f"{_ORIGINAL} FOR UPDATE OF letter", {"id": letter_id}).fetchone()
            if row is None:
                raise NotPossible(f"dead letter {letter_id} is gone")
            original = _original(row)
            judge(original)
            return _replace(connection, original, payload, event, actor)

    def _change(self, statement: str, choice: Choice, actor: Actor, what: str) -> int:
        condition, parameters = choice.condition()
        with self._database.transaction() as connection:
            actor.act(connection, what)
            return connection.execute(statement.format(condition=condition), parameters).rowcount


def _replace(connection: Connection, original: Original, payload: bytes, event: Event, actor: Actor) -> Edited:
    told: dict[str, Any] = {"id": original.letter_id, "payload": payload, "who": actor.who}
    told |= {"event": encode(event).decode(), "event_id": event.event_id, "provider": event.provider.value}
    told |= {"kind": event.kind.value, "ordering_key": event.ordering_key, "inbox_id": original.inbox_id}
    if links := aliases.told_by(event):
        aliases.learn(connection, links)
    row = connection.execute(_NEW_ROW if original.inbox_id is None else _SAME_ROW, told).fetchone()
    if row is None:
        raise NotPossible(
            f"the inbox holds an event {event.event_id} of {event.provider} already; an edit must tell of another one"
        )
    told |= {"inbox_id": row[0], "ordering_key": row[3]}
    child = connection.execute(_CHILD, told).fetchone()
    assert child is not None
    connection.execute(_REPLACED, told | {"child": child[0]})
    connection.execute(_AT_WORK, told | {"child": child[0], "ended_as": None if row[4] == "received" else row[4]})
    return Edited(child[0], wakeup(row[:4]) if row[4] == "received" else None)


def _original(row: Any) -> Original:  # noqa: ANN401 - a row
    told = dict(zip(Original.__struct_fields__, row, strict=True))
    told |= {"headers": _HEADERS.decode(told["headers"]), "payload": bytes(told["payload"])}
    told["event"] = decode(told["event"]) if told["event"] else None
    told["has_begun"] = Journal(saga_lines(told["has_begun"])).has_begun
    return Original(**told)


_HEADERS = msgspec.json.Decoder(list[tuple[str, bytes]])

_PARK = """
UPDATE dead_letters AS letter
   SET state = 'parked',
       next_replay_at = NULL
 WHERE {condition}
   AND letter.state = 'pending'
"""

_DISCARD = """
UPDATE dead_letters AS letter
   SET state = 'discarded',
       next_replay_at = NULL,
       ended_at = now()
 WHERE {condition}
   AND letter.state IN ('pending', 'parked')
"""

# What it was before stands in the audit; without that a person is to look.
_RESTORE = """
UPDATE dead_letters AS letter
   SET state = CASE WHEN was.pending THEN 'pending' ELSE 'parked' END::dead_letter_state,
       next_replay_at = CASE WHEN was.pending THEN now() END,
       ended_at = NULL
  FROM (SELECT letter.id,
               coalesce((SELECT entry.before ->> 'state' = 'pending'
                           FROM dead_letter_audit AS entry
                          WHERE entry.letter_id = letter.id
                            AND entry.after ->> 'state' = 'discarded'
                          ORDER BY entry.id DESC
                          LIMIT 1), FALSE) AS pending
          FROM dead_letters AS letter
         WHERE {condition}
           AND letter.state = 'discarded') AS was
 WHERE letter.id = was.id
   AND letter.state = 'discarded'
"""

_ORIGINAL = """
SELECT letter.id, letter.state::TEXT, letter.origin, letter.inbox_id, letter.topic, letter.partition, letter."offset",
       letter.headers::TEXT, letter.payload, coalesce(inbox.event, letter.event)::TEXT,
       coalesce(inbox.saga, '[]')::TEXT
  FROM dead_letters AS letter
  LEFT JOIN inbox ON inbox.id = letter.inbox_id
 WHERE letter.id = %(id)s
"""

# The event is worked on as edited, from its first attempt; what Kafka delivered stays in the row beside it.
_SAME_ROW = f"""
UPDATE inbox
   SET first_event = coalesce(first_event, event),
       event = %(event)s::JSONB,
       kind = %(kind)s,
       ordering_key = coalesce(
           (SELECT aliases.ordering_key FROM aliases WHERE alias = %(ordering_key)s), %(ordering_key)s),
       state = CASE WHEN %(kind)s = 'ignored' THEN 'ignored' ELSE 'received' END::inbox_state,
       finished_at = CASE WHEN %(kind)s = 'ignored' THEN now() END,
       {BEGUN_ANEW}
 WHERE id = %(inbox_id)s
   AND state = 'dead'
RETURNING id, wakeup, provider, ordering_key, state::TEXT
"""  # noqa: S608 - put together from constants

_NEW_ROW = """
INSERT INTO inbox (provider, event_id, kind, ordering_key, event, state, finished_at, topic, partition, "offset", key,
                   headers, payload, correlation_id, trace_id, trace_parent, wakeup)
SELECT %(provider)s, %(event_id)s, %(kind)s,
       coalesce((SELECT aliases.ordering_key FROM aliases WHERE alias = %(ordering_key)s), %(ordering_key)s),
       %(event)s::JSONB, CASE WHEN %(kind)s = 'ignored' THEN 'ignored' ELSE 'received' END::inbox_state,
       CASE WHEN %(kind)s = 'ignored' THEN now() END, topic, partition, "offset", key,
       headers, payload, correlation_id, trace_id, trace_parent, nextval('wakeups')
  FROM dead_letters
 WHERE id = %(id)s
    ON CONFLICT (provider, event_id) DO NOTHING
RETURNING id, wakeup, provider, ordering_key, state::TEXT
"""

# It begins outside the line, since until the next statement the original speaks for the inbox row.
_CHILD = """
INSERT INTO dead_letters (origin, state, provider, event_id, ordering_key, event, topic, partition, "offset", key,
                          headers, payload, reason, failure_type, category, message, stack, service, operation,
                          correlation_id, trace_id, trace_parent, fingerprint, criticality, alerted_at, failures,
                          replays, replay_count, first_failed_at, last_failed_at, parent_id)
SELECT 'edit', 'parked', %(provider)s, %(event_id)s, %(ordering_key)s, %(event)s::JSONB,
       topic, partition, "offset", key, headers, %(payload)s,
       reason, failure_type, category, message, stack, service, operation,
       coalesce(correlation_id, %(event_id)s), trace_id, trace_parent, fingerprint, criticality, alerted_at, failures,
       replays, replay_count, first_failed_at, last_failed_at, id
  FROM dead_letters
 WHERE id = %(id)s
RETURNING id
"""

_REPLACED = """
UPDATE dead_letters
   SET state = 'resolved',
       resolution = 'replaced',
       replaced_by = %(child)s,
       inbox_id = %(inbox_id)s,
       next_replay_at = NULL,
       ended_at = now()
 WHERE id = %(id)s
"""

_AT_WORK = """
UPDATE dead_letters
   SET inbox_id = %(inbox_id)s,
       state = CASE WHEN %(ended_as)s::TEXT IS NULL THEN 'replaying' ELSE 'resolved' END::dead_letter_state,
       resolution = %(ended_as)s,
       ended_at = CASE WHEN %(ended_as)s::TEXT IS NOT NULL THEN now() END,
       replay_count = replay_count + 1,
       replays = replays || jsonb_build_array(jsonb_build_object(
           'mark', 'sent', 'replay', replay_count + 1, 'by', %(who)s::TEXT, 'job', NULL, 'at', now()))
 WHERE id = %(child)s
"""
