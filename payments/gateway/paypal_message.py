"""What PayPal's answers say, and its amounts: decimal strings whose decimals follow PayPal's own list.

Source: developer.paypal.com, "Currency codes": JPY, HUF and TWD take no decimals, every other currency takes two.
"""

import re
from decimal import Decimal

import msgspec

from payments.borders.http import lost
from payments.gateway.client import Reply
from payments.gateway.endpoint import read_error
from payments.gateway.result import Charge, Stage, Standing

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
    create_time: str = ""

    @property
    def was_captured(self) -> bool:
        """Whether this capture took the amount, even if it has been given back since."""
        return self.status in {"COMPLETED", "PARTIALLY_REFUNDED", "REFUNDED"}

    @property
    def was_undone(self) -> bool:
        """Whether this refund gives nothing back after all. One that is pending does."""
        return self.status in {"CANCELLED", "FAILED"}


class Payments(msgspec.Struct, frozen=True):
    """What has been done for a purchase unit."""

    authorizations: list[Part] = []
    captures: list[Part] = []
    refunds: list[Part] = []


class PurchaseUnit(msgspec.Struct, frozen=True):
    """One payee's share of an order; ours have one."""

    payments: Payments = Payments()


class Order(msgspec.Struct, frozen=True):
    """A checkout order."""

    id: str
    purchase_units: list[PurchaseUnit] = []

    @property
    def authorizations(self) -> list[Part]:
        """Its authorizations, the first one first."""
        return [part for unit in self.purchase_units for part in unit.payments.authorizations]

    @property
    def captures(self) -> list[Part]:
        """Its captures, the first one first."""
        return [part for unit in self.purchase_units for part in unit.payments.captures]

    @property
    def refunds(self) -> list[Part]:
        """Its refunds that give money back, the oldest first."""
        made = [part for unit in self.purchase_units for part in unit.payments.refunds if not part.was_undone]
        return sorted(made, key=lambda part: part.create_time)


class Detail(msgspec.Struct, frozen=True):
    """One thing that is wrong."""

    issue: str | None = None
    description: str | None = None


class Error(msgspec.Struct, frozen=True):
    """An error: a general name, and issues that say more."""

    name: str | None = None
    message: str | None = None
    details: list[Detail] = []

    @property
    def issue(self) -> str | None:
        """The first issue, or the name where there is none."""
        return self.details[0].issue if self.details and self.details[0].issue else self.name

    @property
    def description(self) -> str | None:
        """What is wrong, in words. They may hold personal data: into failures alone, redacted."""
        return self.details[0].description if self.details and self.details[0].description else self.message


def error_of(reply: Reply) -> Error:
    """Return the error that an unsuccessful reply carries."""
    return read_error(reply, _ERROR, Error())


def money(amount_minor: int, currency: str) -> Money:
    """Return minor units as PayPal's decimal string."""
    decimals = _decimals(currency)
    return Money(currency_code=currency, value=f"{Decimal(amount_minor).scaleb(-decimals):.{decimals}f}")


def minor_amount(reply: Reply, amount: Money | None, charge: Charge) -> int:
    """Return an amount in minor units; the charge's where PayPal names none.

    Raises OutcomeUnknown for an amount that is not one, or is in another currency than the charge; Unavailable where
    nothing but a question was asked.
    """
    if amount is None:
        return charge.amount_minor
    minor = _minor(amount)
    if minor is None or amount.currency_code != charge.currency:
        raise lost(reply.call, "the answer's amount cannot be read", "unreadable_amount")
    return minor


def standing_of(reply: Reply, order: Order, charge: Charge) -> Standing:
    """Return how an order stands. Raises Unavailable for an amount that cannot be read.

    A capture that was declined leaves the authorization as it is; one under review leaves it open what will be.
    """
    authorization = order.authorizations[0] if order.authorizations else None
    taken = [part for part in order.captures if part.was_captured]
    captured = sum(minor_amount(reply, part.amount, charge) for part in taken)
    if authorization is not None and _is_taken_unseen(authorization, order):
        captured = minor_amount(reply, authorization.amount, charge)
    stage = Stage.CAPTURED if captured else _stage(authorization, order)
    refunded = sum(minor_amount(reply, part.amount, charge) for part in order.refunds)
    if not order.refunds and any(part.status == "REFUNDED" for part in taken):
        refunded = captured
    return Standing(
        stage=stage,
        amount_minor=_told(reply, authorization, charge),
        captured_minor=captured,
        refunded_minor=refunded,
        authorization_id=None if authorization is None else authorization.id,
        capture_id=taken[0].id if taken else None,
        refund_id=order.refunds[-1].id if order.refunds else None,
        code=_reason(authorization) if stage is Stage.DECLINED else None,
    )


def _stage(authorization: Part | None, order: Order) -> Stage:
    """Return how far an order is that nothing was taken of."""
    if authorization is None or any(part.status == "PENDING" for part in order.captures):
        return Stage.OPEN
    return _STAGES.get(authorization.status, Stage.OPEN)


def _is_taken_unseen(authorization: Part, order: Order) -> bool:
    """Return whether the authorization says that it was captured, and nobody says by what."""
    return authorization.status == "CAPTURED" and not order.captures


def _told(reply: Reply, part: Part | None, charge: Charge) -> int | None:
    return None if part is None or part.amount is None else minor_amount(reply, part.amount, charge)


def _reason(part: Part | None) -> str | None:
    return None if part is None else part.status_details.reason or part.status


def _minor(amount: Money) -> int | None:
    """Return the amount in minor units, or None where it is no decimal number of that currency."""
    if not _VALUE.fullmatch(amount.value):
        return None
    minor = Decimal(amount.value).scaleb(_decimals(amount.currency_code))
    return int(minor) if minor == minor.to_integral_value() else None


def _decimals(currency: str) -> int:
    return 0 if currency in _WITHOUT_DECIMALS else 2


_STAGES = {
    "CREATED": Stage.AUTHORIZED,
    "CAPTURED": Stage.AUTHORIZED,  # by captures that were declined: where money was taken nobody looks here
    "PARTIALLY_CAPTURED": Stage.AUTHORIZED,
    "VOIDED": Stage.VOIDED,
    "EXPIRED": Stage.VOIDED,
    "DENIED": Stage.DECLINED,
}

_ERROR = msgspec.json.Decoder(Error)
