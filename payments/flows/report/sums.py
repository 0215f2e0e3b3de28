"""Money by currency, of providers that may count its minor unit differently."""

from collections.abc import Sequence
from itertools import groupby

from payments.flows.report.report import Money
from payments.ledger.reports.impact import Touched
from payments.money import EXPONENTS, format_minor
from payments.providers.canonical import EXPONENTS as COUNTED_DIFFERENTLY

_USUAL_DECIMALS = 2


def money_by_currency(touched: Sequence[Touched]) -> tuple[Money, ...]:
    """Return the sums of each currency, exact: in the smallest unit in which one of its providers counts it."""
    ordered = sorted(touched, key=lambda each: each.currency)
    by_currency = groupby(ordered, key=lambda each: each.currency)
    return tuple(_money(currency, list(parts)) for currency, parts in by_currency)


def _money(currency: str, parts: Sequence[Touched]) -> Money:
    decimals = max(_decimals(each) for each in parts)
    scales = [10 ** (decimals - _decimals(each)) for each in parts]
    amount = sum(each.amount_minor * scale for each, scale in zip(parts, scales, strict=True))
    open_amount = sum(each.open_amount_minor * scale for each, scale in zip(parts, scales, strict=True))
    return Money(
        currency=currency,
        decimals=decimals,
        payments=sum(each.payments for each in parts),
        amount_minor=amount,
        amount=format_minor(amount, currency, exponents={currency: decimals}),
        open_payments=sum(each.open_payments for each in parts),
        open_amount_minor=open_amount,
        open_amount=format_minor(open_amount, currency, exponents={currency: decimals}),
    )


def _decimals(part: Touched) -> int:
    known = {str(provider): exponents for provider, exponents in COUNTED_DIFFERENTLY.items()}
    return known.get(part.provider, EXPONENTS).get(part.currency, _USUAL_DECIMALS)
