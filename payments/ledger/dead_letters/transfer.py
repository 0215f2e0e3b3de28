"""Dead letters that come from a file: those that another ledger exported, or this one before."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from psycopg import Rollback

from payments.event import Event, Provider, encode
from payments.failures import ConfigurationError
from payments.ledger.database import Connection, Database, columns
from payments.ledger.dead_letters.actor import Actor

OPEN = ("pending", "replaying", "parked")
"""The states of letters that are worth taking in; the others have ended where they come from."""

_NUL = b"\\u0000"
_Count = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
_Offset = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
_Zoned = Annotated[datetime, msgspec.Meta(tz=True)]


class Unreadable(ConfigurationError):
    """A line of the file is no dead letter, or one that does not belong here; the message names field and fix."""


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """A line of a file: a letter as it is told everywhere, with its whole payload. Other fields are passed over."""

    version: Literal[1]
    id: int
    state: Literal["pending", "replaying", "resolved", "parked", "discarded"]
    provider: Provider | None
    event_id: str | None
    payment: str | None
    event: Event | None
    topic: str
    partition: _Count
    offset: _Offset
    key: bytes | None
    headers: list[tuple[str, bytes]]
    payload: bytes
    payload_sha256: str
    failure_type: str
    category: Literal["transient", "unknown", "permanent"]
    reason: str
    message: str
    stack: str
    service: str
    operation: str
    correlation_id: str | None
    trace_id: str | None
    attempts: list[dict[str, Any]]
    fingerprint: str
    criticality: str
    replays: list[dict[str, Any]]
    replay_count: _Count
    first_failed_at: _Zoned
    last_failed_at: _Zoned
    next_replay_at: _Zoned | None

    @property
    def is_open(self) -> bool:
        """Whether something is left to do about it."""
        return self.state in OPEN


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """How many letters were new, and how many were here already, as a letter or as an event."""

    new: int
    known: int


class Transfer:
    """Taking letters in."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def take_in(self, batches: Iterable[Sequence[Exported]], actor: Actor, *, dry_run: bool = False) -> Imported:
        """Store every letter that is new, all in one transaction; with `dry_run` only count them.

        Where `batches` raises, nothing is stored. A letter comes without its row of the inbox: a replay reads its
        record again, as it does with what never became an event. Pending ones are due when they were, or now; what was
        on its way when it was exported is parked, since it may have gone well there.
        """
        new = offered = 0
        with self._database.transaction() as connection:
            actor.act(connection, "import")
            for batch in batches:
                offered += len(batch)
                new += _store(connection, batch, actor)
            if dry_run:
                raise Rollback
        return Imported(new=new, known=offered - new)


def read_line(line: bytes, topic: str) -> Exported:
    """Return the letter in a line. Raises Unreadable, also where it is of another topic than `topic`."""
    if _NUL in line:
        raise Unreadable("$: it holds a NUL character, which the ledger cannot hold")
    try:
        letter = _DECODER.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unreadable(_told(error)) from None
    if hashlib.sha256(letter.payload).hexdigest() != letter.payload_sha256:
        raise Unreadable("$.payload_sha256: it is not that of the payload, so the line was changed or is damaged")
    if letter.topic != topic:
        raise Unreadable(f"$.topic: it is of {letter.topic}, and KAFKA_TOPIC is {topic}")
    return letter


def read_batches(letters: Iterable[Exported], size: int = 500) -> Iterator[list[Exported]]:
    """Yield the letters a few at a time."""
    batch: list[Exported] = []
    for letter in letters:
        batch.append(letter)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _told(error: Exception) -> str:
    """Return the place before what is wrong with it, as all our messages have it."""
    what, _, place = str(error).rpartition(" - at `")
    path = place.rstrip("`") if what else "$"
    if path == "$.payload":
        return "$.payload: it is not told whole; use a file that `payferry dlq export` or the archive wrote"
    return f"{path}: {what or error}"


def _store(connection: Connection, batch: Sequence[Exported], actor: Actor) -> int:
    told = columns([_row(letter) for letter in batch], _COLUMNS) | {"who": actor.who, "why": actor.why}
    return connection.execute(_TAKE_IN, told).rowcount


