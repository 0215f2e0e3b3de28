"""What PayPal's webhooks mean: https://developer.paypal.com/api/rest/webhooks/event-names/.

Amounts are decimal strings (`value` and `currency_code`; in v1 `total` and `currency`) and become integers of the unit
that PayPal counts: https://developer.paypal.com/api/rest/reference/currency-codes/.

One payment bears several names here: an order, its authorization, its capture, its refunds. Each message is about the
one that it carries (`payment_id`), names the first one that it can (`parent_id`), and is put in line under that.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec

from payments import money
from payments.event import Event, Kind, Provider, ordering_key
from payments.failures import Undecodable
from payments.providers.customer import NOBODY, Customer, email_of, part_of, reference_of, value_of
from payments.providers.paypal_shapes import Dispute, Envelope, Money, Order, RelatedIds, Resource, Webhook
from payments.providers.shape import amount_at, currency_code, from_moment, identifier, ignored, text_map

WHOLE_ONLY = ("HUF", "JPY", "TWD")
EXPONENTS: Mapping[str, int] = MappingProxyType({**money.EXPONENTS, **dict.fromkeys(WHOLE_ONLY, 0)})
"""HUF, JPY and TWD take no decimals at PayPal. `500.00` is read as 500; decimals other than zeros are refused."""


class Meaning(NamedTuple):
    """What a type of event says: its kind, and what it is about (see `_READERS`)."""

    kind: Kind
    subject: str


MEANINGS = {
    "CHECKOUT.ORDER.APPROVED": Meaning(Kind.REQUESTED, "order"),
    "PAYMENT.AUTHORIZATION.CREATED": Meaning(Kind.AUTHORIZED, "payment"),
    "PAYMENT.AUTHORIZATION.VOIDED": Meaning(Kind.VOIDED, "payment"),
    "PAYMENT.CAPTURE.COMPLETED": Meaning(Kind.CAPTURED, "payment"),
    "PAYMENT.CAPTURE.DECLINED": Meaning(Kind.FAILED, "payment"),
    "PAYMENT.CAPTURE.DENIED": Meaning(Kind.FAILED, "payment"),
    "PAYMENT.CAPTURE.REFUNDED": Meaning(Kind.REFUNDED, "refund"),
    "PAYMENT.CAPTURE.REVERSED": Meaning(Kind.REFUNDED, "refund"),
    "PAYMENT.SALE.COMPLETED": Meaning(Kind.CAPTURED, "sale"),
    "PAYMENT.SALE.DENIED": Meaning(Kind.FAILED, "sale"),
    "PAYMENT.SALE.REFUNDED": Meaning(Kind.REFUNDED, "sale refund"),
    "PAYMENT.SALE.REVERSED": Meaning(Kind.REFUNDED, "sale reversal"),
    "CUSTOMER.DISPUTE.CREATED": Meaning(Kind.DISPUTED, "dispute"),
}
"""Every other type is ignored, PAYMENT.CAPTURE.PENDING and PAYMENT.SALE.PENDING among them."""


class Names(NamedTuple):
    """What the parts of a message call each other."""

    payment_id: str
    root_id: str
    parent_id: str | None
    reference_id: str | None = None


def decode(raw: bytes, event_type: str) -> Event:
    """Return what a PayPal event means. Raises msgspec.DecodeError and Undecodable."""
    meaning = MEANINGS.get(event_type)
    if meaning is None:
        return _ignored(_ENVELOPE.decode(raw))
    reader = _READERS[meaning.subject]
    return reader.read(reader.decoder.decode(raw), meaning.kind)


def _payment(webhook: Webhook[Resource], kind: Kind) -> Event:
    payment = webhook.resource
    return _event(webhook, kind, payment.amount, _names_of_payment(payment), _customer(payment))


def _sale(webhook: Webhook[Resource], kind: Kind) -> Event:
    sale = webhook.resource
    return _event(webhook, kind, sale.amount, Names(sale.id, sale.id, sale.parent_payment), _customer(sale))


def _refund(webhook: Webhook[Resource], kind: Kind) -> Event:
    return _event(webhook, kind, webhook.resource.amount, _names_of_refund(webhook.resource))


def _sale_refund(webhook: Webhook[Resource], kind: Kind) -> Event:
    refund = webhook.resource
    sale_id = refund.sale_id or _linked(refund, ("sale",), "sale")
    if sale_id is None:
        raise Undecodable("$.resource.sale_id", "missing")
    return _event(webhook, kind, _unsigned(refund.amount), _names_of_sale_refund(refund, sale_id, refund.id))


def _sale_reversal(webhook: Webhook[Resource], kind: Kind) -> Event:
    # PayPal's sample gives the sale's id as the resource's, and names the refund in the link to itself
    reversal = webhook.resource
    sale_id = reversal.sale_id or reversal.id
    reference_id = _linked(reversal, ("self",), "refund") or reversal.id
    return _event(webhook, kind, _unsigned(reversal.amount), _names_of_sale_refund(reversal, sale_id, reference_id))


def _order(webhook: Webhook[Order], kind: Kind) -> Event:
    order = webhook.resource
    if not order.purchase_units:
        raise Undecodable("$.resource.purchase_units", "empty")
    parts = [_minor(u.amount, f"$.resource.purchase_units[{i}].amount") for i, u in enumerate(order.purchase_units)]
    currency = parts[0][1]
    for index, (_, other) in enumerate(parts):
        if other != currency:
            raise Undecodable(f"$.resource.purchase_units[{index}].amount", "not in the currency of the first")
    total = amount_at("$.resource.purchase_units", lambda: money.bounded(sum(amount for amount, _ in parts)))
    return _built(webhook, kind, (total, currency), Names(order.id, order.id, None), customer=_customer(order))


def _dispute(webhook: Webhook[Dispute], kind: Kind) -> Event:
    dispute = webhook.resource
    disputed = [t.seller_transaction_id for t in dispute.disputed_transactions if t.seller_transaction_id]
    if len(disputed) != 1:
        return ignored(Provider.PAYPAL, webhook.id, from_moment(webhook.create_time, "$.create_time"))
    if dispute.dispute_amount is None:
        raise Undecodable("$.resource.dispute_amount", "missing")
    amount = _minor(dispute.dispute_amount, "$.resource.dispute_amount")
    return _built(webhook, kind, amount, Names(disputed[0], disputed[0], None, dispute.dispute_id))


def _event(webhook: Webhook[Resource], kind: Kind, amount: Money, names: Names, customer: Customer = NOBODY) -> Event:
    metadata = _metadata(webhook.resource)
    return _built(webhook, kind, _minor(amount, "$.resource.amount"), names, metadata=metadata, customer=customer)


def _built(
    webhook: Webhook[Any],
    kind: Kind,
    amount: tuple[int, str],
    names: Names,
    *,
    metadata: dict[str, str] | None = None,
    customer: Customer = NOBODY,
) -> Event:
    return Event(
        provider=Provider.PAYPAL,
        event_id=webhook.id,
        kind=kind,
        payment_id=names.payment_id,
        amount_minor=amount[0],
        currency=amount[1],
        occurred_at=from_moment(webhook.create_time, "$.create_time"),
        ordering_key=ordering_key(Provider.PAYPAL, names.root_id),
        reference_id=names.reference_id,
        parent_id=names.parent_id,
        metadata=metadata or {},
        customer_reference=customer.reference,
        customer_email=customer.email,
    )


def _customer(paid: Resource | Order) -> Customer:
    """Return who pays. Not for refunds: their `payer` is the merchant, who pays back."""
    payer = value_of(paid.payer)
    wallet = part_of(value_of(paid.payment_source), "paypal")
    return Customer(
        reference_of(part_of(payer, "payer_id")) or reference_of(part_of(wallet, "account_id")),
        email_of(part_of(payer, "email_address")) or email_of(part_of(wallet, "email_address")),
    )


def _ignored(envelope: Envelope) -> Event:
    return ignored(Provider.PAYPAL, envelope.id, from_moment(envelope.create_time, "$.create_time"))


def _minor(amount: Money, path: str) -> tuple[int, str]:
    """Return the amount in PayPal's units, and its currency."""
    text, text_path = _either(amount.value, amount.total, path, ("value", "total"))
    code, code_path = _either(amount.currency_code, amount.currency, path, ("currency_code", "currency"))
    currency = currency_code(code, code_path)
    padded = currency in WHOLE_ONLY
    minor = amount_at(text_path, lambda: money.minor_units(text, currency, exponents=EXPONENTS, padded=padded))
    return minor, currency


