"""PayPal's orders with intent AUTHORIZE and its payments (developer.paypal.com, Orders v2 and Payments v2).

The access token comes from outside and is not renewed here: the setting holds one that is valid, or a proxy adds its
own. An expired token is refused with status 401.
"""

import re
from collections.abc import Callable
from typing import TypeVar

import msgspec

from payments.failures import Failure, OutcomeUnknown, Unavailable
from payments.gateway.client import Client, Reply, lost
from payments.gateway.endpoint import Endpoint, Line, fitted, read, segment
from payments.gateway.paypal_message import Order, Part, error_of, minor_amount, money
from payments.gateway.result import Answer, Charge, Verdict

T = TypeVar("T")

_NOT_FOUND = 404

_DECLINES = frozenset({
    "AUTHORIZATION_DENIED", "CARD_EXPIRED", "INSTRUMENT_DECLINED", "PAYER_ACCOUNT_LOCKED_OR_CLOSED",
    "PAYER_ACCOUNT_RESTRICTED", "PAYER_CANNOT_PAY", "TRANSACTION_LIMIT_EXCEEDED", "TRANSACTION_REFUSED",
})  # fmt: skip
"""The issues of a 422 that speak of the payer, and not of our request."""


class PayPalGateway:
    """The ids differ by step: `authorize` takes an order, `capture` and `void` an authorization, `refund` a capture.

    Each step uses `Charge.authorization_id` where it is set and `payment_id` otherwise; only `authorize` always takes
    `payment_id`. `Answer.reference_id` is the id that the step made: pass it on as the next `authorization_id`.
    """

    def __init__(self, client: Client, endpoint: Endpoint, now: Callable[[], float]) -> None:
        headers = {
            "Authorization": f"Bearer {endpoint.api_key}",
            "Content-Type": "application/json",
            "Prefer": "return=representation",
        }
        self._line = Line(client, "paypal", endpoint, headers, now)

    def authorize(self, charge: Charge, idempotency_key: str) -> Answer:
        """Authorise the approved order. One that has been authorised before is done."""
        order = _order(charge.payment_id)
        reply = self._post("authorize", order + "/authorize", {}, idempotency_key)
        if not reply.is_success and error_of(reply).issue == "ORDER_ALREADY_AUTHORIZED":
            reply = self._line.get("authorize", order)
        if not reply.is_success:
            return self._declined(reply)
        made = read(reply, _ORDER).authorizations
        if not made:
            raise lost(reply.call, "the order names no authorization", "unreadable_answer")
        return _made(reply, made[0], charge)

    def capture(self, charge: Charge, idempotency_key: str) -> Answer:
        """Take the amount, finally. Refused because captured before with the same amount is done."""
        body = {"amount": money(charge.amount_minor, charge.currency), "final_capture": True}
        reply = self._post("capture", _authorization(charge) + "/capture", body, idempotency_key)
        if reply.is_success:
            return _made(reply, read(reply, _PART), charge)
        if error_of(reply).issue == "AUTHORIZATION_ALREADY_CAPTURED":
            earlier = self.fetch(charge)
            if earlier is not None and earlier.amount_minor == charge.amount_minor:
                return earlier
        return self._declined(reply)

    def void(self, charge: Charge, idempotency_key: str) -> Answer:
        """Give the reservation back. One that was given back before is done."""
        reply = self._post("void", _authorization(charge) + "/void", {}, idempotency_key)
        if not reply.is_success and error_of(reply).issue != "PREVIOUSLY_VOIDED":
            raise self._failure(reply)
        return Answer(verdict=Verdict.DONE, amount_minor=charge.amount_minor)

    def refund(self, charge: Charge, idempotency_key: str) -> Answer:
        """Give `amount_minor` of a capture back. A refund that is pending is done as far as PayPal is concerned."""
        path = f"/v2/payments/captures/{_id(charge)}/refund"
        body = {"amount": money(charge.amount_minor, charge.currency)}
        reply = self._post("refund", path, body, idempotency_key)
        if not reply.is_success:
            raise self._failure(reply)
        refund = read(reply, _PART)
        verdict = Verdict.DECLINED if refund.status in {"CANCELLED", "FAILED"} else Verdict.DONE
        amount, reason = minor_amount(reply, refund.amount, charge), refund.status_details.reason
        return Answer(verdict=verdict, amount_minor=amount, reference_id=refund.id, code=reason)

    def fetch(self, charge: Charge) -> Answer | None:
        """Return what was captured. Only an order names its captures, so an authorization is followed to its order."""
        if charge.authorization_id is not None and charge.authorization_id != charge.payment_id:
            return self._captured(charge.payment_id, charge)
        reply = self._line.get("fetch", _authorization(charge))
        if reply.status == _NOT_FOUND:
            return self._captured(charge.payment_id, charge)
        found = self._known(reply, _PART)
        if found.status not in {"CAPTURED", "PARTIALLY_CAPTURED"}:
            return None
        order_id = found.supplementary_data.related_ids.order_id
        if order_id is not None:
            return self._captured(order_id, charge)
        return Answer(verdict=Verdict.DONE, amount_minor=minor_amount(reply, found.amount, charge))

    def _captured(self, order_id: str, charge: Charge) -> Answer | None:
        """Return the capture of an order that took the amount."""
        reply = self._line.get("fetch", _order(order_id))
        if reply.status == _NOT_FOUND:
            return None
        taken = next((part for part in self._known(reply, _ORDER).captures if part.was_captured), None)
        if taken is None:
            return None
        amount = minor_amount(reply, taken.amount, charge)
        return Answer(verdict=Verdict.DONE, amount_minor=amount, reference_id=taken.id)

    def _known(self, reply: Reply, decoder: "msgspec.json.Decoder[T]") -> T:
        if not reply.is_success:
            raise self._failure(reply)
        return read(reply, decoder)

    def _declined(self, reply: Reply) -> Answer:
        """Return the decline that the reply stands for; raises where it is none."""
        issue = error_of(reply).issue
        if issue in _DECLINES:
            return Answer(verdict=Verdict.DECLINED, amount_minor=0, code=issue)
        raise self._failure(reply)

    def _failure(self, reply: Reply) -> Failure:
        issue = error_of(reply).issue
        if issue == "PREVIOUS_REQUEST_IN_PROGRESS":
            return Unavailable("an earlier request is still at work", code=issue, **reply.call.where)
        return self._line.failure(reply, issue)

    def _post(self, operation: str, path: str, body: object, idempotency_key: str) -> Reply:
        headers = {"PayPal-Request-Id": fitted(idempotency_key, _KEY)}
        return self._line.post(operation, path, msgspec.json.encode(body), headers)


def _made(reply: Reply, part: Part, charge: Charge) -> Answer:
    """Return the authorization or capture that a step made. One under review is neither done nor declined yet."""
    if part.status in {"DECLINED", "DENIED", "FAILED"}:
        return Answer(verdict=Verdict.DECLINED, amount_minor=0, code=part.status_details.reason or part.status)
    if part.status == "PENDING":
        raise OutcomeUnknown("PayPal has not decided yet", code="pending", **reply.call.where)
    return Answer(verdict=Verdict.DONE, amount_minor=minor_amount(reply, part.amount, charge), reference_id=part.id)


def _id(charge: Charge) -> str:
    return segment(charge.authorization_id or charge.payment_id)


def _authorization(charge: Charge) -> str:
    return f"/v2/payments/authorizations/{_id(charge)}"


def _order(order_id: str) -> str:
    return f"/v2/checkout/orders/{segment(order_id)}"


_ORDER = msgspec.json.Decoder(Order)
_PART = msgspec.json.Decoder(Part)
_KEY = re.compile(r"[A-Za-z0-9_:.-]{1,108}", re.ASCII)
