"""Stripe's payment intents with manual capture (docs.stripe.com/api/payment_intents, /api/refunds)."""

import re
from collections.abc import Callable
from urllib.parse import urlencode

import msgspec

from payments.failures import OutcomeUnknown, Refused
from payments.gateway.client import Client, Reply
from payments.gateway.endpoint import Endpoint, Line, fitted, read, read_error, segment
from payments.gateway.result import Answer, Charge, Verdict

_NOT_FOUND = 404
_CARD_ERROR = 402


class StripeGateway:
    """Acts on intents that exist at Stripe already: `Charge.payment_id` is the intent (`pi_…`).

    A refusal because the intent already is where the step would bring it, with the same amount, counts as done: Stripe
    forgets idempotency keys after a day, and a replay may come later.
    """

    def __init__(self, client: Client, endpoint: Endpoint, now: Callable[[], float]) -> None:
        headers = {
            "Authorization": f"Bearer {endpoint.api_key}",
            "Content-Type": "application/x-www-form-urlencoded",
            "Stripe-Version": "2024-06-20",
        }
        self._line = Line(client, "stripe", endpoint, headers, now)

    def authorize(self, charge: Charge, idempotency_key: str) -> Answer:
        """Confirm the intent. One that asks for the payer's presence is declined: nobody is here to answer."""
        form = {"capture_method": "manual", "error_on_requires_action": "true"}
        reply = self._post("authorize", _path(charge, "/confirm"), form, idempotency_key)
        intent = self._intent(reply, {"requires_capture", "succeeded"})
        return _answer(intent, intent.amount, charge)

    def capture(self, charge: Charge, idempotency_key: str) -> Answer:
        """Take the amount; what is left of the reservation is given back by Stripe."""
        form = {"amount_to_capture": str(charge.amount_minor)}
        reply = self._post("capture", _path(charge, "/capture"), form, idempotency_key)
        intent = self._intent(reply, {"succeeded"})
        answer = _answer(intent, intent.amount_received, charge)
        done_before = answer.verdict is Verdict.DONE and not reply.is_success
        if done_before and answer.amount_minor != charge.amount_minor:
            raise self._line.failure(reply, "captured_otherwise")
        return answer

    def void(self, charge: Charge, idempotency_key: str) -> Answer:
        """Cancel the intent."""
        reply = self._post("void", _path(charge, "/cancel"), {}, idempotency_key)
        return _answer(self._intent(reply, {"canceled"}), charge.amount_minor, charge)

    def refund(self, charge: Charge, idempotency_key: str) -> Answer:
        """Give `amount_minor` back. A refund that is pending at the bank is done as far as Stripe is concerned."""
        form = {"payment_intent": charge.payment_id, "amount": str(charge.amount_minor)}
        reply = self._post("refund", "/v1/refunds", form, idempotency_key)
        if not reply.is_success:
            raise self._line.failure(reply, _error(reply).code)
        refund = read(reply, _REFUND)
        verdict = Verdict.DECLINED if refund.status in {"failed", "canceled"} else Verdict.DONE
        return Answer(verdict=verdict, amount_minor=refund.amount, reference_id=refund.id, code=refund.failure_reason)

    def fetch(self, charge: Charge) -> Answer | None:
        """Return what was captured."""
        reply = self._line.get("fetch", _path(charge, ""))
        if reply.status == _NOT_FOUND:
            return None
        if not reply.is_success:
            raise self._line.failure(reply, _error(reply).code)
        intent = read(reply, _INTENT)
        return _answer(intent, intent.amount_received, charge) if intent.status == "succeeded" else None

    def _post(self, operation: str, path: str, form: dict[str, str], idempotency_key: str) -> Reply:
        key = fitted(idempotency_key, _KEY)
        return self._line.post(operation, path, urlencode(form).encode("ascii"), {"Idempotency-Key": key})

    def _intent(self, reply: Reply, wanted: set[str]) -> "Intent":
        """Return the intent where it is as wanted or declined; raises for every other answer."""
        if reply.is_success:
            return _settled(reply, read(reply, _INTENT), wanted)
        error = _error(reply)
        if reply.status == _CARD_ERROR:
            return Intent(id="", status="declined", last_payment_error=error)
        if error.code == "payment_intent_unexpected_state" and error.payment_intent.status in wanted:
            return error.payment_intent
        raise self._line.failure(reply, error.code)


class Intent(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a payment intent that we read. `amount` is absent in the sandbox where it was never told."""

    id: str = ""
    status: str = ""
    amount: int | None = None
    amount_received: int | None = None
    latest_charge: str | None = None
    last_payment_error: "Error | None" = None


class Error(msgspec.Struct, frozen=True, kw_only=True):
    """The part of an error that we read. `message` may hold personal data and is left where it is."""

    code: str | None = None
    type: str | None = None
    decline_code: str | None = None
    payment_intent: Intent = Intent()


class _ErrorBody(msgspec.Struct, frozen=True):
    error: Error = Error()


class _Refund(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    amount: int
    status: str | None = None
    failure_reason: str | None = None


def _settled(reply: Reply, intent: Intent, wanted: set[str]) -> Intent:
    """Return the intent of a successful reply if its status says that the step has ended."""
    if intent.status in wanted:
        return intent
    if intent.status == "requires_payment_method":
        return msgspec.structs.replace(intent, status="declined")
    if intent.status == "processing":
        raise OutcomeUnknown("Stripe has not decided yet", code="processing", **reply.call.where)
    raise Refused("the intent is in another state", code=intent.status or "unknown_state", **reply.call.where)


def _answer(intent: Intent, amount_minor: int | None, charge: Charge) -> Answer:
    """Return the intent as an answer; the amount is the charge's where Stripe names none."""
    if intent.status == "declined":
        error = intent.last_payment_error or Error()
        return Answer(verdict=Verdict.DECLINED, amount_minor=0, code=error.decline_code or error.code or "declined")
    amount = charge.amount_minor if amount_minor is None else amount_minor
    return Answer(verdict=Verdict.DONE, amount_minor=amount, reference_id=intent.latest_charge)


def _error(reply: Reply) -> Error:
    """Return Stripe's error; where it names only a type (`idempotency_error`), that stands for the code."""
    error = read_error(reply, _ERROR, _ErrorBody()).error
    return error if error.code else msgspec.structs.replace(error, code=error.type)


def _path(charge: Charge, verb: str) -> str:
    return f"/v1/payment_intents/{segment(charge.payment_id)}{verb}"


_INTENT = msgspec.json.Decoder(Intent)
_ERROR = msgspec.json.Decoder(_ErrorBody)
_REFUND = msgspec.json.Decoder(_Refund)
_KEY = re.compile(r"[\x21-\x7e]{1,255}", re.ASCII)
