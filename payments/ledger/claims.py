"""A claim: an inbox row that is one worker's own while its lease lasts. Every write names the claim's token."""

from collections.abc import Sequence
from typing import Any

import msgspec
from psycopg import errors

from payments.event import Event, decode
from payments.failures import Failure
from payments.ledger import aliases
from payments.ledger.books import PAYMENT_COLUMNS, payment_of
from payments.ledger.database import Database
from payments.ledger.inbox import CORRELATION
from payments.ledger.state import State
from payments.payment import Payment
from payments.saga import Line


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker holds: the event, its payment as it is booked, and the token to write with."""

    inbox_id: int
    token: int
    attempts: int
    ordering_key: str
    event: Event
    payment: Payment | None
    yielding_seconds: float
    """For how long this event has waited for another one of its payment; 0 if it has not."""
    put_off_seconds: float = 0.0
    """How long ago it was first put off; 0 if it never was."""
    waited_seconds: float = 0.0
    """How much of that was no fault of the payment, such as an open breaker."""
    saga: tuple[Line, ...] = ()
    """What was done at the provider before."""
    age_seconds: float = 0.0
    """How long ago it was taken in."""
    after_failure: str | None = None
    """The type of the failure that its latest attempt met, if one did."""
    failing_seconds: float = 0.0
    """How long ago its first attempt failed, also before it was dead; 0 if none did."""
    correlation_id: str = ""
    trace_parent: str | None = None
    """What work on it hangs on in its trace."""

    def parameters(self) -> dict[str, Any]:
        """Return what every write names."""
        return {"id": self.inbox_id, "token": self.token, "ordering_key": self.ordering_key}


class Claims:
    """Taking rows, keeping them, and giving them back unfinished. All times are the database's."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def take(self, inbox_id: int, lease_seconds: float) -> Claim | None:
        """Take the row for `lease_seconds`, counting an attempt.

        Returns None where it has ended, is not due, is somebody's, or an earlier event of its payment comes first.
        """
        row = self._take(inbox_id, lease_seconds)
        if row is None and self._database.run(_REJOIN, {"id": inbox_id}):
            row = self._take(inbox_id, lease_seconds)
        if row is None:
            return None
        return Claim(
            inbox_id=inbox_id,
            token=row[0],
            attempts=row[1],
            ordering_key=row[2],
            event=msgspec.structs.replace(decode(row[3]), ordering_key=row[2]),
            yielding_seconds=row[4],
            put_off_seconds=row[5],
            waited_seconds=row[6],
            saga=saga_lines(row[7]),
            age_seconds=row[8],
            after_failure=row[9],
            failing_seconds=row[10],
            correlation_id=row[11],
            trace_parent=row[12],
            payment=payment_of(row[2], row[13:]),
        )

    def state(self, inbox_id: int) -> State | None:
        """Return the state of the row, or None where there is no such row."""
        row = self._database.row(_STATE, {"id": inbox_id})
        return State(row[0]) if row else None

    def _take(self, inbox_id: int, lease_seconds: float) -> tuple[Any, ...] | None:
        try:
            return self._database.row(_TAKE, {"id": inbox_id, "lease_seconds": lease_seconds})
        except errors.UniqueViolation:  # inbox_one_at_work: another event of this payment is being worked on
            return None

    def keep(self, claim: Claim, lease_seconds: float, lines: Sequence[Line], alias: str | None = None) -> bool:
        """Write `lines` down, prolong the lease, and learn another name of the payment. False: no longer ours.

        Where something has begun under that other name, ours is given back, due at once, and joins that line.
        """
        told = claim.parameters() | {"lease_seconds": lease_seconds, "lines": saga_json(lines)}
        if alias is None:
            return bool(self._database.run(_KEEP, told))
        with self._database.transaction() as connection:
            if not connection.execute(_KEEP, told).rowcount:
                return False
            if aliases.join(connection, alias, claim.ordering_key):
                return True
            connection.execute(_GIVE_BACK, told)
            aliases.learn(connection, [(claim.ordering_key, alias)])
            return False

    def turn_round(
        self, claim: Claim, lease_seconds: float, lines: Sequence[Line], failure: Failure | None
    ) -> Claim | None:
        """Write down that the saga goes backward from here, with attempts and a time of its own. None: no longer ours.

        `failure` is why, where it is one and no decline.
        """
        told = claim.parameters() | {"lease_seconds": lease_seconds, "lines": saga_json(lines)}
        told["failures"] = f"[{history(claim, failure)}]" if failure is not None else "[]"
        if not self._database.run(_TURN_ROUND, told):
            return None
        return msgspec.structs.replace(claim, attempts=1, put_off_seconds=0.0, waited_seconds=0.0)

    def give_back(self, claim: Claim) -> None:
        """Give the row back as it was taken, due at once; the attempt is not spent. Nothing where it is not ours."""
        self._database.run(_GIVE_BACK, claim.parameters())

    def retry_later(
        self, claim: Claim, delay_seconds: float, failure: Failure, state: State, lines: Sequence[Line] = ()
    ) -> bool:
        """Give the row back as `state`, due in `delay_seconds`; the attempt is spent. False: no longer ours."""
        told = {"delay_seconds": delay_seconds, "failure": history(claim, failure), "state": state.value}
        return bool(self._database.insist(_RETRY_LATER, claim.parameters() | told | {"lines": saga_json(lines)}))

    def wait(self, claim: Claim, delay_seconds: float, code: str, lines: Sequence[Line] = ()) -> bool:
        """Give the row back, due in `delay_seconds`, for no fault of its own; the attempt is not spent.

        `code` says what for. Those behind it wait as well. False: no longer ours.
        """
        told = {"delay_seconds": delay_seconds, "code": code, "lines": saga_json(lines)}
        return bool(self._database.insist(_WAIT, claim.parameters() | told))

    def yield_turn(self, claim: Claim, delay_seconds: float) -> tuple[bool, int | None]:
        """Let later events of the payment go first, and come back in `delay_seconds`; the attempt is not spent.

        Returns whether the row was still ours, and the id of the next in line.
        """
        row = self._database.row(_YIELD_TURN, claim.parameters() | {"delay_seconds": delay_seconds})
        return (True, row[0]) if row else (False, None)


