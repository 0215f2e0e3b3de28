"""Dead letters made by hand, of any age and in any state, for questions whose answers are to be known beforehand."""

from itertools import count
from typing import Any

from payments.ledger.database import Database
from tests.builders import TOPIC, an_arrival, an_event

_offsets = count()

_PLAIN: dict[str, Any] = {
    **dict.fromkeys(("inbox_id", "event_id", "ordering_key", "resolution", "ended", "replaced_by")),
    "origin": "process",
    "provider": "stripe",
    "topic": TOPIC,
    "payload": b"{}",
    "state": "parked",
    "reason": "validation_failed",
    "failure_type": "validation_failed",
    "category": "permanent",
    "message": "the request is wrong",
    "service": "stripe",
    "operation": "capture",
    "fingerprint": "0123456789abcdef",
    "criticality": "normal",
    "replay_count": 0,
    "first_failed": 60.0,
}


def a_letter(database: Database, **told: Any) -> int:  # noqa: ANN401 - any column
    """Put a letter into the ledger and return its number. `first_failed`, `created` and `ended` are seconds ago."""
    whole = _PLAIN | {"offset": next(_offsets)} | told
    whole.setdefault("created", whole["first_failed"])
    if whole["state"] == "replaying" and whole["inbox_id"] is None:
        whole["inbox_id"] = a_row(database, f"evt_at_work_{whole['offset']}")
    row = database.row(_LETTER, whole)
    assert row is not None
    return int(row[0])


def a_row(database: Database, event_id: str) -> int:
    """Put an event into the inbox and return its row's number."""
    arrival = an_arrival(an_event(event_id))
    row = database.row(_ROW, {"event_id": event_id, "payload": arrival.record.payload.decode()})
    assert row is not None
    return int(row[0])


_LETTER = """
INSERT INTO dead_letters (
       inbox_id, origin, provider, event_id, ordering_key, topic, partition, "offset", payload, state, resolution,
       reason, failure_type, category, message, service, operation, fingerprint, criticality, replay_count,
       replaced_by, first_failed_at, last_failed_at, next_replay_at, ended_at, created_at)
VALUES (%(inbox_id)s, %(origin)s, %(provider)s, %(event_id)s, %(ordering_key)s, %(topic)s, 0, %(offset)s, %(payload)s,
        %(state)s::TEXT::dead_letter_state, %(resolution)s, %(reason)s, %(failure_type)s, %(category)s, %(message)s,
        %(service)s, %(operation)s, %(fingerprint)s, %(criticality)s, %(replay_count)s, %(replaced_by)s,
        now() - make_interval(secs => %(first_failed)s), now() - make_interval(secs => %(created)s),
        CASE WHEN %(state)s::TEXT = 'pending' THEN now() END, now() - make_interval(secs => %(ended)s),
        now() - make_interval(secs => %(created)s))
RETURNING id
"""

_ROW = """
INSERT INTO inbox (provider, event_id, kind, ordering_key, event, topic, partition, "offset", payload, state, wakeup)
VALUES ('stripe', %(event_id)s, 'captured', 'stripe:' || %(event_id)s::TEXT, %(payload)s::JSONB, 't', 0, 0, '',
        'received', nextval('wakeups'))
RETURNING id
"""
