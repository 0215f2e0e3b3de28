"""Our own plain protocol, for in-house processors: docs/sandbox.md describes it whole."""

import re
from collections.abc import Callable

import msgspec

from payments.failures import Failure
from payments.gateway.client import Client, Reply
from payments.gateway.endpoint import Beside, Endpoint, Line, fitted, nothing_beside, read, read_error, segment
from payments.gateway.result import Answer, Charge, Stage, Standing, Verb

_NOT_FOUND = 404


class CanonicalGateway:
    """`POST {base}/payments/{id}/{verb}` with an Idempotency-Key; a decline is an answer with status 200.

    Every verb takes `Charge.payment_id`. A refusal because the payment already is where the step would bring it, with
    the same amount, counts as done. What a request is about is told `beside` it: an in-house processor is one of us.
    """

    keeps_errors = False

    def __init__(
        self, client: Client, endpoint: Endpoint, now: Callable[[], float], beside: Beside = nothing_beside
    ) -> None:
        headers = {"Authorization": f"Bearer {endpoint.api_key}", "Content-Type": "application/json"}
        self._line = Line(client, "canonical", endpoint, headers, now, beside)

    def authorize(self, charge: Charge, idempotency_key: str) -> Answer:
        """Reserve the amount."""
        return self._act("authorize", charge, idempotency_key)

    def capture(self, charge: Charge, idempotency_key: str) -> Answer:
        """Take the reserved amount."""
        return self._act("capture", charge, idempotency_key)

    def void(self, charge: Charge, idempotency_key: str) -> Answer:
        """Give the reservation back."""
        return self._act("void", charge, idempotency_key)

    def refund(self, charge: Charge, idempotency_key: str) -> Answer:
        """Give a captured amount back."""
        return self._act("refund", charge, idempotency_key)

    def stand(self, charge: Charge) -> Standing | None:
        """Return the payment's state."""
        reply = self._line.get("stand", f"/payments/{segment(charge.payment_id)}")
        if reply.status == _NOT_FOUND:
            return None
        if not reply.is_success:
            raise self._failure(reply)
        return read(reply, _STATE).standing(charge)

    def _act(self, verb: Verb, charge: Charge, idempotency_key: str) -> Answer:
        body = msgspec.json.encode({"amount_minor": charge.amount_minor, "currency": charge.currency})
        path = f"/payments/{segment(charge.payment_id)}/{verb}"
        reply = self._line.post(verb, path, body, {"Idempotency-Key": fitted(idempotency_key, _KEY)})
        if reply.is_success:
            return read(reply, _ANSWER)
        if _error(reply).code == _DONE_BEFORE.get(verb, ""):
            standing = self.stand(charge)
            earlier = None if standing is None else standing.answer_to(verb, charge)
            if earlier is not None and earlier.amount_minor == charge.amount_minor:
                return earlier
        raise self._failure(reply)

    def _failure(self, reply: Reply) -> Failure:
        error = _error(reply)
        return self._line.failure(reply, error.code, error.message)


class _State(msgspec.Struct, frozen=True, kw_only=True):
    state: Stage
    authorized_minor: int | None = None
    captured_minor: int | None = None
    refunded_minor: int = 0
    authorization_id: str | None = None
    capture_id: str | None = None
    refund_id: str | None = None
    code: str | None = None

    def standing(self, charge: Charge) -> Standing:
        captured = charge.amount_minor if self.captured_minor is None else self.captured_minor
        return Standing(
            stage=self.state,
            amount_minor=self.authorized_minor,
            captured_minor=captured if self.state is Stage.CAPTURED else 0,
            refunded_minor=self.refunded_minor,
            authorization_id=self.authorization_id,
            capture_id=self.capture_id,
            refund_id=self.refund_id,
            code=self.code,
        )


class _Error(msgspec.Struct, frozen=True):
    code: str | None = None
    message: str | None = None


class _ErrorBody(msgspec.Struct, frozen=True):
    error: _Error = _Error()


def _error(reply: Reply) -> _Error:
    return read_error(reply, _ERROR, _ErrorBody()).error


_DONE_BEFORE: dict[Verb, str] = {
    "authorize": "already_authorized",
    "capture": "already_captured",
    "void": "already_voided",
}

_STATE = msgspec.json.Decoder(_State)
_ANSWER = msgspec.json.Decoder(Answer)
_ERROR = msgspec.json.Decoder(_ErrorBody)
_KEY = re.compile(r"[\x21-\x7e]{1,255}", re.ASCII)
