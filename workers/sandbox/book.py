"""What every provider knows of its payments, in one form; the dialects translate."""

from enum import StrEnum
from secrets import token_hex

import msgspec

from payments.event import Provider
from workers.sandbox.effects import Action, Effect
from workers.sandbox.faults import Faults


class State(StrEnum):
    """How far a payment is. Refunds are counted beside it."""

    NEW = "new"
    AUTHORIZED = "authorized"
    CAPTURED = "captured"
    VOIDED = "voided"


class Problem(StrEnum):
    """Why something asked for is not done."""

    MALFORMED = "malformed"
    UNAUTHENTICATED = "unauthenticated"
    NOT_FOUND = "not_found"
    NOT_AUTHORIZED = "not_authorized"
    NOT_CAPTURED = "not_captured"
    ALREADY_AUTHORIZED = "already_authorized"
    ALREADY_CAPTURED = "already_captured"
    ALREADY_VOIDED = "already_voided"
    ALREADY_REFUNDED = "already_refunded"
    AMOUNT_TOO_LARGE = "amount_too_large"
    OTHER_CURRENCY = "other_currency"
    KEY_REUSED = "idempotency_key_reused"
    KEY_IN_USE = "idempotency_key_in_use"
    REFUSED = "refused_by_sandbox"


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """What a request wants done. `target_id` is the id that it names: of a payment, an authorization or a capture."""

    provider: Provider
    action: Action
    target_id: str
    amount_minor: int | None = None
    currency: str | None = None
    key: str | None = None
    fingerprint: str = ""


class Refund(msgspec.Struct, frozen=True):
    """Money given back. `amount_minor` is None where nobody has told it; `at` is an ISO 8601 time."""

    refund_id: str
    amount_minor: int | None
    at: str


class Payment(msgspec.Struct, kw_only=True):
    """A payment. Amounts in minor units; None where nobody has told them.

    `refunds` are in the order in which they were made. `decline_code` says why its last authorization was declined.
    """

    provider: Provider
    payment_id: str
    state: State = State.NEW
    currency: str | None = None
    amount_minor: int | None = None
    captured_minor: int | None = None
    authorization_id: str | None = None
    capture_id: str | None = None
    refunds: list[Refund] = msgspec.field(default_factory=list)
    decline_code: str | None = None

    @property
    def refunded_minor(self) -> int:
        """What was given back so far."""
        return sum(refund.amount_minor or 0 for refund in self.refunds)

    @property
    def last_refund_id(self) -> str | None:
        """The id of the last refund."""
        return self.refunds[-1].refund_id if self.refunds else None


class Book:
    """All payments, under every id that they have.

    What was done comes from effects alone, so a log rebuilds it. What came about elsewhere, and declines, are gone
    after a restart.
    """

    def __init__(self) -> None:
        self._by_id: dict[tuple[Provider, str], Payment] = {}

    def find(self, provider: Provider, any_id: str) -> Payment | None:
        """Return the payment that has this id, or whose authorization or capture has it."""
        return self._by_id.get((provider, any_id))

    def payment_of(self, ask: Ask) -> Payment:
        """Return the payment meant; one never seen is taken as brought elsewhere to where this step begins."""
        known = self.find(ask.provider, ask.target_id)
        if known is not None:
            return known
        return Payment(provider=ask.provider, payment_id=ask.target_id, state=_BEGINS_AT[ask.action])

    def meet(self, ask: Ask) -> None:
        """Remember a payment that is asked about for the first time, so that questions about it have an answer."""
        if self.find(ask.provider, ask.target_id) is None:
            self.put(self.payment_of(ask))

    def problem(self, ask: Ask, faults: Faults) -> Problem | None:
        """Return why the step cannot be done, or None where it can."""
        if ask.action in faults.refuse_verbs:
            return Problem.REFUSED
        if faults.strict and self.find(ask.provider, ask.target_id) is None:
            return Problem.NOT_FOUND
        payment = self.payment_of(ask)
        if faults.allow_double_capture and ask.action is Action.CAPTURE and payment.state is State.CAPTURED:
            return None
        return _problem_of_state(payment, ask.action) or _problem_of_amount(payment, ask)

    def apply(self, effect: Effect) -> Payment:
        """Bring the payment to where the effect leaves it, and return it."""
        key = (effect.provider, effect.payment_id)
        payment = self._by_id.setdefault(key, Payment(provider=effect.provider, payment_id=effect.payment_id))
        self._by_id[effect.provider, effect.reference_id] = payment
        payment.currency = payment.currency or effect.currency
        _APPLIED[effect.action](payment, effect)
        return payment

    def put(self, payment: Payment) -> None:
        """Make a payment known that came about elsewhere."""
        for known_id in {payment.payment_id, payment.authorization_id, payment.capture_id} - {None}:
            self._by_id[payment.provider, str(known_id)] = payment


