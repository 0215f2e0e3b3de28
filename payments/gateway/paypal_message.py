"""What PayPal's answers say, and its amounts: decimal strings whose decimals follow PayPal's own list.

Source: developer.paypal.com, "Currency codes": JPY, HUF and TWD take no decimals, every other currency takes two.
"""

import re
from decimal import Decimal

import msgspec

from payments.failures import OutcomeUnknown
from payments.gateway.client import Reply
from payments.gateway.endpoint import read_error
from payments.gateway.result import Charge

_VALUE = re.compile(r"[0-9]{1,15}(\.[0-9]{1,4})?", re.ASCII)
_WITHOUT_DECIMALS = frozenset({"HUF", "JPY", "TWD"})


class Money(msgspec.Struct, frozen=True):
    """An amount as PayPal writes it."""

    currency_code: str
    value: str


class StatusDetails(msgspec.Struct, frozen=True):
    """Why a status is as it is."""

    reason: str | None = None


class RelatedIds(msgspec.Struct, frozen=True):
    """What else belongs to a payment."""

    order_id: str | None = None


class SupplementaryData(msgspec.Struct, frozen=True):
    """Where a payment came from."""

    related_ids: RelatedIds = RelatedIds()


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """An authorization, a capture or a refund. `amount` is absent in the sandbox where it was never told."""

    id: str
    status: str
    amount: Money | None = None
    status_details: StatusDetails = StatusDetails()
    supplementary_data: SupplementaryData = SupplementaryData()

    @property
    def was_captured(self) -> bool:
        """Whether this capture took the amount, even if it has been given back since."""
        return self.status in {"COMPLETED", "PARTIALLY_REFUNDED", "REFUNDED"}


class Payments(msgspec.Struct, frozen=True):
    """What has been done for a purchase unit."""

    authorizations: list[Part] = []
    captures: list[Part] = []


class PurchaseUnit(msgspec.Struct, frozen=True):
    """One payee's share of an order; ours have one."""

    payments: Payments = Payments()


class Order(msgspec.Struct, frozen=True):
    """A checkout order."""

    purchase_units: list[PurchaseUnit] = []

    @property
    def authorizations(self) -> list[Part]:
        """Its authorizations, the first one first."""
        return [part for unit in self.purchase_units for part in unit.payments.authorizations]

    @property
    def captures(self) -> list[Part]:
        """Its captures, the first one first."""
        return [part for unit in self.purchase_units for part in unit.payments.captures]


class Detail(msgspec.Struct, frozen=True):
    """One thing that is wrong."""

    issue: str | None = None


class Error(msgspec.Struct, frozen=True):
    """An error: a general name, and issues that say more."""

    name: str | None = None
    details: list[Detail] = []

    @property
    def issue(self) -> str | None:
        """The first issue, or the name where there is none."""
        return self.details[0].issue if self.details and self.details[0].issue else self.name


def error_of(reply: Reply) -> Error:
    """Return the error that an unsuccessful reply carries."""
    return read_error(reply, _ERROR, Error())


def money(amount_minor: int, currency: str) -> Money:
    """Return minor units as PayPal's decimal string."""
    decimals = _decimals(currency)
    return Money(currency_code=currency, value=f"{Decimal(amount_minor).scaleb(-decimals):.{decimals}f}")


def minor_amount(reply: Reply, amount: Money | None, charge: Charge) -> int:
    """Return an amount in minor units; the charge's where PayPal names none.

    Raises OutcomeUnknown for an amount that is not one, or is in another currency than the charge.
    """
    if amount is None:
        return charge.amount_minor
    minor = _minor(amount)
    if minor is None or amount.currency_code != charge.currency:
        raise OutcomeUnknown("the answer's amount cannot be read", code="unreadable_amount", **reply.call.where)
    return minor


def _minor(amount: Money) -> int | None:
    """Return the amount in minor units, or None where it is no decimal number of that currency."""
    if not _VALUE.fullmatch(amount.value):
        return None
    minor = Decimal(amount.value).scaleb(_decimals(amount.currency_code))
    return int(minor) if minor == minor.to_integral_value() else None


def _decimals(currency: str) -> int:
    return 0 if currency in _WITHOUT_DECIMALS else 2


_ERROR = msgspec.json.Decoder(Error)
