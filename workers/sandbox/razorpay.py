"""Razorpay, as razorpay.com/docs/api/payments, /refunds and /errors describe it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, ClassVar

import msgspec

from payments.event import Provider
from workers.sandbox.book import Ask, Payment, Problem, Refund, State, new_id
from workers.sandbox.dialect import Incoming, Spoken, without_nones
from workers.sandbox.effects import Action

_ORDER_PAYMENTS = "/v1/orders/{id}/payments"
_REFUNDS = "/v1/payments/{id}/refunds"


class RazorpayDialect:
    """JSON in and out. Only refunds take an idempotency key; an order is paid once; there is no void."""

    provider: ClassVar[Provider] = Provider.RAZORPAY
    steps: ClassVar[Mapping[str, Action]] = {
        "/v1/payments/create/json": Action.AUTHORIZE,
        "/v1/payments/{id}/capture": Action.CAPTURE,
        "/v1/payments/{id}/refund": Action.REFUND,
    }
    views: ClassVar[tuple[str, ...]] = ("/v1/payments/{id}", _ORDER_PAYMENTS, _REFUNDS)

    def ask(self, action: Action, incoming: Incoming) -> Ask:
        """Read the JSON body."""
        body = _BODY.decode(incoming.body or b"{}")
        target_id = body.order_id if action is Action.AUTHORIZE else incoming.target_id
        if not target_id or (body.amount is None and action is not Action.REFUND):
            raise ValueError("order_id or amount")
        return Ask(
            provider=self.provider,
            action=action,
            target_id=target_id,
            amount_minor=body.amount,
            currency=body.currency,
            key=incoming.headers.get("x-refund-idempotency") if action is Action.REFUND else None,
            fingerprint=f"{incoming.path}?{body.amount} {body.currency}",
        )

    def reference(self, action: Action, payment: Payment) -> str:
        """Return a new id, but for a capture: that is the payment itself."""
        if action is Action.REFUND:
            return new_id("rfnd_")
        return new_id("pay_") if action is Action.AUTHORIZE else _id(payment)

    def done(self, action: Action, payment: Payment, amount_minor: int | None) -> Spoken:
        """Answer the refund, the id of the new payment, or the payment as it is now."""
        if action is Action.REFUND:
            return Spoken(200, {**_refund(payment.refunds[-1], payment), "amount": amount_minor})
        if action is Action.AUTHORIZE:
            return Spoken(200, {"razorpay_payment_id": _id(payment), "next": []})
        return Spoken(200, _payment(payment))

    def declined(self, action: Action, payment: Payment, code: str) -> Spoken:
        """Answer 400 with a reason."""
        del action
        metadata = {"payment_id": _id(payment)}
        return _error(400, "BAD_REQUEST_ERROR", code, step="payment_authorization", source="issuer", metadata=metadata)

    def problem(self, problem: Problem, action: Action | None = None, payment: Payment | None = None) -> Spoken:
        """Answer with BAD_REQUEST_ERROR for nearly everything, and tell why in the description."""
        del action, payment
        status = _STATUSES.get(problem, 400)
        reason = str(problem) if problem is Problem.REFUSED else "NA"
        return _error(
            status, "BAD_REQUEST_ERROR", reason, description=_DESCRIPTIONS.get(problem, "The request is invalid")
        )

    def failed(self, status: int) -> Spoken:
        """Answer a 429 or 5xx."""
        code = "BAD_REQUEST_ERROR" if status == 429 else "SERVER_ERROR"  # noqa: PLR2004  # Too Many Requests
        return _error(status, code, description="The sandbox plays this error")

    def root_of(self, target_id: str) -> str:
        """Return the id as it is."""
        return target_id

    def shown(self, view: str, target_id: str, payment: Payment | None, query: Mapping[str, str]) -> Spoken:
        """Answer the payment, its refunds, or the payments of an order. A payment never seen was only just created."""
        del query
        known = payment or Payment(provider=self.provider, payment_id=target_id)
        if view == _ORDER_PAYMENTS:
            return _collection([] if _status(known) == "created" else [_payment(known)])
        if target_id != _id(known):
            return self.problem(Problem.NOT_FOUND)
        if view == _REFUNDS:
            return _collection([_refund(refund, known) for refund in known.refunds])
        return Spoken(200, _payment(known))


class _Body(msgspec.Struct, frozen=True):
    amount: Annotated[int, msgspec.Meta(gt=0)] | None = None
    currency: str | None = None
    order_id: str | None = None


def _id(payment: Payment) -> str:
    """Return the payment's own id, where the payment is first known by its order."""
    return payment.authorization_id or payment.payment_id


def _status(payment: Payment) -> str:
    """Return Razorpay's word: one that was never captured and is given back is refunded too."""
    spent = payment.captured_minor is not None and payment.refunded_minor >= payment.captured_minor > 0
    declined = payment.state is State.NEW and payment.decline_code is not None
    return "refunded" if spent else "failed" if declined else _STATUS[payment.state]


def _payment(payment: Payment) -> dict[str, Any]:
    return without_nones(
        id=_id(payment),
        entity="payment",
        status=_status(payment),
        amount=payment.amount_minor if payment.captured_minor is None else payment.captured_minor,
        currency=payment.currency,
        captured=payment.state is State.CAPTURED,
        amount_refunded=payment.amount_minor if payment.state is State.VOIDED else payment.refunded_minor,
        error_code=None if payment.decline_code is None else "BAD_REQUEST_ERROR",
        error_reason=payment.decline_code,
    )


def _refund(refund: Refund, payment: Payment) -> dict[str, Any]:
    return without_nones(
        id=refund.refund_id,
        entity="refund",
        amount=refund.amount_minor,
        payment_id=_id(payment),
        status="processed",
        created_at=int(datetime.fromisoformat(refund.at).timestamp()),
    )


def _collection(items: list[dict[str, Any]]) -> Spoken:
    return Spoken(200, {"entity": "collection", "count": len(items), "items": items})


def _error(status: int, code: str, reason: str = "NA", **more: object) -> Spoken:
    error = {"code": code, "description": "Payment failed", "source": "NA", "step": "NA", "reason": reason}
    return Spoken(status, {"error": {**error, "metadata": {}, **more}})


_STATUS = {
    State.NEW: "created",
    State.AUTHORIZED: "authorized",
    State.CAPTURED: "captured",
    State.VOIDED: "refunded",
}

_STATUSES = {Problem.UNAUTHENTICATED: 401, Problem.KEY_IN_USE: 409}

_DESCRIPTIONS = {
    Problem.UNAUTHENTICATED: "Authentication failed",
    Problem.NOT_FOUND: "The id provided does not exist",
    Problem.NOT_AUTHORIZED: "Only payments which have been authorized and not yet captured can be captured",
    Problem.ALREADY_AUTHORIZED: "The order has been paid already",
    Problem.ALREADY_CAPTURED: "This payment has already been captured",
    Problem.NOT_CAPTURED: "The payment status should be captured for action to be taken",
    Problem.ALREADY_REFUNDED: "The payment has been fully refunded already",
    Problem.AMOUNT_TOO_LARGE: "The amount is larger than what is left",
    Problem.OTHER_CURRENCY: "The currency should match the payment's",
    Problem.KEY_REUSED: "Different request with the same idempotency key has already been processed.",
    Problem.KEY_IN_USE: "A request with the same idempotency key is still being processed",
    Problem.REFUSED: "The sandbox refuses this",
}

_BODY = msgspec.json.Decoder(_Body)
