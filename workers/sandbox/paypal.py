"""PayPal, as Orders v2 and Payments v2 on developer.paypal.com describe it."""

from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar

import msgspec

from payments.event import Provider
from workers.sandbox.book import Ask, Payment, Problem, State, new_id
from workers.sandbox.dialect import Incoming, Spoken, without_nones
from workers.sandbox.effects import Action

_ORDER = "/v2/checkout/orders/{id}"
_AUTHORIZATION = "/v2/payments/authorizations/{id}"
_CAPTURE = "/v2/payments/captures/{id}"
_NO_DECIMALS = ("HUF", "JPY", "TWD")


class PayPalDialect:
    """An order gives an authorization, that gives a capture, that gives refunds: each has an id of its own."""

    provider: ClassVar[Provider] = Provider.PAYPAL
    steps: ClassVar[Mapping[str, Action]] = {
        f"{_ORDER}/authorize": Action.AUTHORIZE,
        f"{_AUTHORIZATION}/capture": Action.CAPTURE,
        f"{_AUTHORIZATION}/void": Action.VOID,
        f"{_CAPTURE}/refund": Action.REFUND,
    }
    views: ClassVar[tuple[str, ...]] = (_AUTHORIZATION, _CAPTURE, _ORDER)

    def ask(self, action: Action, incoming: Incoming) -> Ask:
        """Read the JSON body; an amount with more decimals than its currency has is malformed."""
        amount = _BODY.decode(incoming.body or b"{}").amount
        return Ask(
            provider=self.provider,
            action=action,
            target_id=incoming.target_id,
            amount_minor=None if amount is None else _minor(amount),
            currency=None if amount is None else amount.currency_code,
            key=incoming.headers.get("paypal-request-id"),
            fingerprint=f"{incoming.path}?{amount}",
        )

    def reference(self, action: Action, payment: Payment) -> str:
        """Return a new id, but for a void, which makes nothing."""
        return payment.payment_id if action is Action.VOID else new_id(_PREFIX[action]).upper()

    def done(self, action: Action, payment: Payment, amount_minor: int | None) -> Spoken:
        """Answer the order, or the capture, refund or authorization alone."""
        if action is Action.AUTHORIZE:
            return Spoken(201, _order(payment))
        if action is Action.CAPTURE:
            return Spoken(201, _part(payment.capture_id, "COMPLETED", amount_minor, payment))
        if action is Action.REFUND:
            return Spoken(201, _part(payment.last_refund_id, "COMPLETED", amount_minor, payment))
        return Spoken(200, _authorization(payment))

    def declined(self, action: Action, payment: Payment, code: str) -> Spoken:
        """Answer 422 to an order, and a capture that was declined to an authorization."""
        if action is Action.AUTHORIZE:
            return _error(422, "INSTRUMENT_DECLINED")
        part = _part(new_id("C").upper(), "DECLINED", None, payment)
        return Spoken(201, {**part, "status_details": {"reason": code.upper()}})

    def problem(self, problem: Problem, action: Action | None = None, payment: Payment | None = None) -> Spoken:
        """Answer 422 with an issue for nearly everything."""
        del payment
        if problem is Problem.UNAUTHENTICATED:
            return Spoken(401, {"error": "invalid_token", "error_description": "The token is missing"})
        status = _STATUSES.get(problem, 422)
        return _error(status, _ISSUES.get((problem, action)) or _ISSUES.get((problem, None)) or "INVALID_RESOURCE_ID")

    def failed(self, status: int) -> Spoken:
        """Answer a 429 or 5xx."""
        name = {429: "RATE_LIMIT_REACHED", 503: "SERVICE_UNAVAILABLE"}.get(status, "INTERNAL_SERVER_ERROR")
        return Spoken(status, {"name": name, "message": "The sandbox plays this error.", "debug_id": new_id("")})

    def root_of(self, target_id: str) -> str:
        """Return the authorization of an order that was never named, and any other id as it is."""
        return target_id.removeprefix("O-")

    def shown(self, view: str, target_id: str, payment: Payment | None, query: Mapping[str, str]) -> Spoken:
        """Answer the order, the authorization or the capture. One never seen does not exist."""
        del query
        name, body = _VIEWS[view]
        if payment is None or target_id != name(payment):
            return _error(404, "INVALID_RESOURCE_ID")
        return Spoken(200, body(payment))


class _Money(msgspec.Struct, frozen=True):
    currency_code: str
    value: str


class _Body(msgspec.Struct, frozen=True):
    amount: _Money | None = None


def _authorization_id(payment: Payment) -> str | None:
    """Return the payment's authorization, unless it has none, or is known by its capture alone."""
    unnamed = payment.state is State.NEW or _capture_id(payment) == payment.payment_id
    return payment.authorization_id or (None if unnamed else payment.payment_id)


def _capture_id(payment: Payment) -> str | None:
    """Return the payment's capture; one that was captured elsewhere is known by that."""
    elsewhere = payment.state is State.CAPTURED and payment.captured_minor is None
    return payment.capture_id or (payment.payment_id if elsewhere else None)


def _order_id(payment: Payment) -> str:
    """Return the payment's order; what came from outside has one too, though nobody has named it."""
    named = payment.state is State.NEW or payment.authorization_id is not None
    return payment.payment_id if named else f"O-{payment.payment_id}"