def history(claim: Claim, failure: Failure) -> str:
    """Return `failure` as JSON, to be appended to a row's history with the database's time."""
    told = {
        "attempt": claim.attempts,
        "kind": failure.kind,
        "code": failure.code,
        "service": failure.service,
        "operation": failure.operation,
        "message": failure.message,
        "provider_message": failure.provider_message,
        "correlation_id": failure.correlation_id,
    }
    return msgspec.json.encode(told).decode()


def saga_lines(told: str) -> tuple[Line, ...]:
    """Return the lines of a row's saga."""
    return _SAGA.decode(told)


def saga_json(lines: Sequence[Line]) -> str:
    """Return `lines` as JSON, to be appended to a row's saga with the database's time."""
    return msgspec.json.encode(lines).decode()


_SAGA = msgspec.json.Decoder(tuple[Line, ...])

# The lines that a statement appends to the row's saga; most have none.
SAGA_NOTED = """saga = CASE WHEN %(lines)s = '[]' THEN saga ELSE saga || stamped(%(lines)s::JSONB) END"""


# An event that yields is taken whenever it is asked for: its payment may just have moved.
_TAKE = f"""
WITH mine AS (
    UPDATE inbox AS row
       SET state = 'processing',
           token = token + 1,
           attempts = attempts + 1,
           lease_until = now() + make_interval(secs => %(lease_seconds)s)
     WHERE id = %(id)s
       AND state IN ('received', 'retrying', 'waiting', 'verifying')
       AND (due_at <= now() OR yielding_since IS NOT NULL)
       AND NOT EXISTS (SELECT FROM aliases WHERE aliases.alias = row.ordering_key)
       AND NOT EXISTS (
               SELECT
                 FROM inbox AS earlier
                WHERE earlier.ordering_key = row.ordering_key
                  AND earlier.id < row.id
                  AND earlier.yielding_since IS NULL
                  AND earlier.state IN ('received', 'processing', 'retrying', 'waiting', 'verifying'))
    RETURNING token, attempts, ordering_key, event::TEXT AS event,
              coalesce(extract(epoch FROM now() - yielding_since), 0)::FLOAT8 AS yielding_seconds,
              coalesce(extract(epoch FROM now() - put_off_since), 0)::FLOAT8 AS put_off_seconds,
              extract(epoch FROM waited)::FLOAT8 AS waited_seconds,
              saga::TEXT AS saga,
              extract(epoch FROM now() - received_at)::FLOAT8 AS age_seconds,
              failures -> -1 ->> 'kind' AS after_failure,
              coalesce(extract(epoch FROM now() - (failures -> 0 ->> 'at')::TIMESTAMPTZ), 0)::FLOAT8 AS failing_seconds,
              {CORRELATION} AS correlation_id,
              trace_parent
)
SELECT mine.*, {PAYMENT_COLUMNS}
  FROM mine
  LEFT JOIN payments USING (ordering_key)
"""  # noqa: S608 - the columns are a constant of ours

