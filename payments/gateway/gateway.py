"""What every provider's gateway can do."""

from typing import Protocol

from payments.gateway.result import Answer, Charge, Standing


class Gateway(Protocol):
    """Four verbs and a question. Each may raise from `payments.failures`: Transient, OutcomeUnknown, Permanent.

    `idempotency_key` is the same for every try of the same step of the same payment: a provider that has seen it
    answers what it answered before, and does nothing again. Providers forget keys (PayPal's orders after 6 hours,
    Stripe after a day), so a step whose answer was lost is asked for by `stand` before it is repeated.
    """

    @property
    def keeps_errors(self) -> bool:
        """Whether the provider keeps an error under its key, and says only that again under the same key."""

    def authorize(self, charge: Charge, idempotency_key: str) -> Answer:
        """Reserve the amount. One that was reserved before is done."""

    def capture(self, charge: Charge, idempotency_key: str) -> Answer:
        """Take the reserved amount. One that was taken before is done, if it was this amount."""

    def void(self, charge: Charge, idempotency_key: str) -> Answer:
        """Give the reservation back. One that was given back before is done."""

    def refund(self, charge: Charge, idempotency_key: str) -> Answer:
        """Give a captured amount back: once for a key, and again for another key."""

    def stand(self, charge: Charge) -> Standing | None:
        """Return how the payment stands, or None where the provider does not know it.

        The amount of `charge` stands for what the provider does not tell. Raises Unavailable where the
        question got no answer that can be read.
        """
