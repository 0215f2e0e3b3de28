"""Which payments are meant."""

from datetime import datetime

import msgspec

from payferry.v1 import payment_pb2 as messages
from payments.client.names import provider_member, status_member
from payments.failures import BadRequest


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """Which payments are meant. Without values nothing is left out; of several values one must fit.

    Names are those of `payments.client.names`, currencies are ISO 4217. A payment is first booked from `created_from`
    on and before `created_until`; both have a time zone. A reference is None or has characters: an empty one would
    otherwise mean everybody.
    """

    providers: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    currencies: tuple[str, ...] = ()
    customer_reference: str | None = None
    created_from: datetime | None = None
    created_until: datetime | None = None

    def message(self) -> messages.PaymentFilter:
        """Return it as the API wants it. Raises BadRequest, which names the field."""
        return messages.PaymentFilter(
            providers=map(provider_member, self.providers),
            statuses=map(status_member, self.statuses),
            currencies=self.currencies,
            customer_reference=_named("customer_reference", self.customer_reference),
            created_from=_zoned("created_from", self.created_from),
            created_until=_zoned("created_until", self.created_until),
        )


def _named(field: str, told: str | None) -> str:
    if told == "":
        raise BadRequest(f"{field} is empty: None leaves nobody out", service="api", operation="filter")
    return told or ""


def _zoned(field: str, at: datetime | None) -> datetime | None:
    if at is not None and at.utcoffset() is None:
        raise BadRequest(f"{field} has no time zone", service="api", operation="filter")
    return at
