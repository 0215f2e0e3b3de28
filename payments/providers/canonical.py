"""Payferry's own form of a payment event, for producers that speak for no provider, or for one in our words.

    {"id": "pay_7", "provider": "stripe", "amount": "12.30", "currency": "EUR", "status": "completed",
     "customer_reference": "…", "customer_email": "…", "created_at": "2026-05-04T12:00:00Z", "metadata": {"order": "7"}}

`amount` is in major units, a string or a JSON number, and read as it is written: no float comes near it. `amount_minor`
is an integer in the minor units that the provider counts. Exactly one of them is there.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

import msgspec

from payments import money
from payments.event import Event, Kind, Provider, ordering_key
from payments.failures import Undecodable
from payments.providers import paypal, stripe
from payments.providers.customer import ABSENT, email_of, reference_of, value_of
from payments.providers.shape import (
    Identifier,
    MinorAmount,
    Moment,
    UnixSeconds,
    amount_at,
    currency_code,
    from_moment,
    from_unix,
    identifier,
    ignored,
    text_map,
)

MEANINGS = {
    "pending": Kind.REQUESTED,
    "created": Kind.REQUESTED,
    "requested": Kind.REQUESTED,
    "authorized": Kind.AUTHORIZED,
    "requires_capture": Kind.AUTHORIZED,
    "completed": Kind.CAPTURED,
    "captured": Kind.CAPTURED,
    "succeeded": Kind.CAPTURED,
    "paid": Kind.CAPTURED,
    "failed": Kind.FAILED,
    "declined": Kind.FAILED,
    "refunded": Kind.REFUNDED,  # the total refunded so far; with a refund_id, that refund alone
    "partially_refunded": Kind.REFUNDED,
    "voided": Kind.VOIDED,
    "cancelled": Kind.VOIDED,
    "canceled": Kind.VOIDED,
    "disputed": Kind.DISPUTED,
    "chargeback": Kind.DISPUTED,
}
"""Status, in lower case → kind. Every other status is ignored."""

EXPONENTS: Mapping[Provider, Mapping[str, int]] = MappingProxyType(
    {Provider.STRIPE: stripe.EXPONENTS, Provider.PAYPAL: paypal.EXPONENTS}
)
"""Whose units an amount is turned into, where they are not those of ISO 4217."""


class Message(msgspec.Struct):
    """The canonical form."""

    id: Identifier
    currency: str
    status: str
    created_at: Moment | UnixSeconds
    provider: Provider | None = None
    amount: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    amount_minor: MinorAmount | msgspec.UnsetType = msgspec.UNSET
    event_id: Identifier | None = None
    refund_id: Identifier | None = None
    parent_id: Identifier | None = None
    customer_reference: msgspec.Raw = ABSENT
    customer_email: msgspec.Raw = ABSENT
    metadata: dict[str, Any] | None = None


def decode(raw: bytes) -> Event:
    """Return what a canonical message means. Raises msgspec.DecodeError and Undecodable.

    The event's id, if not given, is `<id>:<status>`, or `<id>:<status>:<refund_id>` for one refund of several.
    """
    message = _DECODER.decode(raw)
    _check_repeats(raw)
    provider = message.provider or Provider.CANONICAL
    currency = currency_code(message.currency, "$.currency")
    amount_minor = _amount(message, currency, EXPONENTS.get(provider, money.EXPONENTS))
    kind = MEANINGS.get(message.status.lower())
    if kind is None:
        return ignored(provider, _event_id(message), _occurred_at(message))
    return Event(
        provider=provider,
        event_id=_event_id(message),
        kind=kind,
        payment_id=message.id,
        amount_minor=amount_minor,
        currency=currency,
        occurred_at=_occurred_at(message),
        ordering_key=ordering_key(provider, message.id),
        reference_id=message.refund_id,
        parent_id=message.parent_id,
        metadata=text_map(message.metadata),
        customer_reference=reference_of(value_of(message.customer_reference)),
        customer_email=email_of(value_of(message.customer_email)),
    )


def _event_id(message: Message) -> str:
    if message.event_id is not None:
        return message.event_id
    derived = f"{message.id}:{message.status.lower()}"
    if message.refund_id is not None:
        derived = f"{derived}:{message.refund_id}"
    return identifier(derived, "$.id")


def _occurred_at(message: Message) -> datetime:
    if isinstance(message.created_at, int):
        return from_unix(message.created_at)
    return from_moment(message.created_at, "$.created_at")


def _amount(message: Message, currency: str, exponents: Mapping[str, int]) -> int:
    if isinstance(message.amount_minor, int):
        if message.amount is not msgspec.UNSET:
            raise Undecodable("$.amount_minor", "given beside amount: exactly one of the two is wanted")
        return message.amount_minor
    if isinstance(message.amount, msgspec.UnsetType):
        raise Undecodable("$.amount", "missing, and so is amount_minor")
    text, is_number = _written(bytes(message.amount))
    # a JSON number's zeros are its serialiser's (1500.0 for 1500), a string's are its author's
    return amount_at("$.amount", lambda: money.minor_units(text, currency, exponents=exponents, padded=is_number))


def _written(token: bytes) -> tuple[str, bool]:
    """Return the amount as it is written, and whether as a number."""
    if token.startswith(b'"'):
        return msgspec.json.decode(token, type=str), False
    if token[:1] in b"-0123456789":
        return token.decode(), True
    raise Undecodable("$.amount", "expected a decimal string or a number")


def _check_repeats(raw: bytes) -> None:
    """Refuse a message that says one of its fields twice: which of the two is meant cannot be known."""
    # the count is a cheap first look; an escaped name, or one inside metadata, needs the second
    if b"\\u" not in raw and all(raw.count(name) <= 1 for name in _QUOTED_FIELDS):
        return
    names = [name for name, _ in json.loads(raw, object_pairs_hook=list, parse_int=str, parse_float=str)]
    for field in _TOLD_ONCE:
        if names.count(field) > 1:
            raise Undecodable(f"$.{field}", "given twice")


# who pays moves no money, so that is read as leniently as elsewhere: the last one counts
_TOLD_ONCE = tuple(field for field in Message.__struct_fields__ if not field.startswith("customer_"))
_QUOTED_FIELDS = tuple(f'"{field}"'.encode() for field in _TOLD_ONCE)
_DECODER = msgspec.json.Decoder(Message)
