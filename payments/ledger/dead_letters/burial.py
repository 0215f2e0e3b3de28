"""Burying: what a dead letter says of its failure, and records that never became an event."""

from collections.abc import Sequence
from random import uniform
from typing import Any

import msgspec

from payments.envelope import Record
from payments.event import Event, encode
from payments.failures import Failure, Transient, Unexpected, Unknown, category_of
from payments.fingerprint import fingerprint
from payments.ledger.database import Database, columns
from payments.stack import stack_of

NORMAL = "normal"
"""The criticality of a dead letter that can wait."""

_CHANCE = 0.2
"""The share of each delay that is left to chance, so that what died together does not come back together."""


class ReplayDelays(msgspec.Struct, frozen=True, kw_only=True):
    """When a dead letter is replayed: `base_seconds` after it died, `factor` times later each time, up to the cap."""

    base_seconds: float
    factor: float
    cap_seconds: float


class Burial(msgspec.Struct, frozen=True, kw_only=True):
    """What is written about a failure that ends an event, or a record. No personal data.

    `replays` says how often it is sent back by itself: pending until then, parked afterwards, at once where it is 0.
    """

    reason: str
    failure: Failure
    replays: int = 0
    delays: ReplayDelays = ReplayDelays(base_seconds=60.0, factor=1.0, cap_seconds=60.0)
    criticality: str = NORMAL
    in_doubt: bool = False
    """Whether something was asked for at the provider and nobody knows how it ended."""

    def parameters(self) -> dict[str, Any]:
        """Return what the statements of burying name."""
        failure = self.failure
        return {
            "reason": self.reason,
            "failure_type": failure.kind,
            "category": self.category,
            "message": failure.message,
            "service": failure.service,
            "operation": failure.operation,
            "stack": stack_of(failure),
            "fingerprint": self.fingerprint,
            "criticality": self.criticality,
            "replays": self.replays,
            "base_seconds": self.delays.base_seconds * uniform(1 - _CHANCE, 1 + _CHANCE),  # noqa: S311 - no secret
            "factor": self.delays.factor,
            "cap_seconds": self.delays.cap_seconds,
        }

    def told(self) -> dict[str, str]:
        """Return what a log event tells of it besides the reason; where in the code it failed, of a bug alone."""
        told = {
            "failure_type": self.failure.kind,
            "category": self.category,
            "fingerprint": self.fingerprint,
            "criticality": self.criticality,
        }
        return told | {"stack": stack_of(self.failure)} if isinstance(self.failure, Unexpected) else told

    @property
    def category(self) -> str:
        """The branch of the tree; what is in doubt is unknown, however it was found that it cannot be known now."""
        category = category_of(type(self.failure))
        return Unknown.kind if self.in_doubt and category == Transient.kind else category

    @property
    def fingerprint(self) -> str:
        """What it has in common with others of its kind."""
        failure = self.failure
        return fingerprint(failure.kind, self.reason, failure.service, failure.operation, failure.message)


class Corpse(msgspec.Struct, frozen=True, kw_only=True):
    """A record that cannot be taken in, and why; the event that it tells, where it could be read."""

    record: Record
    burial: Burial
    provider: str | None = None
    event: Event | None = None

    @property
    def correlation_id(self) -> str:
        """Under which name it is told."""
        return self.record.correlated(self.event.event_id if self.event else None)


