"""Whose message is it? Told from its shape: every provider marks its webhooks in its own way."""

from typing import Any

import msgspec

from payments.event import Provider


class Marks(msgspec.Struct):
    """The top-level fields that tell the providers apart, and name the type of event. Of any JSON type."""

    object: Any = None
    type: Any = None
    entity: Any = None
    event: Any = None
    event_type: Any = None


def marks_of(raw: bytes) -> Marks:
    """Return the marks of a message. Raises msgspec.DecodeError where it is no JSON object."""
    return _DECODER.decode(raw)


def recognise(marks: Marks) -> Provider:
    """Return who sent a message. What bears no provider's marks is held to be canonical.

    Stripe says `"object": "event"`, Razorpay `"entity": "event"`, and only PayPal names an `event_type`.
    """
    if marks.object == "event":
        return Provider.STRIPE
    if marks.entity == "event":
        return Provider.RAZORPAY
    if marks.event_type is not None:
        return Provider.PAYPAL
    return Provider.CANONICAL


def event_type(marks: Marks, provider: Provider) -> str:
    """Return the name of the event's type, or "" where it has none; the provider's decoder then says so."""
    name = marks.event_type
    if provider is Provider.STRIPE:
        name = marks.type
    elif provider is Provider.RAZORPAY:
        name = marks.event
    return name if isinstance(name, str) else ""


_DECODER = msgspec.json.Decoder(Marks)