_STATE = """
SELECT state
  FROM inbox
 WHERE id = %(id)s
"""

# Another name of the payment was learned while this row was not looking.
_REJOIN = """
UPDATE inbox
   SET ordering_key = aliases.ordering_key
  FROM aliases
 WHERE inbox.id = %(id)s
   AND aliases.alias = inbox.ordering_key
   AND inbox.state IN ('received', 'retrying', 'waiting', 'verifying')
"""

_KEEP = f"""
UPDATE inbox
   SET lease_until = now() + make_interval(secs => %(lease_seconds)s),
       {SAGA_NOTED}
 WHERE id = %(id)s
   AND token = %(token)s
   AND state = 'processing'
"""  # noqa: S608 - put together from constants

_TURN_ROUND = f"""
UPDATE inbox
   SET lease_until = now() + make_interval(secs => %(lease_seconds)s),
       attempts = 1,
       put_off_since = NULL,
       waited = '0',
       {SAGA_NOTED},
       failures = failures || stamped(%(failures)s::JSONB)
 WHERE id = %(id)s
   AND token = %(token)s
   AND state = 'processing'
"""  # noqa: S608 - put together from constants

_GIVE_BACK = """
UPDATE inbox
   SET state = 'waiting',
       ordering_key = coalesce(
           (SELECT aliases.ordering_key FROM aliases WHERE alias = inbox.ordering_key), ordering_key),
       lease_until = NULL,
       attempts = attempts - 1,
       due_at = now()
 WHERE id = %(id)s
   AND token = %(token)s
   AND state = 'processing'
"""

# A name of the payment may have been learned while the row was at work.
_BACK_IN_LINE = """ordering_key = coalesce(
           (SELECT aliases.ordering_key FROM aliases WHERE alias = inbox.ordering_key), ordering_key),
       lease_until = NULL,
       due_at = now() + make_interval(secs => %(delay_seconds)s),
       put_off_since = coalesce(put_off_since, now())"""

_RETRY_LATER = f"""
UPDATE inbox
   SET state = %(state)s::inbox_state,
       {_BACK_IN_LINE},
       {SAGA_NOTED},
       failures = failures || stamped(jsonb_build_array(%(failure)s::JSONB))
 WHERE id = %(id)s
   AND token = %(token)s
   AND state = 'processing'
RETURNING id
"""  # noqa: S608 - put together from constants

_WAIT = f"""
UPDATE inbox
   SET state = 'waiting',
       {_BACK_IN_LINE},
       {SAGA_NOTED},
       attempts = attempts - 1,
       waiting_for = %(code)s,
       waited = waited + make_interval(secs => %(delay_seconds)s)
 WHERE id = %(id)s
   AND token = %(token)s
   AND state = 'processing'
RETURNING id
"""  # noqa: S608 - put together from constants

_YIELD_TURN = """
WITH mine AS (
    UPDATE inbox
       SET state = 'waiting',
           lease_until = NULL,
           attempts = attempts - 1,
           waiting_for = 'out_of_order',
           due_at = now() + make_interval(secs => %(delay_seconds)s),
           yielding_since = coalesce(yielding_since, now())
     WHERE id = %(id)s
       AND token = %(token)s
       AND state = 'processing'
    RETURNING id
)
SELECT (SELECT min(next.id)
          FROM inbox AS next
         WHERE next.ordering_key = %(ordering_key)s
           AND next.id <> %(id)s
           AND next.yielding_since IS NULL
           AND next.state IN ('received', 'retrying', 'waiting', 'verifying'))
  FROM mine
"""