def _minor(amount: _Money) -> int:
    decimals = 0 if amount.currency_code in _NO_DECIMALS else 2
    try:
        minor = Decimal(amount.value) * 10**decimals
    except InvalidOperation:
        raise ValueError("amount.value") from None
    if not minor.is_finite() or minor <= 0 or minor != int(minor):
        raise ValueError("amount.value")
    return int(minor)


def _money(amount_minor: int | None, currency: str | None) -> dict[str, str] | None:
    if amount_minor is None or currency is None:
        return None
    value = str(amount_minor) if currency in _NO_DECIMALS else f"{amount_minor // 100}.{amount_minor % 100:02}"
    return {"currency_code": currency, "value": value}


def _part(part_id: str | None, status: str, amount_minor: int | None, payment: Payment) -> dict[str, Any]:
    return without_nones(id=part_id, status=status, amount=_money(amount_minor, payment.currency))


def _authorization(payment: Payment) -> dict[str, Any]:
    status = {State.CAPTURED: "CAPTURED", State.VOIDED: "VOIDED"}.get(payment.state, "CREATED")
    part = _part(_authorization_id(payment), status, payment.amount_minor, payment)
    return {**part, "supplementary_data": {"related_ids": {"order_id": _order_id(payment)}}}


def _capture(payment: Payment) -> dict[str, Any]:
    spent = payment.captured_minor is not None and payment.refunded_minor >= payment.captured_minor
    status = ("REFUNDED" if spent else "PARTIALLY_REFUNDED") if payment.refunds else "COMPLETED"
    part = _part(_capture_id(payment), status, payment.captured_minor, payment)
    related = without_nones(order_id=_order_id(payment), authorization_id=_authorization_id(payment))
    return {**part, "supplementary_data": {"related_ids": related}}


def _order(payment: Payment) -> dict[str, Any]:
    made = {
        "authorizations": [] if _authorization_id(payment) is None else [_authorization(payment)],
        "captures": [] if _capture_id(payment) is None else [_capture(payment)],
        "refunds": [
            {**_part(refund.refund_id, "COMPLETED", refund.amount_minor, payment), "create_time": refund.at}
            for refund in payment.refunds
        ],
    }
    status = "APPROVED" if payment.state is State.NEW else "COMPLETED"
    return {"id": _order_id(payment), "status": status, "purchase_units": [{"payments": made}]}


def _error(status: int, issue: str) -> Spoken:
    name = _NAMES[status]
    details = [{"issue": issue, "description": "The sandbox plays this error."}]
    return Spoken(status, {"name": name, "details": details, "message": name, "debug_id": new_id("")})


_VIEWS: dict[str, tuple[Callable[[Payment], str | None], Callable[[Payment], dict[str, Any]]]] = {
    _ORDER: (_order_id, _order),
    _AUTHORIZATION: (_authorization_id, _authorization),
    _CAPTURE: (_capture_id, _capture),
}

_PREFIX = {Action.AUTHORIZE: "A", Action.CAPTURE: "C", Action.REFUND: "R"}

_NAMES = {
    400: "INVALID_REQUEST",
    404: "RESOURCE_NOT_FOUND",
    409: "RESOURCE_CONFLICT",
    422: "UNPROCESSABLE_ENTITY",
}

_STATUSES = {
    Problem.MALFORMED: 400,
    Problem.NOT_FOUND: 404,
    Problem.NOT_AUTHORIZED: 404,
    Problem.NOT_CAPTURED: 404,
    Problem.KEY_IN_USE: 409,
}

_ISSUES: dict[tuple[Problem, Action | None], str] = {
    (Problem.MALFORMED, None): "INVALID_PARAMETER_VALUE",
    (Problem.KEY_REUSED, None): "DUPLICATE_REQUEST_ID",
    (Problem.KEY_IN_USE, None): "PREVIOUS_REQUEST_IN_PROGRESS",
    (Problem.ALREADY_AUTHORIZED, None): "ORDER_ALREADY_AUTHORIZED",
    (Problem.ALREADY_CAPTURED, Action.AUTHORIZE): "ORDER_ALREADY_CAPTURED",
    (Problem.ALREADY_CAPTURED, Action.CAPTURE): "AUTHORIZATION_ALREADY_CAPTURED",
    (Problem.ALREADY_CAPTURED, Action.VOID): "PREVIOUSLY_CAPTURED",
    (Problem.ALREADY_VOIDED, Action.CAPTURE): "AUTHORIZATION_VOIDED",
    (Problem.ALREADY_VOIDED, Action.VOID): "PREVIOUSLY_VOIDED",
    (Problem.ALREADY_VOIDED, Action.AUTHORIZE): "ORDER_ALREADY_AUTHORIZED",
    (Problem.ALREADY_REFUNDED, None): "CAPTURE_FULLY_REFUNDED",
    (Problem.AMOUNT_TOO_LARGE, Action.CAPTURE): "MAX_CAPTURE_AMOUNT_EXCEEDED",
    (Problem.AMOUNT_TOO_LARGE, Action.REFUND): "REFUND_AMOUNT_EXCEEDED",
    (Problem.OTHER_CURRENCY, None): "CURRENCY_MISMATCH",
    (Problem.REFUSED, None): str(Problem.REFUSED),
}

_BODY = msgspec.json.Decoder(_Body)
