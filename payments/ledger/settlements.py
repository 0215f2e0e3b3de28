"""A settlement: everything that ends an event, in one statement under the claim's token, or nothing."""

from collections.abc import Sequence
from typing import Any

import msgspec
import psycopg

from payments.envelope import headers_json
from payments.failures import CircuitOpen, DatabaseAway, WriteConflict
from payments.ledger import aliases
from payments.ledger.books import payment_parameters
from payments.ledger.claims import SAGA_NOTED, Claim, history, saga_json
from payments.ledger.database import Connection, Database, columns
from payments.ledger.dead_letters.burial import Burial
from payments.ledger.inbox import CORRELATION
from payments.ledger.state import State
from payments.payment import Entry, Payment
from payments.saga import Line


class Ended(msgspec.Struct, frozen=True):
    """The event has ended. `successor_id` is the next event of its payment, if one waits.

    `left_out` is the code of what kept an optional part from being written; the rest stands.
    """

    successor_id: int | None
    left_out: str | None = None


class Announcement(msgspec.Struct, frozen=True, kw_only=True):
    """What the outbox is to send: JSON for a topic, keyed by the payment, with headers of name and text."""

    topic: str
    payload: bytes
    headers: tuple[tuple[str, str], ...] = ()


class Booking(msgspec.Struct, frozen=True):
    """The payment as it is from now on, and what its money leaves in the books."""

    payment: Payment
    entries: tuple[Entry, ...] = ()


class Decline(msgspec.Struct, frozen=True):
    """Why the provider said no to the payer: the type of the failure, and the provider's own code."""

    kind: str
    code: str


class Settlements:
    """Ending an event."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def book(
        self,
        claim: Claim,
        state: State,
        booking: Booking,
        news: Announcement,
        *,
        lines: Sequence[Line] = (),
        decline: Decline | None = None,
    ) -> Ended | None:
        """End the event as `state`, with its payment, its entries, its saga's `lines`, the feed and the announcement.

        `decline` is optional: written under a savepoint, it is left out where the database does not take it. None: the
        event is no longer ours, or its payment is not the one that the claim has read.
        """
        told = claim.parameters() | _booked(booking) | _fed(claim, state, decline) | _news(news)
        told |= {"state": state.value, "lines": saga_json(lines)}
        if decline is None:
            return _ended(self._database.insist(_BOOK, told))
        return self._book_with(claim, told, decline)

    def close(self, claim: Claim, state: State) -> Ended | None:
        """End the event as `state`, changing nothing else. None: no longer ours."""
        return _ended(self._database.insist(_CLOSE, claim.parameters() | {"state": state.value, "lines": "[]"}))

    def bury(self, claim: Claim, burial: Burial, *, lines: Sequence[Line] = ()) -> Ended | None:
        """End the event as dead, with a dead letter that holds all that is known of it. None: no longer ours.

        A replay that fails goes on with the letter that it came from.
        """
        return _ended(self._database.insist(_BURY, _buried(claim, burial, lines)))

    def bury_booked(
        self, claim: Claim, burial: Burial, booking: Booking, news: Announcement, *, lines: Sequence[Line] = ()
    ) -> Ended | None:
        """End the event as dead, and book and announce what was done and taken back before. None: no longer ours."""
        told = _buried(claim, burial, lines) | _booked(booking) | _fed(claim, State.DEAD) | _news(news)
        return _ended(self._database.insist(_BURY_BOOKED, told))

    def _book_with(self, claim: Claim, told: dict[str, Any], decline: Decline) -> Ended | None:
        try:
            with self._database.transaction() as connection:
                ended = _ended(connection.execute(_BOOK, told).fetchone())
                left_out = _decline(connection, claim, decline) if ended is not None else None
        except (DatabaseAway, WriteConflict, CircuitOpen) as away:
            ended, left_out = _ended(self._database.insist(_BOOK, told)), away.code
        return msgspec.structs.replace(ended, left_out=left_out) if ended is not None else None


def _decline(connection: Connection, claim: Claim, decline: Decline) -> str | None:
    """Write why the provider said no, under a savepoint; return the SQLSTATE where the database does not take it."""
    try:
        with connection.transaction():  # inside another one, a savepoint
            connection.execute(_DECLINE, claim.parameters() | {"kind": decline.kind, "code": decline.code})
    except (psycopg.DataError, psycopg.IntegrityError, psycopg.ProgrammingError) as error:
        return error.sqlstate
    return None


_ENTRY_COLUMNS = ("legs", "accounts", "amounts_minor", "currencies")


def _booked(booking: Booking) -> dict[str, Any]:
    payment, entries = booking.payment, booking.entries
    legs = columns([(e.leg, e.account, e.amount_minor, e.currency) for e in entries], _ENTRY_COLUMNS)
    return payment_parameters(payment) | legs | {"alias": aliases.other_name(payment, payment.capture_id)}


def _buried(claim: Claim, burial: Burial, lines: Sequence[Line]) -> dict[str, Any]:
    told = claim.parameters() | burial.parameters()
    return told | {"failure": history(claim, burial.failure), "lines": saga_json(lines)}


def _fed(claim: Claim, state: State, decline: Decline | None = None) -> dict[str, Any]:
    """Return what the feed tells besides the payment: which event changed it, and how that ended."""
    event = claim.event
    return {
        "event_id": event.event_id,
        "kind": event.kind.value,
        "ending": state.value,
        "occurred_at": event.occurred_at,
        "decline_kind": decline.kind if decline else None,
        "decline_code": decline.code if decline else None,
    }


def _news(news: Announcement) -> dict[str, Any]:
    headers = headers_json([(name, text.encode()) for name, text in news.headers])
    return {"news_topic": news.topic, "news": news.payload.decode(), "news_headers": headers}


def _ended(row: tuple[Any, ...] | None) -> Ended | None:
    return Ended(successor_id=row[0]) if row else None


_SUCCESSOR = """
SELECT (SELECT min(next.id)
          FROM inbox AS next
         WHERE next.ordering_key = %(ordering_key)s
           AND next.id <> %(id)s
           AND next.state IN ('received', 'retrying', 'waiting', 'verifying'))
  FROM mine
