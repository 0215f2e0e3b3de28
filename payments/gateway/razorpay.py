"""Razorpay's payments (razorpay.com/docs/api/payments, /docs/api/refunds).

Razorpay takes an idempotency key for refunds alone. Elsewhere a step that may have been done before is looked up:
authorize asks for the order's payments first, and a refused capture is compared with what the payment says.
There is no void: an authorised payment that nobody captures is given back by Razorpay itself after some days. It is
then `refunded` and was never `captured` (razorpay.com/docs/payments/refunds/auto-refunds).
"""

import re
from base64 import b64encode
from collections.abc import Callable

import msgspec

from payments.failures import Failure, NotFound, ValidationFailed
from payments.gateway.client import Client, Reply
from payments.gateway.endpoint import Endpoint, Line, fitted, read, read_error, segment
from payments.gateway.result import Answer, Charge, Stage, Standing, Verdict

_BAD_REQUEST = 400
_NOT_FOUND = 404

_DECLINED_IN = frozenset({"payment_authentication", "payment_authorization"})
"""The steps of Razorpay's errors at which the payer's bank, and not our request, was the reason."""

_DECLINED_FOR = frozenset({"payment_declined", "payment_failed", "card_declined", "insufficient_funds"})


class RazorpayGateway:
    """`authorize` takes `Charge.payment_id`, the order (`order_…`), and makes a payment (`pay_…`) for it.

    Every later step takes that payment: `Charge.capture_id` or `authorization_id`, which are the same here, or
    `payment_id` where neither is given. `stand` also finds the payment of an order.
    """

    keeps_errors = False

    def __init__(self, client: Client, endpoint: Endpoint, now: Callable[[], float]) -> None:
        basic = b64encode(endpoint.api_key.encode()).decode("ascii")
        headers = {"Authorization": f"Basic {basic}", "Content-Type": "application/json"}
        self._line = Line(client, "razorpay", endpoint, headers, now)

    def authorize(self, charge: Charge, idempotency_key: str) -> Answer:
        """Make a payment for the order, unless it has one. The account must be enabled for server-to-server payments.

        The key is not sent, as Razorpay knows none here.
        """
        del idempotency_key
        made = self._made_before(charge)
        if made is not None:
            return _done(made, charge)
        body = {"order_id": charge.payment_id, "amount": charge.amount_minor, "currency": charge.currency}
        reply = self._post("authorize", "/v1/payments/create/json", body)
        if not reply.is_success:
            return self._declined(reply)
        payment_id = read(reply, _CREATED).razorpay_payment_id
        return Answer(verdict=Verdict.DONE, amount_minor=charge.amount_minor, reference_id=payment_id)

    def capture(self, charge: Charge, idempotency_key: str) -> Answer:
        """Take the amount. Refused because already captured with the same amount is done."""
        del idempotency_key
        body = {"amount": charge.amount_minor, "currency": charge.currency}
        reply = self._post("capture", _path(charge, "/capture"), body)
        if reply.is_success:
            return _done(read(reply, _PAYMENT), charge)
        if reply.status == _BAD_REQUEST:
            payment = self._payment("capture", charge)
            if payment is not None and payment.was_captured and payment.amount == charge.amount_minor:
                return _done(payment, charge)
        return self._declined(reply)

    def void(self, charge: Charge, idempotency_key: str) -> Answer:
        """Nothing to send: say that the payment lapses, or has lapsed. Raises Refused where it was captured."""
        del idempotency_key
        where = {"service": "razorpay", "operation": "void"}
        payment = self._payment("void", charge)
        if payment is None:
            raise NotFound("there is no such payment", code="payment_not_found", **where)
        if payment.was_captured:
            raise ValidationFailed("a captured payment cannot lapse", code="already_captured", **where)
        return Answer(verdict=Verdict.DONE, amount_minor=charge.amount_minor)

    def refund(self, charge: Charge, idempotency_key: str) -> Answer:
        """Give `amount_minor` back."""
        headers = {"X-Refund-Idempotency": fitted(idempotency_key, _KEY)}
        reply = self._post("refund", _path(charge, "/refund"), {"amount": charge.amount_minor}, headers)
        if not reply.is_success:
            raise self._failure(reply)
        refund = read(reply, _REFUND)
        verdict = Verdict.DECLINED if refund.status == "failed" else Verdict.DONE
        return Answer(verdict=verdict, amount_minor=refund.amount, reference_id=refund.id)

    def stand(self, charge: Charge) -> Standing | None:
        """Return the payment; where it was refunded, its refunds are a second request."""
        payment = self._found(charge)
        if payment is None:
            return None
        given_back = payment.was_captured and payment.amount_refunded
        return _standing(payment, charge, self._last_refund_id(payment) if given_back else None)

    def _made_before(self, charge: Charge) -> "Payment | None":
        """Return the order's payment that was authorised or captured, if there is one."""
        made = self._furthest("authorize", charge.payment_id)
        return made if made is not None and made.stage in {Stage.AUTHORIZED, Stage.CAPTURED} else None

    def _found(self, charge: Charge) -> "Payment | None":
        """Return the payment of a charge, which may name an order only."""
        is_order = charge.payment_id.startswith("order_") and _id(charge) == charge.payment_id
        payment = None if is_order else self._payment("stand", charge)
        if payment is None and _id(charge) == charge.payment_id:
            payment = self._furthest("stand", charge.payment_id)
        return payment

    def _furthest(self, operation: str, order_id: str) -> "Payment | None":
        """Return that payment of an order which has come furthest: a payer may have tried several times."""
        reply = self._line.get(operation, f"/v1/orders/{segment(order_id)}/payments")
        if self._is_unknown(reply):
            return None
        if not reply.is_success:
            raise self._failure(reply)
        return max(read(reply, _PAYMENTS).items, key=lambda payment: _PROGRESS.index(payment.stage), default=None)

    def _payment(self, operation: str, charge: Charge) -> "Payment | None":
        reply = self._line.get(operation, _path(charge, ""))
        if self._is_unknown(reply):
            return None
        if not reply.is_success:
            raise self._failure(reply)
        return read(reply, _PAYMENT)

    def _last_refund_id(self, payment: "Payment") -> str | None:
        reply = self._line.get("stand", f"/v1/payments/{segment(payment.id)}/refunds")
        if not reply.is_success:
            raise self._failure(reply)
        made = [refund for refund in read(reply, _REFUNDS).items if refund.status != "failed"]
        made.reverse()  # of those of one second, the last one told
        return max(made, key=lambda refund: refund.created_at).id if made else None

    def _is_unknown(self, reply: Reply) -> bool:
        """Return whether there is no such id: Razorpay answers 400 to that, and a proxy 404."""
        return reply.status == _NOT_FOUND or (
            reply.status == _BAD_REQUEST and _error(reply).code == "BAD_REQUEST_ERROR"
        )

    def _declined(self, reply: Reply) -> Answer:
        """Return the decline that the reply stands for; raises where it is none."""
        error = _error(reply)
        if reply.status == _BAD_REQUEST and (error.step in _DECLINED_IN or error.reason in _DECLINED_FOR):
            return Answer(verdict=Verdict.DECLINED, amount_minor=0, code=error.reason or "declined")
        raise self._failure(reply)

    def _failure(self, reply: Reply) -> Failure:
        error = _error(reply)
        return self._line.failure(reply, error.named, error.description)

    def _post(self, operation: str, path: str, body: object, headers: dict[str, str] | None = None) -> Reply:
        return self._line.post(operation, path, msgspec.json.encode(body), headers or {})


