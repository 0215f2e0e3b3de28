"""Reading one payment, also while the ledger cannot be asked."""

import msgspec

from payments.failures import Transient
from payments.ledger.books import Books
from payments.payment import Payment
from payments.resilience.last_known import LastKnown


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a payment. `stale`: the ledger could not be asked, so this is `age_seconds` old."""

    payment: Payment | None
    stale: bool = False
    age_seconds: float = 0.0


class PaymentReader:
    """Reads the ledger, and remembers what it said for the time when it does not answer, if it `remembers`."""

    def __init__(self, books: Books, last_known: LastKnown, *, remembers: bool) -> None:
        self._books = books
        self._last_known = last_known
        self._remembers = remembers

    def read(self, name: str) -> Reading:
        """Return the payment of this name, `provider:id`.

        Where the ledger is away, the last known value if there is one; otherwise raises what the ledger raised:
        DatabaseAway, CircuitOpen.
        """
        try:
            payment = self._books.find(name)
        except Transient:
            known = self._last_known.get(name) if self._remembers else None
            if known is None:
                raise
            value, age_seconds = known
            return Reading(payment=_PAYMENT.decode(value), stale=True, age_seconds=age_seconds)
        if payment is not None:
            self._last_known.put(name, msgspec.json.encode(payment))
        return Reading(payment=payment)


_PAYMENT = msgspec.json.Decoder(Payment)
