"""The shapes of PayPal's webhooks, as far as they are read."""

from typing import Any, Generic, TypeVar

import msgspec

from payments.providers.customer import ABSENT
from payments.providers.shape import Identifier, Moment


class Money(msgspec.Struct):
    """An amount, of v2 or of v1."""

    value: str | None = None
    currency_code: str | None = None
    total: str | None = None
    currency: str | None = None


class Link(msgspec.Struct):
    """A HATEOAS link: `rel` says what `href` is to the resource."""

    rel: str = ""
    href: str = ""


class RelatedIds(msgspec.Struct):
    """The names of the payment's other parts, where PayPal gives them."""

    order_id: Identifier | None = None
    authorization_id: Identifier | None = None
    capture_id: Identifier | None = None


class SupplementaryData(msgspec.Struct):
    """Where v2 keeps the related ids."""

    related_ids: RelatedIds | None = None


class Resource(msgspec.Struct):
    """An authorization, capture, sale or refund."""

    id: Identifier
    amount: Money
    links: list[Link] = []
    supplementary_data: SupplementaryData | None = None
    sale_id: Identifier | None = None
    parent_payment: Identifier | None = None
    payer: msgspec.Raw = ABSENT
    payment_source: msgspec.Raw = ABSENT
    custom_id: Any = None
    invoice_id: Any = None
    custom: Any = None
    invoice_number: Any = None


class PurchaseUnit(msgspec.Struct):
    """One part of an order."""

    amount: Money


class Order(msgspec.Struct):
    """https://developer.paypal.com/docs/api/orders/v2/."""

    id: Identifier
    purchase_units: list[PurchaseUnit]
    payer: msgspec.Raw = ABSENT
    payment_source: msgspec.Raw = ABSENT


class Transaction(msgspec.Struct):
    """A transaction under dispute; for the seller its id is that of the capture or sale."""

    seller_transaction_id: Identifier | None = None


class Dispute(msgspec.Struct):
    """https://developer.paypal.com/docs/api/customer-disputes/v1/."""

    dispute_id: Identifier
    dispute_amount: Money | None = None
    disputed_transactions: list[Transaction] = []


T = TypeVar("T")


class Webhook(msgspec.Struct, Generic[T]):
    """https://developer.paypal.com/docs/api/webhooks/v1/#webhooks-events_get."""

    id: Identifier
    create_time: Moment
    resource: T


class Envelope(msgspec.Struct):
    """All that is asked of an event that is ignored."""

    id: Identifier
    create_time: Moment
    event_type: Identifier