def _either(v2: str | None, v1: str | None, path: str, names: tuple[str, str]) -> tuple[str, str]:
    if v2 is not None:
        return v2, f"{path}.{names[0]}"
    if v1 is not None:
        return v1, f"{path}.{names[1]}"
    raise Undecodable(f"{path}.{names[0]}", "missing")


def _unsigned(amount: Money) -> Money:
    """Return a v1 refund's amount without the minus sign that PayPal's v1 samples have and its later messages lack."""
    return amount if amount.total is None else Money(total=amount.total.removeprefix("-"), currency=amount.currency)


def _names_of_payment(payment: Resource) -> Names:
    first = _first_name(payment)
    parent_id = first or payment.parent_payment
    return Names(payment.id, first or payment.id, None if parent_id == payment.id else parent_id)


def _names_of_refund(refund: Resource) -> Names:
    capture_id = _linked(refund, ("up",), "capture") or _related(refund).capture_id
    if capture_id is None:
        raise Undecodable("$.resource.links", 'names no capture (rel "up")')
    first = _first_name(refund)
    return Names(capture_id, first or capture_id, first, refund.id)


def _names_of_sale_refund(refund: Resource, sale_id: str, reference_id: str) -> Names:
    return Names(sale_id, sale_id, refund.parent_payment, reference_id)


