"""Our own plain protocol, as docs/sandbox.md describes it."""

from collections.abc import Mapping
from typing import Annotated, ClassVar

import msgspec

from payments.event import Provider
from workers.sandbox.book import Ask, Payment, Problem, State, new_id
from workers.sandbox.dialect import Incoming, Spoken
from workers.sandbox.effects import Action


class CanonicalDialect:
    """JSON in and out; a decline is a verdict."""

    provider: ClassVar[Provider] = Provider.CANONICAL
    steps: ClassVar[Mapping[str, Action]] = {f"/payments/{{id}}/{action}": action for action in Action}
    views: ClassVar[tuple[str, ...]] = ("/payments/{id}",)

    def ask(self, action: Action, incoming: Incoming) -> Ask:
        """Read the JSON body."""
        body = _BODY.decode(incoming.body)
        return Ask(
            provider=self.provider,
            action=action,
            target_id=incoming.target_id,
            amount_minor=body.amount_minor,
            currency=body.currency,
            key=incoming.headers.get("idempotency-key"),
            fingerprint=f"{incoming.path}?{body.amount_minor} {body.currency}",
        )

    def reference(self, action: Action, payment: Payment) -> str:
        """Return a new id."""
        del payment
        return new_id(f"{action[:3]}_")

    def done(self, action: Action, payment: Payment, amount_minor: int | None) -> Spoken:
        """Answer with the verdict, the amount and what was made."""
        made = {
            Action.AUTHORIZE: payment.authorization_id,
            Action.CAPTURE: payment.capture_id,
            Action.REFUND: payment.last_refund_id,
            Action.VOID: None,
        }
        return Spoken(200, {"verdict": "done", "amount_minor": amount_minor, "reference_id": made[action]})

    def declined(self, action: Action, payment: Payment, code: str) -> Spoken:
        """Answer with the verdict and its code."""
        del action, payment
        return Spoken(200, {"verdict": "declined", "amount_minor": 0, "code": code})

    def problem(self, problem: Problem, action: Action | None = None, payment: Payment | None = None) -> Spoken:
        """Answer with the problem's own name."""
        del action, payment
        return _error(_STATUSES.get(problem, 422), str(problem))

    def failed(self, status: int) -> Spoken:
        """Answer a 429 or 5xx."""
        return _error(status, "rate_limited" if status == 429 else "unavailable")  # noqa: PLR2004  # Too Many Requests

    def root_of(self, target_id: str) -> str:
        """Return the id as it is."""
        return target_id

    def shown(self, view: str, target_id: str, payment: Payment | None, query: Mapping[str, str]) -> Spoken:
        """Answer how far the payment is."""
        del view, query
        known = payment or Payment(provider=self.provider, payment_id=target_id)
        body = {
            "payment_id": known.payment_id,
            "state": _state(known),
            "currency": known.currency,
            "authorized_minor": known.amount_minor,
            "captured_minor": known.captured_minor,
            "refunded_minor": known.refunded_minor,
            "authorization_id": known.authorization_id,
            "capture_id": known.capture_id,
            "refund_id": known.last_refund_id,
            "code": known.decline_code,
        }
        return Spoken(200, body)


class _Body(msgspec.Struct, frozen=True):
    amount_minor: Annotated[int, msgspec.Meta(gt=0)]
    currency: Annotated[str, msgspec.Meta(pattern="^[A-Z]{3}$")]


def _state(payment: Payment) -> str:
    if payment.state is State.NEW:
        return "open" if payment.decline_code is None else "declined"
    return payment.state


def _error(status: int, code: str) -> Spoken:
    return Spoken(status, {"error": {"code": code, "message": "the sandbox plays this error"}})


_STATUSES = {
    Problem.MALFORMED: 400,
    Problem.UNAUTHENTICATED: 401,
    Problem.NOT_FOUND: 404,
    Problem.KEY_IN_USE: 409,
}

_BODY = msgspec.json.Decoder(_Body)
