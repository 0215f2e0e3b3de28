"""Our own plain protocol, for in-house processors: docs/sandbox.md describes it whole."""

import re
from collections.abc import Callable

import msgspec

from payments.gateway.client import Client, Reply
from payments.gateway.endpoint import Endpoint, Line, fitted, read, read_error, segment
from payments.gateway.result import Answer, Charge, Verdict

_NOT_FOUND = 404


class CanonicalGateway:
    """`POST {base}/payments/{id}/{verb}` with an Idempotency-Key; a decline is an answer with status 200."""

    def __init__(self, client: Client, endpoint: Endpoint, now: Callable[[], float]) -> None:
        headers = {"Authorization": f"Bearer {endpoint.api_key}", "Content-Type": "application/json"}
        self._line = Line(client, "canonical", endpoint, headers, now)

    def authorize(self, charge: Charge, idempotency_key: str) -> Answer:
        """Reserve the amount."""
        return self._act("authorize", charge, idempotency_key)

    def capture(self, charge: Charge, idempotency_key: str) -> Answer:
        """Take the reserved amount. Refused because captured before with the same amount is done."""
        return self._act("capture", charge, idempotency_key)

    def void(self, charge: Charge, idempotency_key: str) -> Answer:
        """Give the reservation back."""
        return self._act("void", charge, idempotency_key)

    def refund(self, charge: Charge, idempotency_key: str) -> Answer:
        """Give a captured amount back."""
        return self._act("refund", charge, idempotency_key)

    def fetch(self, charge: Charge) -> Answer | None:
        """Return what was captured."""
        reply = self._line.get("fetch", f"/payments/{segment(charge.payment_id)}")
        if reply.status == _NOT_FOUND:
            return None
        if not reply.is_success:
            raise self._line.failure(reply, _code(reply))
        state = read(reply, _STATE)
        if state.captured_minor is None:
            return None
        return Answer(verdict=Verdict.DONE, amount_minor=state.captured_minor, reference_id=state.capture_id)

    def _act(self, verb: str, charge: Charge, idempotency_key: str) -> Answer:
        body = msgspec.json.encode({"amount_minor": charge.amount_minor, "currency": charge.currency})
        path = f"/payments/{segment(charge.payment_id)}/{verb}"
        reply = self._line.post(verb, path, body, {"Idempotency-Key": fitted(idempotency_key, _KEY)})
        if reply.is_success:
            return read(reply, _ANSWER)
        code = _code(reply)
        if code == "already_captured" and verb == "capture":
            earlier = self.fetch(charge)
            if earlier is not None and earlier.amount_minor == charge.amount_minor:
                return earlier
        raise self._line.failure(reply, code)


class _State(msgspec.Struct, frozen=True, kw_only=True):
    captured_minor: int | None = None
    capture_id: str | None = None


class _Error(msgspec.Struct, frozen=True):
    code: str | None = None


class _ErrorBody(msgspec.Struct, frozen=True):
    error: _Error = _Error()


def _code(reply: Reply) -> str | None:
    return read_error(reply, _ERROR, _ErrorBody()).error.code


_STATE = msgspec.json.Decoder(_State)
_ANSWER = msgspec.json.Decoder(Answer)
_ERROR = msgspec.json.Decoder(_ErrorBody)
_KEY = re.compile(r"[\x21-\x7e]{1,255}", re.ASCII)