"""

_SAME_PAYMENT = """
       AND NOT EXISTS (SELECT FROM aliases WHERE aliases.alias = inbox.ordering_key)
       AND %(version)s = coalesce(
               (SELECT version FROM payments WHERE payments.ordering_key = inbox.ordering_key), 0)"""

_END = f"""
    UPDATE inbox
       SET state = %(state)s::inbox_state,
           lease_until = NULL,
           {SAGA_NOTED},
           finished_at = now()
     WHERE id = %(id)s
       AND token = %(token)s
       AND state = 'processing'"""  # noqa: S608 - put together from constants

# Whoever replays it begins with a time of its own.
_DEAD = f"""
    UPDATE inbox
       SET state = 'dead',
           lease_until = NULL,
           finished_at = now(),
           put_off_since = NULL,
           waited = '0',
           {SAGA_NOTED},
           failures = failures || stamped(jsonb_build_array(%(failure)s::JSONB))
     WHERE id = %(id)s
       AND token = %(token)s
       AND state = 'processing'"""  # noqa: S608 - put together from constants

_ANNOUNCED = """announced AS (
    INSERT INTO outbox (topic, key, headers, payload)
    SELECT %(news_topic)s, ordering_key, %(news_headers)s::JSONB, %(news)s::JSONB
      FROM mine
)"""

# A claim that had to wait for another settlement of its payment may have read the payment before that, and the payment
# may have got another name meanwhile: _SAME_PAYMENT.
_BOOKED = """payment AS (
    INSERT INTO payments (ordering_key, provider, payment_id, status, currency, amount_minor, captured_minor,
                          refunded_total_minor, refunds, disputes, authorization_id, capture_id,
                          customer_reference, customer_email, changed_by, version)
    SELECT ordering_key, %(provider)s, %(payment_id)s, %(status)s, %(currency)s, %(amount_minor)s, %(captured_minor)s,
           %(refunded_total_minor)s, %(refunds)s::JSONB, %(disputes)s::JSONB, %(authorization_id)s, %(capture_id)s,
           %(customer_reference)s, %(customer_email)s, pg_current_xact_id(), 1
      FROM mine
        ON CONFLICT (ordering_key) DO UPDATE
       SET status = excluded.status,
           amount_minor = excluded.amount_minor,
           captured_minor = excluded.captured_minor,
           refunded_total_minor = excluded.refunded_total_minor,
           refunds = excluded.refunds,
           disputes = excluded.disputes,
           authorization_id = excluded.authorization_id,
           capture_id = excluded.capture_id,
           customer_reference = excluded.customer_reference,
           customer_email = excluded.customer_email,
           changed_by = excluded.changed_by,
           version = payments.version + 1,
           updated_at = now()
    RETURNING ordering_key, created_at, version
), fed AS (
    INSERT INTO payment_events (
           ordering_key, event_id, kind, ending, occurred_at, decline_kind, decline_code,
           provider, payment_id, status, currency, amount_minor, captured_minor, refunded_minor,
           customer_reference, created_at, revision)
    SELECT ordering_key, %(event_id)s, %(kind)s, %(ending)s, %(occurred_at)s, %(decline_kind)s, %(decline_code)s,
           %(provider)s, %(payment_id)s, %(status)s, %(currency)s, %(amount_minor)s, %(captured_minor)s,
           %(refunded_minor)s, %(customer_reference)s, created_at, version
      FROM payment
), booked AS (
    INSERT INTO entries (ordering_key, leg, account, amount_minor, currency, inbox_id)
    SELECT ordering_key, leg, account, amount_minor, currency, id
      FROM mine
     CROSS JOIN unnest(%(legs)s::TEXT[], %(accounts)s::TEXT[], %(amounts_minor)s::BIGINT[], %(currencies)s::TEXT[])
        AS entry (leg, account, amount_minor, currency)
), learned AS (
    INSERT INTO aliases (alias, ordering_key)
    SELECT %(alias)s::TEXT, ordering_key
      FROM mine
     WHERE %(alias)s::TEXT IS NOT NULL
        ON CONFLICT (alias) DO NOTHING
)"""

# A letter that was sent back and has failed again keeps its number, its history and its first failure.
_BURIED = f"""buried AS (
    INSERT INTO dead_letters AS letter (
           inbox_id, provider, event_id, ordering_key, event, topic, partition, "offset", key, headers, payload,
           correlation_id, trace_id, trace_parent, failures,
           reason, failure_type, category, message, stack, service, operation, fingerprint, criticality,
           state, first_failed_at, next_replay_at)
    SELECT id, provider, event_id, ordering_key, event, topic, partition, "offset", key, headers, payload,
           {CORRELATION}, trace_id, trace_parent, failures,
           %(reason)s, %(failure_type)s, %(category)s, %(message)s, %(stack)s, %(service)s, %(operation)s,
           %(fingerprint)s, %(criticality)s,
           CASE WHEN %(replays)s > 0 THEN 'pending' ELSE 'parked' END::dead_letter_state,
           coalesce((failures -> 0 ->> 'at')::TIMESTAMPTZ, now()),
           CASE WHEN %(replays)s > 0 THEN now() + make_interval(secs => least(%(base_seconds)s, %(cap_seconds)s)) END
      FROM mine
        ON CONFLICT (inbox_id) WHERE inbox_id IS NOT NULL AND replaced_by IS NULL DO UPDATE
       SET ordering_key = excluded.ordering_key,
           failures = excluded.failures,
           reason = excluded.reason,
           failure_type = excluded.failure_type,
           category = excluded.category,
           message = excluded.message,
           stack = excluded.stack,
           service = excluded.service,
           operation = excluded.operation,
           fingerprint = excluded.fingerprint,
           criticality = excluded.criticality,
           alerted_at = CASE WHEN letter.criticality = excluded.criticality THEN letter.alerted_at END,
           state = CASE WHEN letter.replay_count < %(replays)s THEN 'pending' ELSE 'parked' END::dead_letter_state,
           resolution = NULL,
           ended_at = NULL,
           last_failed_at = now(),
           next_replay_at = CASE WHEN letter.replay_count < %(replays)s THEN now() + make_interval(secs => least(
               %(base_seconds)s * %(factor)s ^ letter.replay_count, %(cap_seconds)s)) END,
           replays = letter.replays || jsonb_build_array(jsonb_build_object(
               'replay', letter.replay_count, 'mark', 'failed', 'failure_type', excluded.failure_type,
               'reason', excluded.reason, 'message', excluded.message, 'at', now()))
)"""  # noqa: S608 - put together from constants

# Where the event came out of a dead letter, that has reached its end too.
_RESOLVED = """resolved AS (
    UPDATE dead_letters
       SET state = 'resolved',
           resolution = %(state)s,
           next_replay_at = NULL,
           ended_at = now(),
           replays = replays || jsonb_build_array(jsonb_build_object(
               'replay', replay_count, 'mark', 'resolved', 'ending', %(state)s::TEXT, 'at', now()))
      FROM mine
     WHERE dead_letters.inbox_id = mine.id
       AND dead_letters.replaced_by IS NULL
       AND dead_letters.state <> 'resolved'
)"""

_BOOK = f"""
WITH mine AS ({_END}{_SAME_PAYMENT}
    RETURNING id, ordering_key
), {_BOOKED}, {_RESOLVED}, {_ANNOUNCED}
{_SUCCESSOR}"""

_CLOSE = f"""
WITH mine AS ({_END}
    RETURNING id
), {_RESOLVED}
{_SUCCESSOR}"""

_BURY = f"""
WITH mine AS ({_DEAD}
    RETURNING *
), {_BURIED}
{_SUCCESSOR}"""

_BURY_BOOKED = f"""
WITH mine AS ({_DEAD}{_SAME_PAYMENT}
    RETURNING *
), {_BOOKED}, {_BURIED}, {_ANNOUNCED}
{_SUCCESSOR}"""

_DECLINE = """
INSERT INTO declines (inbox_id, ordering_key, kind, code)
VALUES (%(id)s, %(ordering_key)s, %(kind)s, %(code)s)
    ON CONFLICT (inbox_id) DO UPDATE
   SET kind = excluded.kind,
       code = excluded.code,
       declined_at = excluded.declined_at
"""
