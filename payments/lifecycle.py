"""What an event does to its payment. Pure: the ledger's view and the event go in, a decision comes out.

    pending ──▶ authorized ──▶ completed ──▶ partially_refunded ──▶ refunded
       │            │
       └────────────┴──▶ failed | voided

A payment only moves forward. `failed` is the end of one attempt: Stripe lets a customer try another card on the same
intent, and Razorpay may authorize late, so proof of money after a failure is a forward move. An event that would
move it back, or tell again what is booked, is superseded: recorded, never applied.
"""

from collections.abc import Callable

import msgspec

from payments.event import Event, Kind
from payments.payment import CAPTURED_STATUSES, Entry, Payment, Status, movement, opened_by, with_customer
from payments.saga import Journal, Step


class Apply(msgspec.Struct, frozen=True):
    """Record the payment as it is now, with these entries."""

    payment: Payment
    entries: tuple[Entry, ...] = ()


class Act(msgspec.Struct, frozen=True):
    """Ask the provider for these steps first."""

    payment: Payment
    steps: tuple[Step, ...]


class Superseded(msgspec.Struct, frozen=True):
    """What the event tells has already taken effect, or can no longer."""


class NotYet(msgspec.Struct, frozen=True):
    """The payment has not reached the state that this event needs."""

    needs: str


class Broken(msgspec.Struct, frozen=True):
    """The event contradicts its payment. `code` is stable, `message` holds no personal data."""

    code: str
    message: str


Decision = Apply | Act | Superseded | NotYet | Broken

_BEFORE_MONEY = frozenset({Status.PENDING, Status.AUTHORIZED, Status.FAILED})


def decide(known: Payment | None, event: Event) -> Decision:
    """Return what `event` does to the payment that the ledger knows, or to a new one.

    A payment that is changed gets the customer that the event names, where it had none.

    Precondition: `event.kind` is not `ignored`.
    """
    payment = opened_by(event) if known is None else with_customer(known, event)
    if payment.currency != event.currency:
        return Broken("currency_mismatch", f"the payment is in {payment.currency}, the event in {event.currency}")
    return _RULES[event.kind](payment, event)


def leaves_effect(payment: Payment | None, journal: Journal) -> bool:
    """Return whether ending an event as superseded would forget what its saga has, or may have, done at the provider.

    Not where the money is booked, by whoever told of it, or the payment was voided, and what was authorized with it.
    """
    return payment is not None and payment.status in _BEFORE_MONEY and journal.has_begun


def completed(payment: Payment, amount_minor: int, capture_id: str | None = None) -> Apply:
    """Return the payment with `amount_minor` captured, and the capture's entries."""
    after = msgspec.structs.replace(
        payment,
        status=Status.COMPLETED,
        captured_minor=amount_minor,
        capture_id=capture_id or payment.capture_id,
    )
    return Apply(
        after, movement(payment, "capture", amount_minor, debit=f"provider:{payment.provider}", credit="merchant")
    )


def declined(payment: Payment) -> Apply:
    """Return the payment after its provider said no."""
    return Apply(msgspec.structs.replace(payment, status=Status.FAILED))


def voided(payment: Payment) -> Apply:
    """Return the payment after its authorization was given back."""
    return Apply(msgspec.structs.replace(payment, status=Status.VOIDED))


def taken_back(payment: Payment, captured_minor: int, capture_id: str | None, refund_id: str) -> Apply:
    """Return the payment after a capture was refunded whole, with the entries of both."""
    captured = completed(payment, captured_minor, capture_id)
    refunded = msgspec.structs.replace(
        captured.payment, status=Status.REFUNDED, refunds={**captured.payment.refunds, refund_id: captured_minor}
    )
    back = movement(
        payment, f"refund:{refund_id}", captured_minor, debit="merchant", credit=f"provider:{payment.provider}"
    )
    return Apply(refunded, (*captured.entries, *back))


def _requested(payment: Payment, _event: Event) -> Decision:
    if payment.status is Status.PENDING:
        return Act(payment, (Step.AUTHORIZE, Step.CAPTURE))
    return Superseded()


def _authorized(payment: Payment, event: Event) -> Decision:
    if payment.status not in {Status.PENDING, Status.FAILED}:
        return Superseded()
    authorized = msgspec.structs.replace(
        payment, status=Status.AUTHORIZED, amount_minor=_amount(event), authorization_id=event.payment_id
    )
    return Act(authorized, (Step.CAPTURE,))


