"""What a provider answers to a step, as a value."""

from enum import StrEnum

import msgspec


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


class Charge(msgspec.Struct, frozen=True, kw_only=True):
    """What a step is about. Amounts in minor units of `currency`.

    `payment_id` names the payment at the provider; `authorization_id` is what an earlier authorize step made, where the
    provider gives authorizations an id of their own (PayPal).
    """

    payment_id: str
    amount_minor: int
    currency: str
    authorization_id: str | None = None