def new_id(prefix: str) -> str:
    """Return an id that was never used before, also not by an earlier run."""
    return prefix + token_hex(8)


def _problem_of_state(payment: Payment, action: Action) -> Problem | None:
    if action is Action.REFUND and payment.captured_minor is not None:
        spent = payment.refunded_minor >= payment.captured_minor
        return Problem.ALREADY_REFUNDED if spent else None
    return _PROBLEMS.get((action, payment.state))


def _problem_of_amount(payment: Payment, ask: Ask) -> Problem | None:
    if ask.currency is not None and payment.currency not in {None, ask.currency}:
        return Problem.OTHER_CURRENCY
    limit = payment.amount_minor
    if ask.action is Action.REFUND:
        limit = None if payment.captured_minor is None else payment.captured_minor - payment.refunded_minor
    too_much = limit is not None and ask.amount_minor is not None and ask.amount_minor > limit
    return Problem.AMOUNT_TOO_LARGE if too_much else None


def _authorized(payment: Payment, effect: Effect) -> None:
    payment.state = State.AUTHORIZED
    payment.decline_code = None
    payment.authorization_id = effect.reference_id
    payment.amount_minor = payment.amount_minor if effect.amount_minor is None else effect.amount_minor


def _captured(payment: Payment, effect: Effect) -> None:
    payment.state = State.CAPTURED
    payment.capture_id = effect.reference_id
    payment.captured_minor = effect.amount_minor
    payment.amount_minor = payment.amount_minor or effect.amount_minor


def _voided(payment: Payment, effect: Effect) -> None:
    del effect
    payment.state = State.VOIDED


def _refunded(payment: Payment, effect: Effect) -> None:
    payment.state = State.CAPTURED
    payment.refunds.append(Refund(effect.reference_id, effect.amount_minor, effect.at))


_APPLIED = {
    Action.AUTHORIZE: _authorized,
    Action.CAPTURE: _captured,
    Action.VOID: _voided,
    Action.REFUND: _refunded,
}

_BEGINS_AT = {
    Action.AUTHORIZE: State.NEW,
    Action.CAPTURE: State.AUTHORIZED,
    Action.VOID: State.AUTHORIZED,
    Action.REFUND: State.CAPTURED,
}

_PROBLEMS = {
    (Action.AUTHORIZE, State.AUTHORIZED): Problem.ALREADY_AUTHORIZED,
    (Action.AUTHORIZE, State.CAPTURED): Problem.ALREADY_CAPTURED,
    (Action.AUTHORIZE, State.VOIDED): Problem.ALREADY_VOIDED,
    (Action.CAPTURE, State.NEW): Problem.NOT_AUTHORIZED,
    (Action.CAPTURE, State.CAPTURED): Problem.ALREADY_CAPTURED,
    (Action.CAPTURE, State.VOIDED): Problem.ALREADY_VOIDED,
    (Action.VOID, State.CAPTURED): Problem.ALREADY_CAPTURED,
    (Action.VOID, State.VOIDED): Problem.ALREADY_VOIDED,
    (Action.REFUND, State.NEW): Problem.NOT_CAPTURED,
    (Action.REFUND, State.AUTHORIZED): Problem.NOT_CAPTURED,
    (Action.REFUND, State.VOIDED): Problem.NOT_CAPTURED,
}