def _row(letter: Exported) -> tuple[object, ...]:
    return (
        *(letter.state, letter.provider and letter.provider.value, letter.event_id, letter.payment),
        *(letter.event and encode(letter.event).decode(), letter.topic, letter.partition, letter.offset, letter.key),
        *(_json(letter.headers), letter.payload, letter.failure_type, letter.category, letter.reason, letter.message),
        *(letter.stack, letter.service, letter.operation, letter.correlation_id, letter.trace_id),
        *(_json(letter.attempts), letter.fingerprint, letter.criticality, _json(letter.replays), letter.replay_count),
        *(letter.first_failed_at, letter.last_failed_at, letter.next_replay_at),
    )


def _json(told: Any) -> str:  # noqa: ANN401 - whatever can be JSON
    return msgspec.json.encode(told).decode()


_DECODER = msgspec.json.Decoder(Exported)

_COLUMNS = (
    *("state", "provider", "event_id", "payment", "event", "topic", "partition", "offset", "key"),
    *("headers", "payload", "failure_type", "category", "reason", "message", "stack", "service", "operation"),
    *("correlation_id", "trace_id", "attempts", "fingerprint", "criticality", "replays", "replay_count"),
    *("first_failed_at", "last_failed_at", "next_replay_at"),
)

# An event that the inbox holds is known, and has a letter of its own where it is dead. Not so a record that contradicts
# one: that has the id of another event. Whoever had to be alarmed was so where the letter comes from.
_TAKE_IN = """
WITH told AS (
    SELECT *
      FROM unnest(%(state)s::TEXT[], %(provider)s::TEXT[], %(event_id)s::TEXT[],
                  %(payment)s::TEXT[], %(event)s::TEXT[], %(topic)s::TEXT[], %(partition)s::INTEGER[],
                  %(offset)s::BIGINT[], %(key)b::BYTEA[], %(headers)s::TEXT[], %(payload)b::BYTEA[],
                  %(failure_type)s::TEXT[], %(category)s::TEXT[], %(reason)s::TEXT[], %(message)s::TEXT[],
                  %(stack)s::TEXT[], %(service)s::TEXT[], %(operation)s::TEXT[], %(correlation_id)s::TEXT[],
                  %(trace_id)s::TEXT[], %(attempts)s::TEXT[], %(fingerprint)s::TEXT[], %(criticality)s::TEXT[],
                  %(replays)s::TEXT[], %(replay_count)s::INTEGER[], %(first_failed_at)s::TIMESTAMPTZ[],
                  %(last_failed_at)s::TIMESTAMPTZ[], %(next_replay_at)s::TIMESTAMPTZ[]) WITH ORDINALITY
        AS told (state, provider, event_id, payment, event, topic, partition, "offset", key, headers, payload,
                 failure_type, category, reason, message, stack, service, operation, correlation_id, trace_id,
                 attempts, fingerprint, criticality, replays, replay_count, first_failed_at, last_failed_at,
                 next_replay_at, place)
), unknown AS (
    SELECT told.*
      FROM told
      LEFT JOIN inbox ON inbox.provider = told.provider AND inbox.event_id = told.event_id
     WHERE inbox.id IS NULL
        OR told.reason = 'contradicts_known_event'
), new AS (
    INSERT INTO dead_letters AS letter (
           origin, state, provider, event_id, ordering_key, event, topic, partition, "offset", key, headers, payload,
           failure_type, category, reason, message, stack, service, operation, correlation_id, trace_id, failures,
           fingerprint, criticality, alerted_at, replays, replay_count, first_failed_at, last_failed_at, next_replay_at)
    SELECT 'import', CASE WHEN state = 'pending' THEN 'pending' ELSE 'parked' END::dead_letter_state, provider,
           event_id, payment, event::JSONB, topic, partition, "offset", key, headers::JSONB, payload,
           failure_type, category, reason, message, stack, service, operation, correlation_id, trace_id,
           attempts::JSONB, fingerprint, criticality, now(), replays::JSONB, replay_count, first_failed_at,
           last_failed_at, CASE WHEN state = 'pending' THEN greatest(next_replay_at, now()) END
      FROM unknown
     ORDER BY place
        ON CONFLICT (topic, partition, "offset", payload_sha256) WHERE origin IN ('intake', 'import') DO NOTHING
    RETURNING letter.id, dead_letter_brief(letter) AS brief
)
INSERT INTO dead_letter_audit (letter_id, who, what, why, after)
SELECT id, %(who)s, 'import', %(why)s, brief
  FROM new
"""