def _first_name(resource: Resource) -> str | None:
    """Return the order, else the authorization, that the resource says it came from."""
    related = _related(resource)
    return (
        related.order_id
        or _linked(resource, ("up",), "order")
        or related.authorization_id
        or _linked(resource, ("up", "authorization"), "authorization")
    )


def _related(resource: Resource) -> RelatedIds:
    data = resource.supplementary_data
    return (data and data.related_ids) or _UNRELATED


def _linked(resource: Resource, rels: tuple[str, ...], noun: str) -> str | None:
    """Return the id at the end of a link such as …/v2/payments/captures/3C6 (noun: capture)."""
    for link in resource.links:
        if link.rel in rels:
            *_, collection, name = ("", "", *link.href.partition("?")[0].rstrip("/").split("/"))
            if collection in (noun, f"{noun}s"):
                return identifier(name, "$.resource.links")
    return None


def _metadata(resource: Resource) -> dict[str, str]:
    given = {
        "custom_id": resource.custom_id,
        "invoice_id": resource.invoice_id,
        "custom": resource.custom,
        "invoice_number": resource.invoice_number,
    }
    return text_map({name: value for name, value in given.items() if value not in (None, "")})


class Reader(NamedTuple):
    """How one kind of subject is decoded and read."""

    decoder: msgspec.json.Decoder[Webhook[Any]]
    read: Callable[[Webhook[Any], Kind], Event]


_UNRELATED = RelatedIds()
_ENVELOPE = msgspec.json.Decoder(Envelope)
_RESOURCE = msgspec.json.Decoder(Webhook[Resource])
_READERS = {
    "order": Reader(msgspec.json.Decoder(Webhook[Order]), _order),
    "payment": Reader(_RESOURCE, _payment),
    "refund": Reader(_RESOURCE, _refund),
    "sale": Reader(_RESOURCE, _sale),
    "sale refund": Reader(_RESOURCE, _sale_refund),
    "sale reversal": Reader(_RESOURCE, _sale_reversal),
    "dispute": Reader(msgspec.json.Decoder(Webhook[Dispute]), _dispute),
}
