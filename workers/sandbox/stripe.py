"""Stripe, as docs.stripe.com/api/payment_intents, /api/errors and /api/idempotent_requests describe it."""

from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import parse_qsl

from payments.event import Provider
from workers.sandbox.book import Ask, Payment, Problem, State, new_id
from workers.sandbox.dialect import Incoming, Spoken, without_nones
from workers.sandbox.effects import Action


class StripeDialect:
    """Form in, JSON out. One key space for all requests."""

    provider: ClassVar[Provider] = Provider.STRIPE
    steps: ClassVar[Mapping[str, Action]] = {
        "/v1/payment_intents/{id}/confirm": Action.AUTHORIZE,
        "/v1/payment_intents/{id}/capture": Action.CAPTURE,
        "/v1/payment_intents/{id}/cancel": Action.VOID,
        "/v1/refunds": Action.REFUND,
    }
    views: ClassVar[tuple[str, ...]] = ("/v1/payment_intents/{id}",)

    def ask(self, action: Action, incoming: Incoming) -> Ask:
        """Read the form."""
        form = dict(parse_qsl(incoming.body.decode("ascii"), strict_parsing=bool(incoming.body)))
        target_id = form.get("payment_intent", "") if action is Action.REFUND else incoming.target_id
        amount = form.get("amount" if action is Action.REFUND else "amount_to_capture")
        if not target_id or (amount is not None and int(amount) <= 0):
            raise ValueError("payment_intent or amount")
        return Ask(
            provider=self.provider,
            action=action,
            target_id=target_id,
            amount_minor=None if amount is None else int(amount),
            key=incoming.headers.get("idempotency-key"),
            fingerprint=f"{incoming.path}?{sorted(form.items())}",
        )

    def reference(self, action: Action, payment: Payment) -> str:
        """Return a new id, but for a capture: that is the charge which the authorization made."""
        if action is Action.REFUND:
            return new_id("re_")
        if action is Action.VOID:
            return payment.payment_id
        return _charge_id(payment) or new_id("ch_")

    def done(self, action: Action, payment: Payment, amount_minor: int | None) -> Spoken:
        """Answer the refund, or the intent as it is now."""
        if action is not Action.REFUND:
            return Spoken(200, _intent(payment))
        return Spoken(200, {**_refund(payment.last_refund_id, amount_minor), "payment_intent": payment.payment_id})

    def declined(self, action: Action, payment: Payment, code: str) -> Spoken:
        """Answer 402 with a decline code."""
        del action
        return _error(402, "card_error", "card_declined", decline_code=code, payment_intent=_intent(payment))

    def problem(self, problem: Problem, action: Action | None = None, payment: Payment | None = None) -> Spoken:
        """Answer with the error that Stripe documents, and with the intent where its state is the reason."""
        del action
        if problem is Problem.KEY_REUSED:
            return _error(400, "idempotency_error")
        if problem is Problem.KEY_IN_USE:
            return _error(409, "idempotency_error", "idempotency_key_in_use")
        status, code = _PROBLEMS.get(problem, (400, "payment_intent_unexpected_state"))
        intent = _intent(payment) if payment is not None and code == "payment_intent_unexpected_state" else None
        return _error(status, "invalid_request_error", code, payment_intent=intent)

    def failed(self, status: int) -> Spoken:
        """Answer a 429 or 5xx."""
        return _error(status, "invalid_request_error", "rate_limit") if status == 429 else _error(status, "api_error")  # noqa: PLR2004  # Too Many Requests

    def root_of(self, target_id: str) -> str:
        """Return the id as it is."""
        return target_id

    def shown(self, view: str, target_id: str, payment: Payment | None, query: Mapping[str, str]) -> Spoken:
        """Answer the intent, with its charge where that is to be expanded; one never seen waits to be confirmed."""
        del view
        known = payment or Payment(provider=self.provider, payment_id=target_id)
        intent, charge_id = _intent(known), _charge_id(known)
        if query.get("expand[]") == "latest_charge.refunds" and charge_id is not None:
            intent["latest_charge"] = _charge(known, charge_id)
        return Spoken(200, intent)


def _charge_id(payment: Payment) -> str | None:
    """Return the charge that its authorization made; one that was authorised elsewhere has one too."""
    made = None if payment.state is State.NEW else f"ch_{payment.payment_id}"
    return payment.capture_id or payment.authorization_id or made


def _intent(payment: Payment) -> dict[str, Any]:
    reserved = payment.state is State.AUTHORIZED
    declined = payment.state is State.NEW and payment.decline_code is not None
    error = {"type": "card_error", "code": "card_declined", "decline_code": payment.decline_code}
    return without_nones(
        id=payment.payment_id,
        object="payment_intent",
        status="requires_payment_method" if declined else _STATUS[payment.state],
        last_payment_error=error if declined else None,
        capture_method="manual",
        amount=payment.amount_minor,
        amount_capturable=payment.amount_minor if reserved else 0,
        amount_received=0 if payment.state is not State.CAPTURED else payment.captured_minor,
        currency=None if payment.currency is None else payment.currency.lower(),
        latest_charge=_charge_id(payment),
    )


def _charge(payment: Payment, charge_id: str) -> dict[str, Any]:
    """Return the charge. Stripe counts what was reserved and not captured as refunded, the first of all refunds."""
    released = _released_minor(payment)
    refunds = [_refund(refund.refund_id, refund.amount_minor) for refund in reversed(payment.refunds)]
    if released:
        refunds.append(_refund(f"re_{payment.payment_id}", released))
    return without_nones(
        id=charge_id,
        object="charge",
        amount=payment.amount_minor,
        amount_captured=payment.captured_minor or 0,
        amount_refunded=payment.refunded_minor + released,
        captured=payment.state is State.CAPTURED,
        refunds={"object": "list", "data": refunds, "has_more": False},
    )


def _released_minor(payment: Payment) -> int:
    """Return what was reserved, and given back without having been captured."""
    if payment.state is State.VOIDED:
        return payment.amount_minor or 0
    if payment.amount_minor is None or payment.captured_minor is None:
        return 0
    return max(0, payment.amount_minor - payment.captured_minor)


def _refund(refund_id: str | None, amount_minor: int | None) -> dict[str, Any]:
    return {"id": refund_id, "object": "refund", "amount": amount_minor or 0, "status": "succeeded"}


def _error(status: int, kind: str, code: str | None = None, **more: object) -> Spoken:
    message = "The sandbox plays this error."
    return Spoken(status, {"error": without_nones(type=kind, code=code, message=message, **more)})


_STATUS = {
    State.NEW: "requires_confirmation",
    State.AUTHORIZED: "requires_capture",
    State.CAPTURED: "succeeded",
    State.VOIDED: "canceled",
}

_PROBLEMS = {
    Problem.MALFORMED: (400, "parameter_invalid_integer"),
    Problem.UNAUTHENTICATED: (401, "api_key_missing"),
    Problem.NOT_FOUND: (404, "resource_missing"),
    Problem.ALREADY_REFUNDED: (400, "charge_already_refunded"),
    Problem.AMOUNT_TOO_LARGE: (400, "amount_too_large"),
    Problem.REFUSED: (400, "refused_by_sandbox"),
}
