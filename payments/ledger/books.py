"""The books: payments, and the entries of their money."""

from collections.abc import Sequence
from typing import Any

import msgspec

from payments.event import Provider
from payments.ledger.aliases import ROOT
from payments.ledger.database import Database
from payments.ledger.inbox import CORRELATION
from payments.payment import Payment, Status

PAYMENT_COLUMNS = """
payments.provider, payments.payment_id, payments.status, payments.currency, payments.amount_minor,
payments.captured_minor, payments.refunded_total_minor, payments.refunds, payments.disputes,
payments.authorization_id, payments.capture_id, payments.customer_reference, payments.customer_email, payments.version
"""


def payment_of(ordering_key: str, row: Sequence[Any]) -> Payment | None:
    """Return the payment in a row of `PAYMENT_COLUMNS`, or None where an outer join found none."""
    if row[0] is None:
        return None
    return Payment(
        ordering_key=ordering_key,
        provider=Provider(row[0]),
        payment_id=row[1],
        status=Status(row[2]),
        currency=row[3],
        amount_minor=row[4],
        captured_minor=row[5],
        refunded_total_minor=row[6],
        refunds=row[7],
        disputes=row[8],
        authorization_id=row[9],
        capture_id=row[10],
        customer_reference=row[11],
        customer_email=row[12],
        version=row[13],
    )


def payment_parameters(payment: Payment) -> dict[str, Any]:
    """Return `payment` as parameters of a statement."""
    told = msgspec.structs.asdict(payment)
    told["refunds"] = msgspec.json.encode(payment.refunds).decode()
    told["disputes"] = msgspec.json.encode(payment.disputes).decode()
    return told | {"refunded_minor": payment.refunded_minor}


class Passage(msgspec.Struct, frozen=True, kw_only=True):
    """One event of a payment, and what became of it: JSON texts as the ledger keeps them."""

    inbox_id: int
    event_id: str
    kind: str
    state: str
    attempts: int
    due_at: str
    correlation_id: str
    trace_id: str | None
    saga: msgspec.Raw
    failures: msgspec.Raw


class Books:
    """Reading single payments."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def passages(self, name: str) -> list[Passage]:
        """Return every event of the payment, in its line's order."""
        return [
            Passage(
                inbox_id=row[0],
                event_id=row[1],
                kind=row[2],
                state=row[3],
                attempts=row[4],
                due_at=row[5].isoformat(),
                correlation_id=row[6],
                trace_id=row[7],
                saga=msgspec.Raw(row[8].encode()),
                failures=msgspec.Raw(row[9].encode()),
            )
            for row in self._database.rows(_PASSAGES, {"name": name})
        ]

    def declines(self, name: str) -> list[dict[str, str]]:
        """Return why the provider said no to this payment, each time that it did."""
        rows = self._database.rows(_DECLINES, {"name": name})
        return [{"kind": row[0], "code": row[1], "declined_at": row[2].isoformat()} for row in rows]


# Two halves, since each has an index of its own.
_PASSAGES = f"""
SELECT id, event_id, kind, state, attempts, due_at, {CORRELATION}, trace_id, saga::TEXT, failures::TEXT
  FROM (SELECT *
          FROM inbox
         WHERE ordering_key = {ROOT}
           AND state IN ('received', 'processing', 'retrying', 'waiting', 'verifying')
         UNION ALL
        SELECT *
          FROM inbox
         WHERE ordering_key = {ROOT}
           AND state IN ('settled', 'declined', 'ignored', 'superseded', 'dead')) AS events
 ORDER BY id
"""  # noqa: S608 - put together from constants

_DECLINES = f"""
SELECT kind, code, declined_at
  FROM declines
 WHERE ordering_key = {ROOT}
 ORDER BY declined_at
"""  # noqa: S608 - put together from constants
