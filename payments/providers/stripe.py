"""What Stripe's webhooks mean: https://docs.stripe.com/api/events/types.

Amounts are integers in the unit that Stripe counts for the currency (https://docs.stripe.com/currencies) and are passed
through as they are. EXPONENTS says where that unit is not the minor unit of ISO 4217.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

from payments import money
from payments.event import Event, Kind, Provider, ordering_key
from payments.failures import Undecodable
from payments.providers.customer import ABSENT, NOBODY, Customer, email_of, part_of, reference_of, value_of
from payments.providers.shape import Identifier, MinorAmount, UnixSeconds, currency_code, from_unix, ignored, text_map

EXPONENTS: Mapping[str, int] = MappingProxyType({**money.EXPONENTS, "MGA": 0, "ISK": 2, "UGX": 2})
"""MGA has no decimals at Stripe. ISK and UGX have none in life, and two in Stripe's API, for old integrations' sake."""


class Meaning(NamedTuple):
    """What a type of event says: its kind, the object that it carries, and that object's field with the amount."""

    kind: Kind
    subject: str
    amount: str


MEANINGS = {
    "payment_intent.created": Meaning(Kind.REQUESTED, "payment_intent", "amount"),
    "payment_intent.amount_capturable_updated": Meaning(Kind.AUTHORIZED, "payment_intent", "amount_capturable"),
    "payment_intent.succeeded": Meaning(Kind.CAPTURED, "payment_intent", "amount_received"),
    "payment_intent.payment_failed": Meaning(Kind.FAILED, "payment_intent", "amount"),
    "payment_intent.canceled": Meaning(Kind.VOIDED, "payment_intent", "amount"),
    "charge.succeeded": Meaning(Kind.CAPTURED, "charge", "amount_captured"),  # or ONLY_AUTHORIZED
    "charge.captured": Meaning(Kind.CAPTURED, "charge", "amount_captured"),
    "charge.failed": Meaning(Kind.FAILED, "charge", "amount"),
    "charge.expired": Meaning(Kind.VOIDED, "charge", "amount"),
    "charge.refunded": Meaning(Kind.REFUNDED, "charge", "amount_refunded"),  # the total refunded so far
    "refund.created": Meaning(Kind.REFUNDED, "refund", "amount"),  # refunds: ignored until their status is succeeded
    "refund.updated": Meaning(Kind.REFUNDED, "refund", "amount"),
    "charge.refund.updated": Meaning(Kind.REFUNDED, "refund", "amount"),
    "charge.dispute.created": Meaning(Kind.DISPUTED, "dispute", "amount"),
}
"""Every other type is ignored."""

ONLY_AUTHORIZED = Meaning(Kind.AUTHORIZED, "charge", "amount")
"""`charge.succeeded` of a charge that is to be captured later (`captured` is false)."""


class Expanded(msgspec.Struct):
    """An object in place of its id, for an endpoint that asked for that."""

    id: Identifier


Reference = Identifier | Expanded | None


class PaymentIntent(msgspec.Struct):
    """https://docs.stripe.com/api/payment_intents/object."""

    id: Identifier
    amount: MinorAmount
    currency: str
    amount_capturable: MinorAmount | None = None
    amount_received: MinorAmount | None = None
    customer: msgspec.Raw = ABSENT
    receipt_email: msgspec.Raw = ABSENT
    metadata: Any = None


class Charge(msgspec.Struct):
    """https://docs.stripe.com/api/charges/object."""

    id: Identifier
    amount: MinorAmount
    currency: str
    amount_captured: MinorAmount | None = None
    amount_refunded: MinorAmount | None = None
    captured: bool | None = None
    payment_intent: Reference = None
    customer: msgspec.Raw = ABSENT
    receipt_email: msgspec.Raw = ABSENT
    billing_details: msgspec.Raw = ABSENT
    metadata: Any = None


class Refund(msgspec.Struct):
    """https://docs.stripe.com/api/refunds/object."""

    id: Identifier
    amount: MinorAmount
    currency: str
    status: str | None = None
    charge: Reference = None
    payment_intent: Reference = None
    metadata: Any = None


