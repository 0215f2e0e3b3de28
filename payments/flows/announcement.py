"""What is told to the outside about an event that has ended. No personal data."""

import msgspec

from payments.ledger.claims import Claim
from payments.ledger.settlements import Announcement, Decline
from payments.payment import Payment


def announce_payment(
    topic: str, claim: Claim, payment: Payment, ending: str, decline: Decline | None = None
) -> Announcement:
    """Return the news that `payment` now is as it is, and why the provider said no where it did."""
    event = claim.event
    told: dict[str, object] = {
        "version": 1,
        "event_id": event.event_id,
        "provider": event.provider,
        "kind": event.kind,
        "ending": ending,
        "payment_id": payment.payment_id,
        "status": payment.status,
        "currency": payment.currency,
        "amount_minor": payment.amount_minor,
        "captured_minor": payment.captured_minor,
        "refunded_minor": payment.refunded_minor,
        "occurred_at": event.occurred_at,
    }
    if decline is not None:
        told["decline"] = decline
    return Announcement(topic=topic, payload=msgspec.json.encode(told))
