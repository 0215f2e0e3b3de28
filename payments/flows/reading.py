"""Reading one payment: from the cache while that is fresh, and from what was known last while the ledger is away."""

from collections.abc import Callable, Mapping

import msgspec

from payments.failures import Transient
from payments.ledger.views import PaymentViews
from payments.redaction import masked_email
from payments.resilience.last_known import Known, LastKnown
from payments.view import PaymentView


def silent(_event: str, **_fields: object) -> None:
    """Tell nobody."""


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a payment, `age_seconds` ago; 0 where the ledger itself says so.

    `stale`: the ledger could not be asked, so it may have changed since. An older e-mail is masked.
    """

    payment: PaymentView | None
    stale: bool = False
    age_seconds: float = 0.0


class ReadPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """`remembers`: tell what was known last while the ledger is away. For `fresh_seconds` do not ask it again."""

    remembers: bool
    fresh_seconds: float = 0.0


class PaymentReader:
    """Reads the ledger, and remembers what it said. Nothing personal is remembered: e-mails are masked before."""

    def __init__(
        self, views: PaymentViews, last_known: LastKnown, policy: ReadPolicy, tell: Callable[..., None] = silent
    ) -> None:
        self._views = views
        self._last_known = last_known
        self._policy = policy
        self._tell = tell

    def read(self, name: str, *, whole: bool = False) -> Reading:
        """Return the payment of this name, `provider:id`; with its whole e-mail, if the ledger answers and `whole`.

        Where the ledger is away, the last known value if there is one; otherwise raises what the ledger raised:
        DatabaseAway, CircuitOpen.
        """
        if self._policy.fresh_seconds and not whole:
            known = self._remembered(name)
            if known is not None and self._is_fresh(*known, name):
                self._tell("payment_read", source="cache")
                return Reading(payment=known[0], age_seconds=known[1].age_seconds)
        return self._ask(name)

    def outdate(self, revisions: Mapping[str, int]) -> None:
        """Note that payments, by id, now have these revisions, so that what is remembered of them is not fresh."""
        self._last_known.outdate(revisions)

    def _is_fresh(self, payment: PaymentView, known: Known, name: str) -> bool:
        """Return whether it need not be asked for: young, not outdated, and under the name that would be outdated."""
        young = known.age_seconds < self._policy.fresh_seconds
        return young and payment.revision >= known.least_revision and payment.id == name

    def _ask(self, name: str) -> Reading:
        try:
            payment = self._views.find(name)
        except Transient:
            known = self._remembered(name) if self._policy.remembers else None
            if known is None:
                raise
            self._tell("payment_read", source="stale")
            return Reading(payment=known[0], stale=True, age_seconds=known[1].age_seconds)
        if payment is not None:
            self._last_known.put(name, msgspec.json.encode(_without_person(payment)))
        self._tell("payment_read", source="ledger")
        return Reading(payment=payment)

    def _remembered(self, name: str) -> tuple[PaymentView, Known] | None:
        known = self._last_known.get(name)
        try:
            return (_PAYMENT.decode(known.value), known) if known is not None else None
        except msgspec.DecodeError:  # an older program has written it
            return None


def _without_person(payment: PaymentView) -> PaymentView:
    email = payment.customer_email
    return payment if email is None else msgspec.structs.replace(payment, customer_email=masked_email(email))


_PAYMENT = msgspec.json.Decoder(PaymentView)
