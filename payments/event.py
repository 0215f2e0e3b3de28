"""One payment event, in the one form that every later room understands."""

from datetime import datetime
from enum import StrEnum

import msgspec

from payments.redaction import shown_without


class Provider(StrEnum):
    """Who sent the event, and at whose gateway it is acted on."""

    STRIPE = "stripe"
    RAZORPAY = "razorpay"
    PAYPAL = "paypal"
    CANONICAL = "canonical"


class Kind(StrEnum):
    """What an event says happened, or asks to happen, to its payment."""

    REQUESTED = "requested"
    AUTHORIZED = "authorized"
    CAPTURED = "captured"
    FAILED = "failed"
    REFUNDED = "refunded"
    VOIDED = "voided"
    DISPUTED = "disputed"
    IGNORED = "ignored"


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A provider's message, normalised.

    Money is an integer in the minor unit of `currency` (ISO 4217 alphabetic code, upper case), as the provider counts
    that unit. `payment_id`, `amount_minor` and `currency` may be None only where `kind` is `ignored`.
    """

    provider: Provider
    event_id: str
    kind: Kind
    payment_id: str | None
    amount_minor: int | None
    currency: str | None
    occurred_at: datetime
    """When the provider says that it happened; always with a time zone."""

    ordering_key: str | None
    """`provider:root`, the same for all events of one payment; root is the first name that the provider gave it."""

    reference_id: str | None = None
    """The refund or dispute that this event is about.

    A `refunded` event without one carries the total refunded so far (Stripe's `charge.refunded`); with one, the amount
    of that refund alone.
    """

    parent_id: str | None = None
    """The order or authorization that the payment came from, where the message names it."""

    metadata: dict[str, str] = msgspec.field(default_factory=dict)
    """What the merchant attached. May hold personal data, so it never goes to a log, a metric or a Celery message."""

    customer_reference: str | None = None
    """The provider's name of the customer, where the message has one. Never an e-mail."""

    customer_email: str | None = None
    """Personal data: it lives in the ledger, and goes to no log, metric, message, topic or cache."""

    def __repr__(self) -> str:
        """Show the event without what may be personal: a representation ends up in logs and error reports."""
        return shown_without(self, "metadata", "customer_email")


def ordering_key(provider: Provider, root_id: str) -> str:
    """Return the key under which all events of one payment are put in line."""
    return f"{provider}:{root_id}"


def encode(event: Event) -> bytes:
    """Return the event as JSON; `decode(encode(event)) == event`."""
    return _ENCODER.encode(event)


def decode(data: bytes | str) -> Event:
    """Return the event that `encode` wrote."""
    return _DECODER.decode(data)


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Event)
