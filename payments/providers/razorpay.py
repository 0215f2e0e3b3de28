"""What Razorpay's webhooks mean: https://razorpay.com/docs/webhooks/payloads/.

Amounts are integers in the currency's subunit and are passed through: INR 295 is 29500, JPY 295 is 295, KWD 295.990 is
295990 (Razorpay wants the last digit of a three-decimal amount to be 0). That is ISO 4217, so there is no table here.
"""

import hashlib
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

from payments.event import Event, Kind, Provider, ordering_key
from payments.failures import Undecodable
from payments.providers.customer import ABSENT, NOBODY, Customer, email_of, reference_of, value_of
from payments.providers.shape import (
    Identifier,
    MinorAmount,
    UnixSeconds,
    currency_code,
    from_unix,
    identifier,
    ignored,
    text_map,
)


class Meaning(NamedTuple):
    """What an event says: its kind, and where in the payload the entity is that it is about."""

    kind: Kind
    subject: str


MEANINGS = {
    "payment.authorized": Meaning(Kind.AUTHORIZED, "payment"),
    "payment.captured": Meaning(Kind.CAPTURED, "payment"),
    "payment.failed": Meaning(Kind.FAILED, "payment"),
    "order.paid": Meaning(Kind.CAPTURED, "payment"),
    "refund.processed": Meaning(Kind.REFUNDED, "refund"),  # refund.created and refund.failed move no money
    "payment.dispute.created": Meaning(Kind.DISPUTED, "dispute"),
}
"""Every other event is ignored."""


NO_EMAIL = "void@razorpay.com"
"""What Razorpay's checkout fills in where a customer gave no address."""


class Payment(msgspec.Struct):
    """https://razorpay.com/docs/api/payments/entity."""

    id: Identifier
    amount: MinorAmount
    currency: str
    order_id: Identifier | None = None
    created_at: UnixSeconds | None = None
    customer_id: msgspec.Raw = ABSENT
    email: msgspec.Raw = ABSENT
    notes: Any = None
    """An object, or `[]` where there are none."""


class Refund(msgspec.Struct):
    """https://razorpay.com/docs/api/refunds/entity."""

    id: Identifier
    payment_id: Identifier
    amount: MinorAmount
    currency: str
    created_at: UnixSeconds | None = None
    notes: Any = None


class Dispute(msgspec.Struct):
    """https://razorpay.com/docs/api/disputes/entity."""

    id: Identifier
    payment_id: Identifier
    amount: MinorAmount
    currency: str
    created_at: UnixSeconds | None = None
    notes: Any = None


Entity = Payment | Refund | Dispute


T = TypeVar("T")


class Wrapped(msgspec.Struct, Generic[T]):
    """An entity, one level down."""

    entity: T


class PaymentPayload(msgspec.Struct):
    """The payload of an event about a payment. Early webhooks put `created_at` in here."""

    payment: Wrapped[Payment]
    created_at: UnixSeconds | None = None


class RefundPayload(msgspec.Struct):
    """The payload of an event about a refund."""

    refund: Wrapped[Refund]
    created_at: UnixSeconds | None = None


class DisputePayload(msgspec.Struct):
    """The payload of an event about a dispute."""

    dispute: Wrapped[Dispute]
    created_at: UnixSeconds | None = None


class Webhook(msgspec.Struct, Generic[T]):
    """What all of Razorpay's webhooks look like."""

    payload: T
    created_at: UnixSeconds | None = None


class Envelope(msgspec.Struct):
    """All that is asked of an event that is ignored."""

    event: Identifier
    created_at: UnixSeconds
    contains: Any = None
    payload: Any = None


def decode(raw: bytes, event_type: str, event_id: str | None) -> Event:
    """Return what a Razorpay event means. Raises msgspec.DecodeError and Undecodable.

    Razorpay names an event in the header `x-razorpay-event-id` alone. Without it the id is the event's name and its
    entity's id, the same for every delivery: `payment.captured:pay_x`.
    """
    given = None if event_id is None else identifier(event_id, "$")
    meaning = MEANINGS.get(event_type)
    if meaning is None:
        return _ignored(raw, given)
    webhook = _DECODERS[meaning.subject].decode(raw)
    entity: Entity = getattr(webhook.payload, meaning.subject).entity
    path = f"$.payload.{meaning.subject}.entity"
    return _event(
        entity,
        path,
        kind=meaning.kind,
        event_id=given or identifier(f"{event_type}:{entity.id}", f"{path}.id"),
        created_at=_first(webhook.created_at, webhook.payload.created_at, entity.created_at),
    )


def _event(entity: Entity, path: str, *, kind: Kind, event_id: str, created_at: int) -> Event:
    payment_id = entity.id if isinstance(entity, Payment) else entity.payment_id
    customer = _customer(entity) if isinstance(entity, Payment) else NOBODY
    return Event(
        provider=Provider.RAZORPAY,
        event_id=event_id,
        kind=kind,
        payment_id=payment_id,
        amount_minor=entity.amount,
        currency=currency_code(entity.currency, f"{path}.currency"),
        occurred_at=from_unix(created_at),
        ordering_key=ordering_key(Provider.RAZORPAY, payment_id),
        reference_id=None if isinstance(entity, Payment) else entity.id,
        parent_id=entity.order_id if isinstance(entity, Payment) else None,
        metadata=text_map(entity.notes),
        customer_reference=customer.reference,
        customer_email=customer.email,
    )


def _customer(payment: Payment) -> Customer:
    email = email_of(value_of(payment.email))
    return Customer(reference_of(value_of(payment.customer_id)), None if email == NO_EMAIL else email)


def _first(*created_at: int | None) -> int:
    for seconds in created_at:
        if seconds is not None:
            return seconds
    raise Undecodable("$.created_at", "missing")


def _ignored(raw: bytes, given: str | None) -> Event:
    envelope = _ENVELOPE.decode(raw)
    event_id = given or identifier(f"{envelope.event}:{_subject_id(envelope, raw)}", "$.event")
    return ignored(Provider.RAZORPAY, event_id, from_unix(envelope.created_at))


def _subject_id(envelope: Envelope, raw: bytes) -> str:
    """Return the id of the entity that an unknown event is about, or a digest where it cannot be found."""
    try:
        name = envelope.payload[envelope.contains[0]]["entity"]["id"]
        return identifier(name, "$.payload")
    except (KeyError, IndexError, TypeError, Undecodable):
        return hashlib.sha256(raw).hexdigest()[:32]


_ENVELOPE = msgspec.json.Decoder(Envelope)
_DECODERS: dict[str, msgspec.json.Decoder[Webhook[Any]]] = {
    "payment": msgspec.json.Decoder(Webhook[PaymentPayload]),
    "refund": msgspec.json.Decoder(Webhook[RefundPayload]),
    "dispute": msgspec.json.Decoder(Webhook[DisputePayload]),
}
