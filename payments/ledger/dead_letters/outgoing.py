"""Dead letters of outgoing events: what the brokers will never take as it is. Each waits for a person, parked.

It holds the message as it was to go out, under the number that it had in the outbox. No partition took it: that is -1.
"""

from collections.abc import Sequence

from payments.envelope import trace_id
from payments.failures import PublishRefused
from payments.ledger.database import Connection
from payments.ledger.dead_letters.burial import Burial, first_attempt

ORIGIN = "outbox"
"""The origin of such letters."""


def bury(
    connection: Connection,
    letter_id: int,
    refusal: PublishRefused,
    correlation_id: str | None,
    trace_parent: str | None,
) -> int | None:
    """Move a letter of the outbox to the dead letters and return its number there; one that was replayed keeps its own.

    None: the letter has been sent meanwhile.
    """
    told = Burial(reason=refusal.code, failure=refusal).parameters()
    told |= {"id": letter_id, "failures": first_attempt(refusal, correlation_id)}
    told |= {"correlation_id": correlation_id, "trace_parent": trace_parent, "trace_id": trace_id(trace_parent)}
    row = connection.execute(_BURY_AGAIN, told).fetchone() or connection.execute(_BURY, told).fetchone()
    return int(row[0]) if row else None


def resolve(connection: Connection, letter_ids: Sequence[int]) -> None:
    """End dead letters whose message the brokers have confirmed."""
    connection.execute(_RESOLVE, {"ids": list(letter_ids)})


# Whose event it tells of stands in the message. The letter is told of where that event came from, if that is known:
# see `dead_letter_told`.
_BURY = """
WITH refused AS (
    DELETE FROM outbox
     WHERE id = %(id)s
    RETURNING id, topic, key, headers, payload
)
INSERT INTO dead_letters (origin, state, provider, event_id, ordering_key, correlation_id, trace_id, trace_parent,
                          topic, partition, "offset", key, headers, payload,
                          reason, failure_type, category, message, stack, service, operation, fingerprint,
                          criticality, failures)
SELECT 'outbox', 'parked', payload ->> 'provider', payload ->> 'event_id',
       CASE WHEN payload ? 'payment_id' THEN key END, coalesce(%(correlation_id)s, payload ->> 'event_id'),
       %(trace_id)s, %(trace_parent)s,
       topic, -1, id, convert_to(key, 'UTF8'), headers, convert_to(payload::TEXT, 'UTF8'),
       %(reason)s, %(failure_type)s, %(category)s, %(message)s, %(stack)s, %(service)s, %(operation)s, %(fingerprint)s,
       %(criticality)s, stamped(%(failures)s::JSONB)
  FROM refused
RETURNING id
"""

_BURY_AGAIN = """
WITH refused AS (
    DELETE FROM outbox
     WHERE id = %(id)s
       AND dead_letter_id IS NOT NULL
    RETURNING dead_letter_id
)
UPDATE dead_letters AS letter
   SET state = 'parked',
       reason = %(reason)s,
       failure_type = %(failure_type)s,
       category = %(category)s,
       message = %(message)s,
       stack = %(stack)s,
       service = %(service)s,
       operation = %(operation)s,
       fingerprint = %(fingerprint)s,
       last_failed_at = now(),
       failures = failures || stamped(%(failures)s::JSONB),
       replays = replays || jsonb_build_array(jsonb_build_object(
           'replay', replay_count, 'mark', 'failed', 'failure_type', %(failure_type)s::TEXT,
           'reason', %(reason)s::TEXT, 'message', %(message)s::TEXT, 'at', now()))
  FROM refused
 WHERE letter.id = refused.dead_letter_id
RETURNING letter.id
"""

_RESOLVE = """
UPDATE dead_letters
   SET state = 'resolved',
       resolution = 'sent',
       ended_at = now(),
       replays = replays || jsonb_build_array(jsonb_build_object(
           'replay', replay_count, 'mark', 'resolved', 'ending', 'sent', 'at', now()))
 WHERE id = ANY (%(ids)s::BIGINT[])
   AND state = 'replaying'
"""
