"""What is told to the outside about an event that has ended. No personal data.

docs/events.md describes it. The headers are the attributes of CloudEvents 1.0, in the binary mode of its Kafka binding.
"""

import msgspec

from payments.ledger.claims import Claim
from payments.ledger.settlements import Announcement, Decline
from payments.payment import Payment

_VERSION = 1


def announce_payment(
    topic: str, claim: Claim, payment: Payment, ending: str, decline: Decline | None = None
) -> Announcement:
    """Return the news that `payment` now is as it is, and why the provider said no where it did.

    `payment` is what is about to be booked, so its version is that of before.
    """
    event, revision = claim.event, payment.version + 1
    told: dict[str, object] = {
        "version": _VERSION,
        "event_id": event.event_id,
        "provider": event.provider,
        "kind": event.kind,
        "ending": ending,
        "payment_id": payment.payment_id,
        "revision": revision,
        "status": payment.status,
        "currency": payment.currency,
        "amount_minor": payment.amount_minor,
        "captured_minor": payment.captured_minor,
        "refunded_minor": payment.refunded_minor,
        "customer_reference": payment.customer_reference,
        "occurred_at": event.occurred_at,
    }
    if decline is not None:
        told["decline"] = decline
    return Announcement(topic=topic, payload=msgspec.json.encode(told), headers=_attributes(claim, payment, revision))


def _attributes(claim: Claim, payment: Payment, revision: int) -> tuple[tuple[str, str], ...]:
    """Return the attributes. The id is the same however often it is sent, and another for each change.

    `traceparent` is of whoever brought the event, where nobody here traces.
    """
    event = claim.event
    trace = (("traceparent", claim.trace_parent),) if claim.trace_parent else ()
    return (
        ("ce_specversion", "1.0"),
        ("ce_id", f"{event.provider}/{event.event_id}/{revision}"),
        ("ce_source", "/payferry/payments"),
        ("ce_type", f"payferry.payment.{payment.status}"),
        ("ce_time", event.occurred_at.isoformat()),
        ("ce_subject", payment.ordering_key),
        ("ce_correlationid", claim.correlation_id),
        ("content-type", "application/json"),
        *trace,
    )
