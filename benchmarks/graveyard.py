"""A ledger with many dead letters in it, as forty days of a large merchant may leave them.

Records are made up and decoded by our own code. What they died of is dealt out: failures, stacks, attempts and replays
in the form in which workers write them. The tables' triggers run, except for the announcement, which a relay would have
sent and deleted long ago.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import accumulate, islice
from random import Random
from typing import Any

import msgspec
import psycopg

from payments import failures
from payments.envelope import Record
from payments.event import Event, Kind, Provider, encode
from payments.failures import Failure, Undecodable
from payments.flows.intake import decode_record
from payments.ledger import aliases
from payments.ledger.dead_letters.burial import Burial
from workers.traffic import Traffic

DAYS = 40
_TOPIC = "payments.raw"
_PARTITIONS = 12
_BAD_RATIO = 0.04
_CRITICAL_RATIO = 0.005
_MAX_EVENT_BYTES = 1_048_576

_AT_PROVIDERS = (
    *(failures.AnswerTimeout, failures.ServiceUnavailable, failures.ServerError, failures.GatewayTimeout),
    *(failures.ConnectionReset, failures.ConnectTimeout, failures.ValidationFailed, failures.Unanswered),
    *(failures.BadRequest, failures.Unauthorized, failures.NotFound, failures.Conflict, failures.Undecided),
    *(failures.ConnectionRefused, failures.DnsFailed, failures.TlsFailed, failures.Forbidden),
    *(failures.AnswerUnreadable, failures.DuplicateRequest, failures.ConnectionAborted),
)
_OPERATIONS = ("capture", "authorize", "find")
_AT_HOME = (
    *(failures.OutOfOrder, failures.AttemptsSpent, failures.RuleBroken, failures.TimeLimitReached),
    *(failures.Unexpected, failures.ProcessCrashed, failures.CapturedOtherAmount, failures.CompensationFailed),
    *(failures.Deadlock, failures.SerializationFailure, failures.DatabaseAway, failures.OutOfMemory),
    *(failures.ConstraintViolation, failures.DiskFull, failures.NetworkUnreachable, failures.SchemaMismatch),
    *(failures.QueueAway, failures.KafkaAway, failures.StatementRefused),
)
_STATES = {"pending": 45, "parked": 38, "resolved": 9, "discarded": 6, "replaying": 2}
"""State → how many of a hundred letters are in it."""

_WORDS = ("blue", "shirt", "coffee", "gift", "season", "ticket", "refill", "monthly", "plan", "seat", "upgrade", "size")
_STACK = """
payments/flows/process.py:88 in process
payments/flows/process.py:117 in _work
payments/flows/acting.py:141 in act
payments/flows/acting.py:196 in _step
payments/flows/guard.py:52 in call
payments/resilience/breaker.py:63 in call
payments/gateway/gateway.py:71 in capture
payments/gateway/client.py:98 in post
payments/gateway/transport.py:44 in send
payments/borders/http.py:35 in failure_of_http
""".strip()


class Cause(msgspec.Struct, frozen=True):
    """What a letter died of, and what is written about that."""

    failure: Failure
    told: dict[str, Any]


class Corpse(msgspec.Struct, frozen=True):
    """A record that is to be dead; without an event where it could not be read."""

    record: Record
    event: Event | None
    cause: Cause


def fill(url: str, count: int, seed: int = 1) -> None:
    """Put `count` dead letters into the ledger at `url`, the oldest first."""
    random = Random(seed)  # noqa: S311 - made-up traffic, to be had again by its seed
    corpses = list(islice(_corpses(random, seed), count))
    with psycopg.connect(url) as connection:
        connection.execute("SET LOCAL work_mem = '512MB'")
        connection.execute(_STAGE)
        with connection.cursor().copy(_COPY) as copy:
            for row in _rows(random, corpses):
                copy.write_row(row)
        aliases.learn(connection, [link for each in corpses if each.event for link in aliases.told_by(each.event)])
        connection.execute(_TAKE_IN)
        connection.execute("ALTER TABLE dead_letters DISABLE TRIGGER dead_letter_is_told")
        connection.execute(_BURY)
        connection.execute("ALTER TABLE dead_letters ENABLE TRIGGER dead_letter_is_told")


def _corpses(random: Random, seed: int) -> Iterator[Corpse]:
    causes = {provider: _causes(provider) for provider in Provider}
    weights = list(accumulate(1 / (place + 2) for place in range(len(causes[Provider.STRIPE]))))
    traffic = Traffic(seed, bad_ratio=_BAD_RATIO, duplicate_ratio=0.0)
    for offset, message in enumerate(traffic.messages(10**9)):
        record = Record(
            topic=_TOPIC,
            partition=offset % _PARTITIONS,
            offset=offset // _PARTITIONS,
            key=message.key,
            headers=[*message.headers],
            payload=_longer(random, message.value),
        )
        try:
            event = decode_record(record, _MAX_EVENT_BYTES)
        except Undecodable as failure:
            yield Corpse(record, None, _cause(failure))
        else:
            if event.kind is not Kind.IGNORED:
                yield Corpse(record, event, random.choices(causes[event.provider], cum_weights=weights)[0])


def _longer(random: Random, payload: bytes) -> bytes:
    """Return the message with what merchants add to it."""
    if not payload.endswith(b"}"):
        return payload
    words = " ".join(random.choices(_WORDS, k=random.randint(8, 60)))
    return payload[:-1] + b',"description":"%s"}' % words.encode()


def _causes(provider: Provider) -> list[Cause]:
    """Return what events of the provider die of, the commonest first."""
    abroad = [
        kind(f"{provider} did not do what was asked for", service=provider.value, operation=operation)
        for kind in _AT_PROVIDERS
        for operation in _OPERATIONS
    ]
    at_home = [kind(f"the worker met {kind.kind.replace('_', ' ')}", operation="process") for kind in _AT_HOME]
    return [_cause(failure) for failure in (*abroad[:12], *at_home[:6], *abroad[12:], *at_home[6:])]


def _cause(failure: Failure) -> Cause:
    return Cause(failure, Burial(reason=failure.code, failure=failure).parameters())


def _rows(random: Random, corpses: Sequence[Corpse]) -> Iterator[tuple[Any, ...]]:
    now = datetime.now(UTC)
    states = random.choices(list(_STATES), list(_STATES.values()), k=len(corpses))
    step = timedelta(days=DAYS) / len(corpses)
    for place, (corpse, state) in enumerate(zip(corpses, states, strict=True)):
        died_at = now - step * (len(corpses) - place)
        yield _row(random, corpse, "parked" if corpse.event is None else state, died_at, now)


def _row(random: Random, corpse: Corpse, state: str, died_at: datetime, now: datetime) -> tuple[Any, ...]:
    event, record, told = corpse.event, corpse.record, corpse.cause.told
    message = f"{told['message']} (request {random.getrandbits(48):012x})"
    replays = random.randint(int(state in ("resolved", "replaying")), 3) if event else 0
    has_ended = state in ("resolved", "discarded")
    return (
        *(event and event.provider.value, event and event.event_id, event and event.kind.value),
        *(event and event.ordering_key, event and encode(event).decode()),
        *(record.topic, record.partition, record.offset, record.key, record.headers_json(), record.payload),
        *(state, "settled" if state == "resolved" else None),
        *(told["reason"], told["failure_type"], told["category"], message, _STACK if event else "", told["service"]),
        *(told["operation"], told["fingerprint"]),
        "amount_over_limit" if random.random() < _CRITICAL_RATIO else "normal",
        _attempts(random, corpse, message, died_at),
        *(_replays(replays, state, message, died_at), replays, died_at - timedelta(minutes=4), died_at),
        now + timedelta(minutes=random.uniform(-5000, 60)) if state == "pending" else None,
        min(now, died_at + timedelta(hours=random.expovariate(0.1))) if has_ended else None,
    )


def _attempts(random: Random, corpse: Corpse, message: str, died_at: datetime) -> str:
    failure = corpse.cause.failure
    line = {
        "kind": failure.kind,
        "code": failure.code,
        "service": failure.service,
        "operation": failure.operation,
        "message": message,
        "provider_message": "",
        "correlation_id": corpse.event and corpse.event.event_id,
        "at": died_at,
    }
    attempts = random.randint(1, 5) if corpse.event else 1
    return msgspec.json.encode([{"attempt": number + 1, **line} for number in range(attempts)]).decode()


def _replays(count: int, state: str, message: str, died_at: datetime) -> str:
    lines: list[dict[str, Any]] = []
    for number in range(1, count + 1):
        lines.append({"mark": "sent", "replay": number, "by": "beat", "job": None, "at": died_at})
        if number < count or state not in ("resolved", "replaying"):
            lines.append({"mark": "failed", "replay": number, "message": message, "at": died_at})
    return msgspec.json.encode(lines).decode()


_STAGE = """
CREATE TEMPORARY TABLE stage (
    place           BIGINT      GENERATED ALWAYS AS IDENTITY,
    provider        TEXT,
    event_id        TEXT,
    kind            TEXT,
    ordering_key    TEXT,
    event           JSONB,
    topic           TEXT,
    partition       INTEGER,
    "offset"        BIGINT,
    key             BYTEA,
    headers         JSONB,
    payload         BYTEA,
    state           dead_letter_state,
    resolution      TEXT,
    reason          TEXT,
    failure_type    TEXT,
    category        TEXT,
    message         TEXT,
    stack           TEXT,
    service         TEXT,
    operation       TEXT,
    fingerprint     TEXT,
    criticality     TEXT,
    failures        JSONB,
    replays         JSONB,
    replay_count    INTEGER,
    first_failed_at TIMESTAMPTZ,
    last_failed_at  TIMESTAMPTZ,
    next_replay_at  TIMESTAMPTZ,
    ended_at        TIMESTAMPTZ
) ON COMMIT DROP
"""

_COPY = """
COPY stage (provider, event_id, kind, ordering_key, event, topic, partition, "offset", key, headers, payload, state,
            resolution, reason, failure_type, category, message, stack, service, operation, fingerprint, criticality,
            failures, replays, replay_count, first_failed_at, last_failed_at, next_replay_at, ended_at) FROM STDIN