class Payment(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a payment that we read. `amount` is absent in the sandbox where it was never told."""

    id: str
    status: str
    amount: int | None = None
    amount_refunded: int | None = None
    captured: bool = True
    error_reason: str | None = None
    error_code: str | None = None

    @property
    def was_captured(self) -> bool:
        """Whether the amount was taken, even if it has been given back since."""
        return self.stage is Stage.CAPTURED

    @property
    def stage(self) -> Stage:
        """How far it has come. One that was refunded without a capture has lapsed."""
        if self.status == "refunded" and not self.captured:
            return Stage.VOIDED
        return _STAGES.get(self.status, Stage.OPEN)


class _Payments(msgspec.Struct, frozen=True):
    items: list[Payment] = []


class _Created(msgspec.Struct, frozen=True):
    razorpay_payment_id: str


class _Refund(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    amount: int
    status: str | None = None
    created_at: int = 0


class _Refunds(msgspec.Struct, frozen=True):
    items: list[_Refund] = []


class Error(msgspec.Struct, frozen=True, kw_only=True):
    """The part of an error that we read. `description` may hold personal data: into failures alone, redacted."""

    code: str | None = None
    description: str | None = None
    step: str | None = None
    reason: str | None = None

    @property
    def named(self) -> str | None:
        """The closest name of what went wrong; Razorpay writes `NA` where it has none."""
        return self.code if self.reason in {None, "", "NA"} else self.reason


class _ErrorBody(msgspec.Struct, frozen=True):
    error: Error = Error()


def _done(payment: Payment, charge: Charge) -> Answer:
    """Return the payment as an answer; the amount is the charge's where Razorpay names none."""
    amount = charge.amount_minor if payment.amount is None else payment.amount
    return Answer(verdict=Verdict.DONE, amount_minor=amount, reference_id=payment.id)


def _standing(payment: Payment, charge: Charge, refund_id: str | None) -> Standing:
    made = payment.stage in {Stage.AUTHORIZED, Stage.CAPTURED, Stage.VOIDED}
    amount = charge.amount_minor if payment.amount is None else payment.amount
    return Standing(
        stage=payment.stage,
        amount_minor=payment.amount,
        captured_minor=amount if payment.was_captured else 0,
        refunded_minor=payment.amount_refunded or 0 if payment.was_captured else 0,
        authorization_id=payment.id if made else None,
        capture_id=payment.id if payment.was_captured else None,
        refund_id=refund_id,
        code=payment.error_reason or payment.error_code if payment.stage is Stage.DECLINED else None,
    )


def _error(reply: Reply) -> Error:
    return read_error(reply, _ERROR, _ErrorBody()).error


def _path(charge: Charge, verb: str) -> str:
    return f"/v1/payments/{segment(_id(charge))}{verb}"


def _id(charge: Charge) -> str:
    """Return the payment, where it has an id beside the order's."""
    return charge.capture_id or charge.authorization_id or charge.payment_id


_STAGES = {
    "authorized": Stage.AUTHORIZED,
    "captured": Stage.CAPTURED,
    "refunded": Stage.CAPTURED,
    "failed": Stage.DECLINED,
}

_PROGRESS = (Stage.DECLINED, Stage.VOIDED, Stage.OPEN, Stage.AUTHORIZED, Stage.CAPTURED)
"""From that which tells least of an order to that which tells most."""

_PAYMENT = msgspec.json.Decoder(Payment)
_PAYMENTS = msgspec.json.Decoder(_Payments)
_CREATED = msgspec.json.Decoder(_Created)
_REFUND = msgspec.json.Decoder(_Refund)
_REFUNDS = msgspec.json.Decoder(_Refunds)
_ERROR = msgspec.json.Decoder(_ErrorBody)
_KEY = re.compile(r"[A-Za-z0-9_-]{10,255}", re.ASCII)
