"""What every provider's gateway can do."""

from typing import Protocol

from payments.gateway.result import Answer, Charge


class Gateway(Protocol):
    """The five verbs. Each may raise from `payments.failures`: Transient, OutcomeUnknown, Permanent.

    `idempotency_key` is the same for every try of the same step of the same payment: a provider that has seen it
    answers what it answered before, and does nothing again.
    """

    def authorize(self, charge: Charge, idempotency_key: str) -> Answer:
        """Reserve the amount."""

    def capture(self, charge: Charge, idempotency_key: str) -> Answer:
        """Take the reserved amount."""

    def void(self, charge: Charge, idempotency_key: str) -> Answer:
        """Give the reservation back."""

    def refund(self, charge: Charge, idempotency_key: str) -> Answer:
        """Give a captured amount back."""

    def fetch(self, charge: Charge) -> Answer | None:
        """Return what was captured, or None where the provider knows of no capture."""