class DeadLetters:
    """Where such records are buried."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def bury(self, corpses: Sequence[Corpse]) -> int:
        """Store each record once, however often it comes, and announce it; return how many are new."""
        return self._database.run(_BURY, columns([_row(corpse) for corpse in corpses], _COLUMNS))

    def unalerted(self, limit: int) -> list[dict[str, Any]]:
        """Return critical letters of which nobody has been told, as what may be told: no personal data."""
        names = (
            "dead_letter",
            "criticality",
            "reason",
            "category",
            "provider",
            "event_id",
            "payment_id",
            "fingerprint",
        )
        rows = self._database.rows(_UNALERTED, {"limit": limit})
        return [dict(zip(names, row, strict=True)) for row in rows]

    def alerted(self, ids: Sequence[int]) -> None:
        """Note that somebody has been told of these."""
        self._database.run(_ALERTED, {"ids": list(ids)})


_COLUMNS = (
    *("provider", "event_id", "ordering_key", "event", "topic", "partition", "offset", "key", "headers", "payload"),
    *("reason", "failure_type", "category", "message", "stack", "service", "operation", "fingerprint"),
    *("correlation_id", "trace_id", "trace_parent", "failures", "criticality"),
)


def _row(corpse: Corpse) -> tuple[object, ...]:
    record, burial, event = corpse.record, corpse.burial, corpse.event
    told = burial.parameters()
    correlation_id = corpse.correlation_id
    return (
        corpse.provider,
        *(event and event.event_id, event and event.ordering_key, event and encode(event).decode()),
        *(record.topic, record.partition, record.offset, record.key, record.headers_json(), record.payload),
        *(told["reason"], told["failure_type"], told["category"], told["message"], told["stack"], told["service"]),
        *(told["operation"], told["fingerprint"], correlation_id, record.trace_id, record.trace_parent),
        *(first_attempt(burial.failure, correlation_id), told["criticality"]),
    )


def first_attempt(failure: Failure, correlation_id: str | None) -> str:
    """Return the failure as the one line of its history, in the form that those of workers have."""
    told = {
        "attempt": 1,
        "kind": failure.kind,
        "code": failure.code,
        "service": failure.service,
        "operation": failure.operation,
        "message": failure.message,
        "provider_message": "",
        "correlation_id": correlation_id,
    }
    return msgspec.json.encode([told]).decode()


# A record that is no event is replayed by a person only, once it can be read: parked from the beginning.
_BURY = """
INSERT INTO dead_letters (origin, state, provider, event_id, ordering_key, event,
                          topic, partition, "offset", key, headers, payload,
                          reason, failure_type, category, message, stack, service, operation, fingerprint,
                          correlation_id, trace_id, trace_parent, failures, criticality)
SELECT 'intake', 'parked', provider, event_id, ordering_key, event::JSONB,
       topic, partition, "offset", key, headers::JSONB, payload,
       reason, failure_type, category, message, stack, service, operation, fingerprint,
       correlation_id, trace_id, trace_parent, stamped(failures::JSONB), criticality
  FROM unnest(%(provider)s::TEXT[], %(event_id)s::TEXT[], %(ordering_key)s::TEXT[], %(event)s::TEXT[],
              %(topic)s::TEXT[], %(partition)s::INTEGER[], %(offset)s::BIGINT[],
              %(key)b::BYTEA[], %(headers)s::TEXT[], %(payload)b::BYTEA[],
              %(reason)s::TEXT[], %(failure_type)s::TEXT[], %(category)s::TEXT[], %(message)s::TEXT[],
              %(stack)s::TEXT[], %(service)s::TEXT[], %(operation)s::TEXT[], %(fingerprint)s::TEXT[],
              %(correlation_id)s::TEXT[], %(trace_id)s::TEXT[], %(trace_parent)s::TEXT[],
              %(failures)s::TEXT[], %(criticality)s::TEXT[])
    AS corpse (provider, event_id, ordering_key, event, topic, partition, "offset", key, headers, payload,
               reason, failure_type, category, message, stack, service, operation, fingerprint,
               correlation_id, trace_id, trace_parent, failures, criticality)
    ON CONFLICT (topic, partition, "offset", payload_sha256) WHERE origin IN ('intake', 'import') DO NOTHING
"""

_UNALERTED = """
SELECT id, criticality, reason, category, provider, event_id, split_part(ordering_key, ':', 2), fingerprint
  FROM dead_letters
 WHERE criticality <> 'normal'
   AND alerted_at IS NULL
 ORDER BY id
 LIMIT %(limit)s
"""

_ALERTED = """
UPDATE dead_letters
   SET alerted_at = now()
 WHERE id = ANY (%(ids)s::BIGINT[])
"""