"""

_TAKE_IN = """
INSERT INTO inbox (provider, event_id, kind, ordering_key, event, topic, partition, "offset", key, headers, payload,
                   state, attempts, wakeup, failures, received_at, finished_at)
SELECT provider, event_id, kind, coalesce(aliases.ordering_key, stage.ordering_key), event, topic, partition, "offset",
       key, headers, payload,
       CASE state WHEN 'resolved' THEN 'settled' WHEN 'replaying' THEN 'received' ELSE 'dead' END::inbox_state,
       jsonb_array_length(failures), nextval('wakeups'), failures, first_failed_at, coalesce(ended_at, last_failed_at)
  FROM stage
  LEFT JOIN aliases ON aliases.alias = stage.ordering_key
 WHERE event IS NOT NULL
 ORDER BY place
"""

_BURY = """
INSERT INTO dead_letters (
       inbox_id, origin, provider, event_id, ordering_key, event, correlation_id, topic, partition, "offset", key,
       headers, payload, state, resolution, reason, failure_type, category, message, stack, service, operation,
       fingerprint, criticality, alerted_at, failures, replays, replay_count, first_failed_at, last_failed_at,
       next_replay_at, ended_at, created_at)
SELECT inbox.id, CASE WHEN inbox.id IS NULL THEN 'intake' ELSE 'process' END, provider, event_id,
       inbox.ordering_key, stage.event, event_id, stage.topic, stage.partition, stage."offset", stage.key,
       stage.headers, stage.payload, stage.state, resolution, reason, failure_type, category, message, stack, service,
       operation, fingerprint, criticality, last_failed_at, stage.failures, replays, replay_count, first_failed_at,
       last_failed_at, next_replay_at, ended_at, last_failed_at
  FROM stage
  LEFT JOIN inbox USING (provider, event_id)
 ORDER BY place
"""
