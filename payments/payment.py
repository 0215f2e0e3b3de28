"""A payment as the ledger knows it, and the entries that its money leaves in the books."""

from enum import StrEnum

import msgspec

from payments.event import Event, Provider
from payments.redaction import shown_without


class Status(StrEnum):
    """How far a payment has come."""

    PENDING = "pending"
    AUTHORIZED = "authorized"
    COMPLETED = "completed"
    PARTIALLY_REFUNDED = "partially_refunded"
    REFUNDED = "refunded"
    FAILED = "failed"
    VOIDED = "voided"


CAPTURED_STATUSES = frozenset({Status.COMPLETED, Status.PARTIALLY_REFUNDED, Status.REFUNDED})
"""The states in which money has been taken."""


class Payment(msgspec.Struct, frozen=True, kw_only=True):
    """One payment. All amounts in minor units of `currency`.

    `refunds` and `disputes` hold the amount of each by its id; `refunded_total_minor` is the largest total that the
    provider has told of. `version` counts the changes, and is 0 while the ledger has no row for it.
    """

    ordering_key: str
    provider: Provider
    payment_id: str
    currency: str
    amount_minor: int
    status: Status = Status.PENDING
    captured_minor: int = 0
    refunded_total_minor: int = 0
    refunds: dict[str, int] = msgspec.field(default_factory=dict)
    disputes: dict[str, int] = msgspec.field(default_factory=dict)
    authorization_id: str | None = None
    capture_id: str | None = None
    customer_reference: str | None = None
    customer_email: str | None = None
    version: int = 0

    @property
    def refunded_minor(self) -> int:
        """What has been given back: refunds told one by one, or the provider's own total where that is more."""
        return max(self.refunded_total_minor, sum(self.refunds.values()))

    def __repr__(self) -> str:
        """Show the payment without what is personal: a representation ends up in logs and error reports."""
        return shown_without(self, "customer_email")


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One side of a movement of money. `leg` is unique within its payment, so the same movement is booked once."""

    leg: str
    account: str
    amount_minor: int
    currency: str


def opened_by(event: Event) -> Payment:
    """Return the payment that the first event of its line opens.

    Precondition: `event.kind` is not `ignored`.
    """
    assert event.ordering_key is not None
    assert event.payment_id is not None
    assert event.currency is not None
    assert event.amount_minor is not None
    return Payment(
        ordering_key=event.ordering_key,
        provider=event.provider,
        payment_id=event.ordering_key.partition(":")[2],
        currency=event.currency,
        amount_minor=event.amount_minor,
        customer_reference=event.customer_reference,
        customer_email=event.customer_email,
    )


def with_customer(payment: Payment, event: Event) -> Payment:
    """Return the payment with the customer that the event names, where it knew none. What is known stays."""
    return msgspec.structs.replace(
        payment,
        customer_reference=payment.customer_reference or event.customer_reference,
        customer_email=payment.customer_email or event.customer_email,
    )


def movement(payment: Payment, name: str, amount_minor: int, *, debit: str, credit: str) -> tuple[Entry, Entry]:
    """Return the two entries of one movement; they sum to zero."""
    return (
        Entry(leg=f"{name}/debit", account=debit, amount_minor=amount_minor, currency=payment.currency),
        Entry(leg=f"{name}/credit", account=credit, amount_minor=-amount_minor, currency=payment.currency),
    )
