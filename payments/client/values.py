"""What the API tells of payments, as values: enums are lower-case text, and what nobody said is None."""

from datetime import UTC, datetime

import msgspec
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from payferry.v1 import payment_pb2 as messages
from payments.client.names import provider_name, status_name
from payments.money import format_minor


class Payment(msgspec.Struct, frozen=True, kw_only=True):
    """A payment as the ledger knows it.

    `amount`, `captured` and `refunded` are decimal text in major units (`12.50`), those with `_minor` the same in minor
    units. `customer_email` is masked unless our token may see it. `revision` counts the payment's changes, from 1.
    """

    id: str
    provider: str
    payment_id: str
    status: str
    currency: str
    amount: str
    captured: str
    refunded: str
    amount_minor: int
    captured_minor: int
    refunded_minor: int
    decimals: int
    customer_reference: str | None
    customer_email: str | None
    created_at: datetime | None
    updated_at: datetime | None
    revision: int


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """One payment. Where it is `stale`, the ledger could not be asked, and it stood so `age_seconds` ago."""

    payment: Payment
    stale: bool
    age_seconds: float


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Some payments, newest first. `total` fit the filter when the first page was read; no token: the last page."""

    payments: tuple[Payment, ...]
    next_page_token: str | None
    total: int


class Decline(msgspec.Struct, frozen=True, kw_only=True):
    """Why the provider said no to the payer; `code` is its own."""

    kind: str
    code: str
    declined_at: datetime | None


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """That a payment is as it is now. A watch goes on after it with `cursor`.

    Where the payment was there before the watch began, it is `existing`, and nothing is said of an event.
    """

    cursor: str
    payment: Payment
    existing: bool
    event_id: str | None
    kind: str | None
    ending: str | None
    occurred_at: datetime | None
    settled_at: datetime | None
    decline: Decline | None

    @property
    def at(self) -> datetime | None:
        """When the ledger booked it."""
        return self.settled_at or self.payment.updated_at


def reading_of(answer: messages.GetPaymentResponse) -> Reading:
    """Return an answer as a value."""
    return Reading(payment=payment_of(answer.payment), stale=answer.stale, age_seconds=answer.age_seconds)


def page_of(answer: messages.ListPaymentsResponse) -> Page:
    """Return an answer as a value."""
    return Page(
        payments=tuple(map(payment_of, answer.payments)),
        next_page_token=answer.next_page_token or None,
        total=answer.total,
    )


def payment_of(told: messages.Payment) -> Payment:
    """Return a payment as a value."""

    def decimal(amount_minor: int) -> str:
        return decimal_text(amount_minor, told.decimals)

    return Payment(
        id=told.id,
        provider=provider_name(told.provider),
        payment_id=told.payment_id,
        status=status_name(told.status),
        currency=told.currency,
        amount=decimal(told.amount_minor),
        captured=decimal(told.captured_minor),
        refunded=decimal(told.refunded_minor),
        amount_minor=told.amount_minor,
        captured_minor=told.captured_minor,
        refunded_minor=told.refunded_minor,
        decimals=told.decimals,
        customer_reference=told.customer_reference or None,
        customer_email=told.customer_email or None,
        created_at=moment(told, "created_at"),
        updated_at=moment(told, "updated_at"),
        revision=told.revision,
    )


def event_of(told: messages.PaymentEvent) -> Event:
    """Return an event as a value."""
    return Event(
        cursor=told.cursor,
        payment=payment_of(told.payment),
        existing=told.existing,
        event_id=told.event_id or None,
        kind=told.kind or None,
        ending=told.ending or None,
        occurred_at=moment(told, "occurred_at"),
        settled_at=moment(told, "settled_at"),
        decline=decline_of(told.decline) if told.HasField("decline") else None,
    )


def decline_of(told: messages.Decline) -> Decline:
    """Return a decline as a value."""
    return Decline(kind=told.kind, code=told.code, declined_at=moment(told, "declined_at"))


def decimal_text(amount_minor: int, decimals: int) -> str:
    """Return minor units as decimal text: 1250 with 2 decimals is `12.50`."""
    return format_minor(amount_minor, _ANY, exponents={_ANY: decimals})


def moment(told: Message, field: str) -> datetime | None:
    """Return a field's moment in UTC; None where it is not set."""
    if not told.HasField(field):
        return None
    at: Timestamp = getattr(told, field)
    return at.ToDatetime(tzinfo=UTC)


_ANY = "XXX"  # the decimals are the server's: providers count some currencies in their own way
