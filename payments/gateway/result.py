"""What a provider answers, as a value: to a step, and to the question how a payment stands."""

from enum import StrEnum
from typing import Literal

import msgspec

from payments.borders.http import code_or

Verb = Literal["authorize", "capture", "void", "refund"]
"""What can be asked of a provider, as `Gateway` names it."""


class Verdict(StrEnum):
    """How the provider decided."""

    DONE = "done"
    DECLINED = "declined"


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A provider's decision about one step of one payment.

    `reference_id` is the provider's id of what the step made (an authorization, a capture, a refund), if it made one.
    `code` is the provider's decline code where it declined, such as `insufficient_funds`.
    """

    verdict: Verdict
    amount_minor: int
    reference_id: str | None = None
    code: str | None = None

    def __post_init__(self) -> None:
        if self.code is not None:
            msgspec.structs.force_setattr(self, "code", code_or(self.code, "declined"))


class Charge(msgspec.Struct, frozen=True, kw_only=True):
    """What a step is about. Amounts in minor units of `currency`.

    Pass every id that is known; the gateway picks the one that its provider wants for the step. `payment_id` names the
    payment (Stripe's intent, Razorpay's order or payment, PayPal's order, authorization or capture);
    `authorization_id` and `capture_id` are what those steps made, where the provider gives them ids of their own.
    """

    payment_id: str
    amount_minor: int
    currency: str
    authorization_id: str | None = None
    capture_id: str | None = None


class Stage(StrEnum):
    """How far a payment has come, as its provider says. Refunds do not change it: they are counted beside it."""

    OPEN = "open"
    """Not begun, or not decided yet."""

    AUTHORIZED = "authorized"
    CAPTURED = "captured"
    VOIDED = "voided"
    DECLINED = "declined"


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How a payment stands at its provider. Amounts in minor units, `amount_minor` what was authorised, if told.

    `refunded_minor` is everything that was given back, what is still on its way to the payer too; `refund_id` the last
    refund. `code` is the decline code of a payment that was declined.
    """

    stage: Stage
    amount_minor: int | None = None
    captured_minor: int = 0
    refunded_minor: int = 0
    authorization_id: str | None = None
    capture_id: str | None = None
    refund_id: str | None = None
    code: str | None = None

    def answer_to(self, verb: Verb, charge: Charge) -> Answer | None:
        """Return what a lost call must have answered, or None where it has not taken effect, or not yet.

        A refund has taken effect where at least the amount of `charge` was given back: where several are due, ask for
        them one by one, each with the total that it leads to.
        """
        if self.stage is Stage.DECLINED and verb in {"authorize", "capture"}:
            return Answer(verdict=Verdict.DECLINED, amount_minor=0, code=self.code or "declined")
        if not self._shows(verb, charge):
            return None
        match verb:
            case "authorize":
                amount = charge.amount_minor if self.amount_minor is None else self.amount_minor
                return Answer(verdict=Verdict.DONE, amount_minor=amount, reference_id=self.authorization_id)
            case "capture":
                return Answer(verdict=Verdict.DONE, amount_minor=self.captured_minor, reference_id=self.capture_id)
            case "void":
                return Answer(verdict=Verdict.DONE, amount_minor=charge.amount_minor)
            case "refund":
                return Answer(verdict=Verdict.DONE, amount_minor=charge.amount_minor, reference_id=self.refund_id)

    def _shows(self, verb: Verb, charge: Charge) -> bool:
        """Return whether the step has taken effect."""
        match verb:
            case "authorize":
                return self.stage in {Stage.AUTHORIZED, Stage.CAPTURED}
            case "capture":
                return self.stage is Stage.CAPTURED
            case "void":
                return self.stage is Stage.VOIDED
            case "refund":
                return self.refunded_minor >= charge.amount_minor
