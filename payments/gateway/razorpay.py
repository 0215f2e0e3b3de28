"""Razorpay's payments (razorpay.com/docs/api/payments, /docs/api/refunds).

Razorpay takes an idempotency key for refunds alone. Elsewhere a step that may have been done before is looked up:
authorize asks for the order's payments first, and a refused capture is compared with what the payment says.
There is no void: an authorised payment that nobody captures is given back by Razorpay itself after some days.
"""

import re
from base64 import b64encode
from collections.abc import Callable

import msgspec

from payments.failures import Refused
from payments.gateway.client import Client, Reply
from payments.gateway.endpoint import Endpoint, Line, fitted, read, read_error, segment
from payments.gateway.result import Answer, Charge, Verdict

_BAD_REQUEST = 400
_NOT_FOUND = 404

_DECLINED_IN = frozenset({"payment_authentication", "payment_authorization"})
"""The steps of Razorpay's errors at which the payer's bank, and not our request, was the reason."""

_DECLINED_FOR = frozenset({"payment_declined", "payment_failed", "card_declined", "insufficient_funds"})


class RazorpayGateway:
    """`Charge.payment_id` is the payment (`pay_…`); for `authorize` it is the order, and the payment is what it makes.

    The payment that an authorize made is passed to the later steps as `Charge.authorization_id`.
    """

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
            earlier = self.fetch(charge)
            if earlier is not None and earlier.amount_minor == charge.amount_minor:
                return earlier
        return self._declined(reply)

    def void(self, charge: Charge, idempotency_key: str) -> Answer:
        """Nothing to send: say that the payment lapses, if it is not captured. Raises Refused where it is."""
        del idempotency_key
        payment = self._payment("void", charge)
        if payment is None or payment.status == "captured":
            code = "payment_not_found" if payment is None else "already_captured"
            raise Refused("the payment cannot lapse", code=code, service="razorpay", operation="void")
        return Answer(verdict=Verdict.DONE, amount_minor=charge.amount_minor)

    def refund(self, charge: Charge, idempotency_key: str) -> Answer:
        """Give `amount_minor` back."""
        headers = {"X-Refund-Idempotency": fitted(idempotency_key, _KEY)}
        reply = self._post("refund", _path(charge, "/refund"), {"amount": charge.amount_minor}, headers)
        if not reply.is_success:
            raise self._line.failure(reply, _error(reply).named)
        refund = read(reply, _REFUND)
        verdict = Verdict.DECLINED if refund.status == "failed" else Verdict.DONE
        return Answer(verdict=verdict, amount_minor=refund.amount, reference_id=refund.id)

    def fetch(self, charge: Charge) -> Answer | None:
        """Return what was captured."""
        payment = self._payment("fetch", charge)
        return _done(payment, charge) if payment is not None and payment.was_captured else None

    def _made_before(self, charge: Charge) -> "Payment | None":
        """Return the order's payment that was authorised or captured, if there is one."""
        reply = self._line.get("authorize", f"/v1/orders/{segment(charge.payment_id)}/payments")
        if not reply.is_success:
            raise self._line.failure(reply, _error(reply).named)
        made = (p for p in read(reply, _PAYMENTS).items if p.status == "authorized" or p.was_captured)
        return next(made, None)

    def _payment(self, operation: str, charge: Charge) -> "Payment | None":
        reply = self._line.get(operation, _path(charge, ""))
        if reply.is_success:
            return read(reply, _PAYMENT)
        error = _error(reply)
        if reply.status == _NOT_FOUND or (reply.status == _BAD_REQUEST and error.code == "BAD_REQUEST_ERROR"):
            return None  # Razorpay answers 400 for an id that does not exist
        raise self._line.failure(reply, error.named)

    def _declined(self, reply: Reply) -> Answer:
        """Return the decline that the reply stands for; raises where it is none."""
        error = _error(reply)
        if reply.status == _BAD_REQUEST and (error.step in _DECLINED_IN or error.reason in _DECLINED_FOR):
            return Answer(verdict=Verdict.DECLINED, amount_minor=0, code=error.reason or "declined")
        raise self._line.failure(reply, error.named)

    def _post(self, operation: str, path: str, body: object, headers: dict[str, str] | None = None) -> Reply:
        return self._line.post(operation, path, msgspec.json.encode(body), headers or {})


class Payment(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a payment that we read. `amount` is absent in the sandbox where it was never told."""

    id: str
    status: str
    amount: int | None = None

    @property
    def was_captured(self) -> bool:
        """Whether the amount was taken, even if it has been given back since."""
        return self.status in {"captured", "refunded"}


class _Payments(msgspec.Struct, frozen=True):
    items: list[Payment] = []


class _Created(msgspec.Struct, frozen=True):
    razorpay_payment_id: str


class _Refund(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    amount: int
    status: str | None = None


class Error(msgspec.Struct, frozen=True, kw_only=True):
    """The part of an error that we read; `description` is free text and left where it is."""

    code: str | None = None
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


def _error(reply: Reply) -> Error:
    return read_error(reply, _ERROR, _ErrorBody()).error


def _path(charge: Charge, verb: str) -> str:
    return f"/v1/payments/{segment(charge.authorization_id or charge.payment_id)}{verb}"


_PAYMENT = msgspec.json.Decoder(Payment)
_PAYMENTS = msgspec.json.Decoder(_Payments)
_CREATED = msgspec.json.Decoder(_Created)
_REFUND = msgspec.json.Decoder(_Refund)
_ERROR = msgspec.json.Decoder(_ErrorBody)
_KEY = re.compile(r"[A-Za-z0-9_-]{10,255}", re.ASCII)