def _captured(payment: Payment, event: Event) -> Decision:
    if payment.status in _BEFORE_MONEY:
        return completed(payment, _amount(event), event.payment_id)
    if payment.status is Status.VOIDED:
        return Broken("captured_after_void", "the payment was voided, and the event says that it was captured")
    if payment.captured_minor != event.amount_minor:
        return Broken(
            "amount_mismatch", f"{payment.captured_minor} is booked as captured, the event says {event.amount_minor}"
        )
    return Superseded()


def _failed(payment: Payment, _event: Event) -> Decision:
    return _ended(payment, Status.FAILED)


def _voided(payment: Payment, _event: Event) -> Decision:
    return _ended(payment, Status.VOIDED)


def _ended(payment: Payment, status: Status) -> Decision:
    if payment.status in {Status.PENDING, Status.AUTHORIZED}:
        return Apply(msgspec.structs.replace(payment, status=status))
    return Superseded()


def _refunded(payment: Payment, event: Event) -> Decision:
    if not_yet := _needs_money(payment):
        return not_yet
    booked_minor = payment.refunds.get(event.reference_id or "", event.amount_minor)
    if booked_minor != event.amount_minor:
        return Broken(
            "amount_mismatch", f"this refund is booked with {booked_minor}, the event says {event.amount_minor}"
        )
    after = _with_refund(payment, event)
    if after.refunded_minor > payment.captured_minor:
        return Broken(
            "refund_exceeds_capture",
            f"{after.refunded_minor} would be refunded of {payment.captured_minor} captured",
        )
    if after == payment or event.amount_minor == 0:
        return Superseded()
    return Apply(_with_refund_status(after), _refund_entries(payment, after, event))


def _with_refund(payment: Payment, event: Event) -> Payment:
    """Return the payment knowing of this refund: one of its own, or the provider's total so far."""
    if event.reference_id is None:
        total_minor = max(payment.refunded_total_minor, _amount(event))
        return msgspec.structs.replace(payment, refunded_total_minor=total_minor)
    refunds = {event.reference_id: _amount(event)} | payment.refunds
    return msgspec.structs.replace(payment, refunds=refunds)


def _with_refund_status(payment: Payment) -> Payment:
    whole = payment.refunded_minor == payment.captured_minor
    return msgspec.structs.replace(payment, status=Status.REFUNDED if whole else Status.PARTIALLY_REFUNDED)


def _refund_entries(before: Payment, after: Payment, event: Event) -> tuple[Entry, ...]:
    """Return entries for what this event adds, which is nothing where the other way of telling was first."""
    added_minor = after.refunded_minor - before.refunded_minor
    if added_minor == 0:
        return ()
    name = f"refund:{event.reference_id or f'total:{after.refunded_minor}'}"
    return movement(before, name, added_minor, debit="merchant", credit=f"provider:{before.provider}")


def _disputed(payment: Payment, event: Event) -> Decision:
    if not_yet := _needs_money(payment):
        return not_yet
    dispute_id = event.reference_id or event.event_id
    if dispute_id in payment.disputes:
        return Superseded()
    after = msgspec.structs.replace(payment, disputes={**payment.disputes, dispute_id: _amount(event)})
    return Apply(after, movement(payment, f"dispute:{dispute_id}", _amount(event), debit="disputes", credit="merchant"))


def _needs_money(payment: Payment) -> NotYet | Broken | None:
    if payment.status in CAPTURED_STATUSES:
        return None
    if payment.status is Status.VOIDED:
        return Broken("money_back_after_void", "the payment was voided, so there is no money to give back")
    return NotYet("a captured payment")


def _amount(event: Event) -> int:
    assert event.amount_minor is not None
    return event.amount_minor


_RULES: dict[Kind, Callable[[Payment, Event], Decision]] = {
    Kind.REQUESTED: _requested,
    Kind.AUTHORIZED: _authorized,
    Kind.CAPTURED: _captured,
    Kind.FAILED: _failed,
    Kind.REFUNDED: _refunded,
    Kind.VOIDED: _voided,
    Kind.DISPUTED: _disputed,
}
