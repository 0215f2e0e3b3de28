"""Stripe's payment intents with manual capture (docs.stripe.com/api/payment_intents, /api/refunds)."""

import re
from collections.abc import Callable
from urllib.parse import urlencode

import msgspec

from payments.failures import Failure, Undecided, ValidationFailed
from payments.gateway.client import Client, Reply
from payments.gateway.endpoint import Endpoint, Line, fitted, read, read_error, segment
from payments.gateway.result import Answer, Charge, Stage, Standing, Verdict

_NOT_FOUND = 404
_CARD_ERROR = 402


class StripeGateway:
    """Acts on intents that exist at Stripe already: every verb takes `Charge.payment_id`, the intent (`pi_…`).

    A refusal because the intent already is where the step would bring it, with the same amount, counts as done: Stripe
    forgets idempotency keys after a day, and a replay may come later.
    """

    keeps_errors = True  # for a day at least, 500 among them: docs.stripe.com/api/idempotent_requests

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
            raise self._line.failure(reply, "captured_otherwise", _error(reply).message)
        return answer

    def void(self, charge: Charge, idempotency_key: str) -> Answer:
        """Cancel the intent. One that was canceled before is done."""
        self._intent(self._post("void", _path(charge, "/cancel"), {}, idempotency_key), {"canceled"})
        return Answer(verdict=Verdict.DONE, amount_minor=charge.amount_minor)

    def refund(self, charge: Charge, idempotency_key: str) -> Answer:
        """Give `amount_minor` back. A refund that is pending at the bank is done as far as Stripe is concerned."""
        form = {"payment_intent": charge.payment_id, "amount": str(charge.amount_minor)}
        reply = self._post("refund", "/v1/refunds", form, idempotency_key)
        if not reply.is_success:
            raise self._failure(reply)
        refund = read(reply, _REFUND)
        verdict = Verdict.DECLINED if refund.status in _UNDONE else Verdict.DONE
        return Answer(verdict=verdict, amount_minor=refund.amount, reference_id=refund.id, code=refund.failure_reason)

    def stand(self, charge: Charge) -> Standing | None:
        """Return the intent and the refunds of its charge, in one request."""
        reply = self._line.get("stand", _path(charge, _WITH_REFUNDS))
        if reply.status == _NOT_FOUND:
            return None
        if not reply.is_success:
            raise self._failure(reply)
        return _standing(read(reply, _INTENT), charge)

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
        raise self._line.failure(reply, error.code, error.message)

    def _failure(self, reply: Reply) -> Failure:
        error = _error(reply)
        return self._line.failure(reply, error.code, error.message)


class _Refund(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    amount: int
    status: str | None = None
    failure_reason: str | None = None


class _Refunds(msgspec.Struct, frozen=True):
    """A charge's latest refunds, the last one first."""

    data: list[_Refund] = []


class _StripeCharge(msgspec.Struct, frozen=True, kw_only=True):
    """A charge where it is expanded. `amount_refunded` also counts what was reserved and never captured."""

    id: str
    amount_refunded: int = 0
    refunds: _Refunds | None = None


class Intent(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a payment intent that we read. `amount` is absent in the sandbox where it was never told."""

    id: str = ""
    status: str = ""
    amount: int | None = None
    amount_received: int | None = None
    latest_charge: str | _StripeCharge | None = None
    last_payment_error: "Error | None" = None

    @property
    def charge_id(self) -> str | None:
        """The id of its latest charge, expanded or not."""
        return self.latest_charge.id if isinstance(self.latest_charge, _StripeCharge) else self.latest_charge


class Error(msgspec.Struct, frozen=True, kw_only=True):
    """The part of an error that we read. `message` may hold personal data: into failures alone, redacted."""

    code: str | None = None
    message: str | None = None
    type: str | None = None
    decline_code: str | None = None
    payment_intent: Intent = Intent()


class _ErrorBody(msgspec.Struct, frozen=True):
    error: Error = Error()


def _settled(reply: Reply, intent: Intent, wanted: set[str]) -> Intent:
    """Return the intent of a successful reply if its status says that the step has ended."""
    if intent.status in wanted:
        return intent
    if intent.status == "requires_payment_method":
        return msgspec.structs.replace(intent, status="declined")
    if intent.status == "processing":
        raise Undecided("Stripe has not decided yet", code="processing", **reply.call.where)
    raise ValidationFailed("the intent is in another state", code=intent.status or "unknown_state", **reply.call.where)


def _answer(intent: Intent, amount_minor: int | None, charge: Charge) -> Answer:
    """Return the intent as an answer; the amount is the charge's where Stripe names none."""
    if intent.status == "declined":
        return Answer(verdict=Verdict.DECLINED, amount_minor=0, code=_decline_code(intent))
    amount = charge.amount_minor if amount_minor is None else amount_minor
    return Answer(verdict=Verdict.DONE, amount_minor=amount, reference_id=intent.charge_id)


def _standing(intent: Intent, charge: Charge) -> Standing:
    """Return the intent as a standing. A decline is one only as long as nobody has tried another card."""
    stage = _STAGES.get(intent.status, Stage.OPEN)
    refused = intent.status == "requires_payment_method" and intent.last_payment_error is not None
    captured = charge.amount_minor if intent.amount_received is None else intent.amount_received
    refunded = _refunded_minor(intent, captured) if stage is Stage.CAPTURED else 0
    return Standing(
        stage=Stage.DECLINED if refused else stage,
        amount_minor=intent.amount,
        captured_minor=captured if stage is Stage.CAPTURED else 0,
        refunded_minor=refunded,
        authorization_id=intent.charge_id,
        capture_id=intent.charge_id if stage is Stage.CAPTURED else None,
        refund_id=_last_refund_id(intent) if refunded else None,
        code=_decline_code(intent) if refused else None,
    )


def _refunded_minor(intent: Intent, captured_minor: int) -> int:
    """Return what was given back of the captured amount: Stripe also counts the rest of a partly captured one."""
    if not isinstance(intent.latest_charge, _StripeCharge):
        return 0
    released = max(0, (intent.amount or 0) - captured_minor)
    return max(0, intent.latest_charge.amount_refunded - released)


def _last_refund_id(intent: Intent) -> str | None:
    charge = intent.latest_charge
    refunds = charge.refunds.data if isinstance(charge, _StripeCharge) and charge.refunds is not None else []
    return next((refund.id for refund in refunds if refund.status not in _UNDONE), None)


def _decline_code(intent: Intent) -> str:
    error = intent.last_payment_error or Error()
    return error.decline_code or error.code or "declined"


def _error(reply: Reply) -> Error:
    """Return Stripe's error; where it names only a type (`idempotency_error`), that stands for the code."""
    error = read_error(reply, _ERROR, _ErrorBody()).error
    return error if error.code else msgspec.structs.replace(error, code=error.type)


def _path(charge: Charge, verb: str) -> str:
    return f"/v1/payment_intents/{segment(charge.payment_id)}{verb}"


_WITH_REFUNDS = "?expand%5B%5D=latest_charge.refunds"
_UNDONE = frozenset({"failed", "canceled"})

_STAGES = {
    "requires_capture": Stage.AUTHORIZED,
    "succeeded": Stage.CAPTURED,
    "canceled": Stage.VOIDED,
}

_INTENT = msgspec.json.Decoder(Intent)
_ERROR = msgspec.json.Decoder(_ErrorBody)
_REFUND = msgspec.json.Decoder(_Refund)
_KEY = re.compile(r"[\x21-\x7e]{1,255}", re.ASCII)
