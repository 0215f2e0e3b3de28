"""A payment as others may read it: how it stands, and since when."""

from datetime import datetime

import msgspec

from payments.event import Provider
from payments.payment import Status
from payments.redaction import shown_without


class PaymentView(msgspec.Struct, frozen=True, kw_only=True):
    """One payment. `id` is `provider:payment_id`; amounts are in minor units of `currency`.

    `revision` counts its changes, from 1. `customer_email` is personal data: it goes to nobody who may not see it, and
    into no cache.
    """

    id: str
    provider: Provider
    payment_id: str
    status: Status
    currency: str
    amount_minor: int
    captured_minor: int
    refunded_minor: int
    created_at: datetime
    updated_at: datetime
    revision: int
    customer_reference: str | None = None
    customer_email: str | None = None

    def __repr__(self) -> str:
        """Return all but the e-mail, since it may end in a log."""
        return shown_without(self, "customer_email")


class PaymentFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which payments are meant. Empty leaves nothing out; of several values one must fit.

    `created_from` is included, `created_until` is not. Currencies are in upper case.
    """

    providers: tuple[Provider, ...] = ()
    statuses: tuple[Status, ...] = ()
    currencies: tuple[str, ...] = ()
    customer_reference: str | None = None
    created_from: datetime | None = None
    created_until: datetime | None = None

    def fits(self, view: PaymentView) -> bool:
        """Return whether `view` is meant."""
        return (
            (not self.providers or view.provider in self.providers)
            and (not self.statuses or view.status in self.statuses)
            and (not self.currencies or view.currency in self.currencies)
            and (self.customer_reference is None or view.customer_reference == self.customer_reference)
            and (self.created_from is None or view.created_at >= self.created_from)
            and (self.created_until is None or view.created_at < self.created_until)
        )