class Dispute(msgspec.Struct):
    """https://docs.stripe.com/api/disputes/object."""

    id: Identifier
    amount: MinorAmount
    currency: str
    charge: Reference = None
    payment_intent: Reference = None
    metadata: Any = None


Thing = PaymentIntent | Charge | Refund | Dispute


T = TypeVar("T")


class Data(msgspec.Struct, Generic[T]):
    """The `data` of an event."""

    object: T


class Webhook(msgspec.Struct, Generic[T]):
    """https://docs.stripe.com/api/events/object."""

    id: Identifier
    created: UnixSeconds
    data: Data[T]


class Envelope(msgspec.Struct):
    """All that is asked of an event that is ignored."""

    id: Identifier
    type: Identifier
    created: UnixSeconds


def decode(raw: bytes, event_type: str) -> Event:
    """Return what a Stripe event means. Raises msgspec.DecodeError and Undecodable."""
    meaning = MEANINGS.get(event_type)
    if meaning is None:
        envelope = _ENVELOPE.decode(raw)
        return ignored(Provider.STRIPE, envelope.id, from_unix(envelope.created))
    webhook = _DECODERS[meaning.subject].decode(raw)
    thing = webhook.data.object
    if isinstance(thing, Refund) and thing.status != "succeeded":
        return ignored(Provider.STRIPE, webhook.id, from_unix(webhook.created))
    if event_type == "charge.succeeded" and isinstance(thing, Charge) and not thing.captured:
        meaning = ONLY_AUTHORIZED
    return _event(webhook, meaning)


def _event(webhook: Webhook[Thing], meaning: Meaning) -> Event:
    thing = webhook.data.object
    payment_id = _payment_id(thing)
    customer = _customer(thing)
    return Event(
        provider=Provider.STRIPE,
        event_id=webhook.id,
        kind=meaning.kind,
        payment_id=payment_id,
        amount_minor=_amount(thing, meaning.amount),
        currency=currency_code(thing.currency, "$.data.object.currency"),
        occurred_at=from_unix(webhook.created),
        ordering_key=ordering_key(Provider.STRIPE, payment_id),
        reference_id=thing.id if isinstance(thing, Refund | Dispute) else None,
        metadata=text_map(thing.metadata),
        customer_reference=customer.reference,
        customer_email=customer.email,
    )


def _payment_id(thing: Thing) -> str:
    """Return the payment intent where there is one, else the charge."""
    if isinstance(thing, PaymentIntent):
        return thing.id
    charge = thing.id if isinstance(thing, Charge) else _id_of(thing.charge)
    payment_id = _id_of(thing.payment_intent) or charge
    if payment_id is None:
        raise Undecodable("$.data.object.charge", "missing, and so is payment_intent")
    return payment_id


def _id_of(reference: str | Expanded | None) -> str | None:
    return reference.id if isinstance(reference, Expanded) else reference


def _customer(thing: Thing) -> Customer:
    """Return who pays, where the object is one that says so: refunds and disputes only name their payment."""
    if isinstance(thing, Refund | Dispute):
        return NOBODY
    customer = value_of(thing.customer)
    email = email_of(value_of(thing.receipt_email))
    if email is None and isinstance(thing, Charge):
        email = email_of(part_of(value_of(thing.billing_details), "email"))
    return Customer(reference_of(part_of(customer, "id") if isinstance(customer, dict) else customer), email)


def _amount(thing: Thing, field: str) -> int:
    amount: int | None = getattr(thing, field)
    if amount is None and isinstance(thing, Charge) and field == "amount_captured":
        # before API version 2020-08-27 what was not captured showed as refunded at once
        amount = max(0, thing.amount - (thing.amount_refunded or 0))
    if amount is None:
        raise Undecodable(f"$.data.object.{field}", "missing")
    return amount


_ENVELOPE = msgspec.json.Decoder(Envelope)
_DECODERS: dict[str, msgspec.json.Decoder[Webhook[Any]]] = {
    "payment_intent": msgspec.json.Decoder(Webhook[PaymentIntent]),
    "charge": msgspec.json.Decoder(Webhook[Charge]),
    "refund": msgspec.json.Decoder(Webhook[Refund]),
    "dispute": msgspec.json.Decoder(Webhook[Dispute]),
}
