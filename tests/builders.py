"""Events, records and arrivals for tests, whole and valid unless told otherwise. Nothing here speaks to a server."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from payments.envelope import Record
from payments.event import Event, Kind, Provider, encode
from payments.ledger.inbox import Arrival
from payments.ledger.settlements import Announcement
from payments.payment import Payment, Status

OCCURRED_AT = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
TOPIC = "payments.raw"
CAPTURED_MINOR = 1000
NEWS = Announcement(topic="payments.events", payload=b'{"version": 1}')


def an_event(event_id: str = "evt_1", kind: Kind = Kind.CAPTURED, payment_id: str = "p1", **told: Any) -> Event:  # noqa: ANN401 - any field
    """Return an event of a Stripe payment over 10.00 EUR, with the fields that are `told`."""
    provider = told.get("provider", Provider.STRIPE)
    whole: dict[str, Any] = {
        "provider": provider,
        "amount_minor": CAPTURED_MINOR,
        "currency": "EUR",
        "occurred_at": OCCURRED_AT,
        "ordering_key": f"{provider}:{payment_id}",
    }
    return Event(event_id=event_id, kind=kind, payment_id=payment_id, **(whole | told))


def an_ignored_event(event_id: str = "evt_1") -> Event:
    """Return an event of a type that we do not handle."""
    return an_event(event_id, Kind.IGNORED, amount_minor=None, currency=None, ordering_key=None)


def a_record(payload: bytes = b"{}", offset: int = 0, **told: Any) -> Record:  # noqa: ANN401 - any field
    """Return a record of partition 0."""
    whole: dict[str, Any] = {"topic": TOPIC, "partition": 0, "key": b"key", "headers": []}
    return Record(payload=payload, offset=offset, **(whole | told))


def an_arrival(event: Event, offset: int = 0) -> Arrival:
    """Return the event with a record that it may have come in."""
    return Arrival(a_record(encode(event), offset), event)


def a_message(payment_id: str, status: str = "paid", **told: Any) -> bytes:  # noqa: ANN401 - any field
    """Return the bytes of a canonical message over 10.00 EUR, with a customer's e-mail and card number in it."""
    whole = {
        "id": payment_id,
        "amount": "10.00",
        "currency": "EUR",
        "status": status,
        "created_at": "2026-05-04T12:00:00Z",
        "customer_email": "jo@example.com",
        "metadata": {"card": "4242424242424242"},
    }
    return msgspec.json.encode(whole | told)


def a_payment(status: Status = Status.PENDING, **told: Any) -> Payment:  # noqa: ANN401 - any field
    """Return a payment over 10.00 EUR in the given state, with all of it captured where the state says so."""
    captured = status in {Status.COMPLETED, Status.PARTIALLY_REFUNDED, Status.REFUNDED}
    whole: dict[str, Any] = {
        "ordering_key": "stripe:p1",
        "provider": Provider.STRIPE,
        "payment_id": "p1",
        "currency": "EUR",
        "amount_minor": CAPTURED_MINOR,
        "captured_minor": CAPTURED_MINOR if captured else 0,
        "refunded_total_minor": {Status.PARTIALLY_REFUNDED: 400, Status.REFUNDED: CAPTURED_MINOR}.get(status, 0),
    }
    return Payment(status=status, **(whole | told))
