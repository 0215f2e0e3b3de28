"""PayPal's orders with intent AUTHORIZE and its payments (developer.paypal.com, Orders v2 and Payments v2).

The access token comes from outside and is not renewed here: the setting holds one that is valid, or a proxy adds its
own. An expired token is refused with status 401.
"""

import re
from collections.abc import Callable

import msgspec

from payments.borders.http import lost
from payments.failures import Failure, Undecided
from payments.gateway.client import Client, Reply
from payments.gateway.endpoint import Endpoint, Line, fitted, read, segment
from payments.gateway.paypal_message import (
    Order,
    Part,
    Payments,
    PurchaseUnit,
    error_of,
    minor_amount,
    money,
    standing_of,
)
from payments.gateway.result import Answer, Charge, Standing, Verdict

_NOT_FOUND = 404

_DECLINES = frozenset({
    "AUTHORIZATION_DENIED", "CARD_EXPIRED", "INSTRUMENT_DECLINED", "PAYER_ACCOUNT_LOCKED_OR_CLOSED",
    "PAYER_ACCOUNT_RESTRICTED", "PAYER_CANNOT_PAY", "TRANSACTION_LIMIT_EXCEEDED", "TRANSACTION_REFUSED",
})  # fmt: skip
"""The issues of a 422 that speak of the payer, and not of our request."""


class PayPalGateway:
    """Each step makes something with an id of its own, and the next step wants that id.

    `authorize` takes `Charge.payment_id`, the order, and makes an authorization; `capture` and `void` take
    `authorization_id`, and `refund` takes `capture_id`. Where that is not given they take `payment_id`, as for a
    payment that is known by its authorization or its capture alone. `stand` takes whatever is known.
    """

    keeps_errors = False

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
        reply = self._post(
            "capture", _authorization(charge.authorization_id or charge.payment_id) + "/capture", body, idempotency_key
        )
        if reply.is_success:
            return _made(reply, read(reply, _PART), charge)
        if error_of(reply).issue == "AUTHORIZATION_ALREADY_CAPTURED":
            standing = self.stand(charge)
            earlier = None if standing is None else standing.answer_to("capture", charge)
            if earlier is not None and earlier.amount_minor == charge.amount_minor:
                return earlier
        return self._declined(reply)

    def void(self, charge: Charge, idempotency_key: str) -> Answer:
        """Give the reservation back. One that was given back before is done."""
        reply = self._post(
            "void", _authorization(charge.authorization_id or charge.payment_id) + "/void", {}, idempotency_key
        )
        if not reply.is_success and error_of(reply).issue != "PREVIOUSLY_VOIDED":
            raise self._failure(reply)
        return Answer(verdict=Verdict.DONE, amount_minor=charge.amount_minor)

    def refund(self, charge: Charge, idempotency_key: str) -> Answer:
        """Give `amount_minor` of a capture back. A refund that is pending is done as far as PayPal is concerned."""
        path = _capture(charge.capture_id or charge.payment_id) + "/refund"
        body = {"amount": money(charge.amount_minor, charge.currency)}
        reply = self._post("refund", path, body, idempotency_key)
        if not reply.is_success:
            raise self._failure(reply)
        refund = read(reply, _PART)
        verdict = Verdict.DECLINED if refund.was_undone else Verdict.DONE
        amount, reason = minor_amount(reply, refund.amount, charge), refund.status_details.reason
        return Answer(verdict=verdict, amount_minor=amount, reference_id=refund.id, code=reason)

    def stand(self, charge: Charge) -> Standing | None:
        """Return how the order stands, which alone names all its parts; a part that is known leads to its order."""
        is_part = charge.payment_id in {charge.authorization_id, charge.capture_id}
        reply = None if is_part else self._asked(_order(charge.payment_id))
        return self._stand_by_part(charge) if reply is None else standing_of(reply, read(reply, _ORDER), charge)

    def _stand_by_part(self, charge: Charge) -> Standing | None:
        """Return how the order of the latest known part stands, or that part alone where it names no order."""
        reply = self._asked(_part(charge))
        if reply is None:
            return None
        part = read(reply, _PART)
        order_id = part.supplementary_data.related_ids.order_id
        whole = None if order_id is None else self._asked(_order(order_id))
        if whole is not None:
            return standing_of(whole, read(whole, _ORDER), charge)
        alone = Payments(captures=[part]) if charge.capture_id is not None else Payments(authorizations=[part])
        return standing_of(reply, Order(part.id, [PurchaseUnit(alone)]), charge)

    def _asked(self, path: str) -> Reply | None:
        """Return the answer to a question, or None where PayPal does not know what it is about."""
        reply = self._line.get("stand", path)
        if reply.status == _NOT_FOUND:
            return None
        if not reply.is_success:
            raise self._failure(reply)
        return reply

    def _declined(self, reply: Reply) -> Answer:
        """Return the decline that the reply stands for; raises where it is none."""
        issue = error_of(reply).issue
        if issue in _DECLINES:
            return Answer(verdict=Verdict.DECLINED, amount_minor=0, code=issue)
        raise self._failure(reply)

    def _failure(self, reply: Reply) -> Failure:
        error = error_of(reply)
        return self._line.failure(reply, error.issue, error.description)

    def _post(self, operation: str, path: str, body: object, idempotency_key: str) -> Reply:
        headers = {"PayPal-Request-Id": fitted(idempotency_key, _KEY)}
        return self._line.post(operation, path, msgspec.json.encode(body), headers)


def _made(reply: Reply, part: Part, charge: Charge) -> Answer:
    """Return the authorization or capture that a step made. One under review is neither done nor declined yet."""
    if part.status in {"DECLINED", "DENIED", "FAILED"}:
        return Answer(verdict=Verdict.DECLINED, amount_minor=0, code=part.status_details.reason or part.status)
    if part.status == "PENDING":
        raise Undecided("PayPal has not decided yet", code="pending", **reply.call.where)
    return Answer(verdict=Verdict.DONE, amount_minor=minor_amount(reply, part.amount, charge), reference_id=part.id)


def _part(charge: Charge) -> str:
    """Return the latest part of an order that is known."""
    if charge.capture_id is not None:
        return _capture(charge.capture_id)
    return _authorization(charge.authorization_id or charge.payment_id)


def _authorization(authorization_id: str) -> str:
    return f"/v2/payments/authorizations/{segment(authorization_id)}"


def _capture(capture_id: str) -> str:
    return f"/v2/payments/captures/{segment(capture_id)}"


def _order(order_id: str) -> str:
    return f"/v2/checkout/orders/{segment(order_id)}"


_ORDER = msgspec.json.Decoder(Order)
_PART = msgspec.json.Decoder(Part)
_KEY = re.compile(r"[A-Za-z0-9_:.-]{1,108}", re.ASCII)
