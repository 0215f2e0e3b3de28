"""The books: payments, and the entries of their money."""

from collections.abc import Sequence
from typing import Any

import msgspec

from payments.event import Provider
from payments.payment import Payment, Status

PAYMENT_COLUMNS = """
payments.provider, payments.payment_id, payments.status, payments.currency, payments.amount_minor,
payments.captured_minor, payments.refunded_total_minor, payments.refunds, payments.disputes,
payments.authorization_id, payments.capture_id, payments.version
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
        version=row[11],
    )


def payment_parameters(payment: Payment) -> dict[str, Any]:
    """Return `payment` as parameters of a statement."""
    told = msgspec.structs.asdict(payment)
    told["refunds"] = msgspec.json.encode(payment.refunds).decode()
    told["disputes"] = msgspec.json.encode(payment.disputes).decode()
    return told
