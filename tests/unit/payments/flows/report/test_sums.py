"""Money by currency, where providers count its minor unit differently."""

from payments.flows.report.sums import money_by_currency
from payments.ledger.reports.impact import Touched


def touched(provider: str, currency: str, amount_minor: int, open_amount_minor: int = 0) -> Touched:
    return Touched(
        provider=provider,
        currency=currency,
        payments=2,
        amount_minor=amount_minor,
        open_payments=1,
        open_amount_minor=open_amount_minor,
    )


def test_sums_of_one_currency_are_added() -> None:
    [money] = money_by_currency([touched("stripe", "EUR", 1250, 50), touched("paypal", "EUR", 750)])
    assert (money.amount_minor, money.amount, money.decimals) == (2000, "20.00", 2)
    assert (money.open_amount_minor, money.open_amount) == (50, "0.50")
    assert (money.payments, money.open_payments) == (4, 2)


def test_a_currency_without_decimals_has_none() -> None:
    [money] = money_by_currency([touched("paypal", "JPY", 1250)])
    assert (money.amount, money.decimals) == ("1250", 0)


def test_providers_that_count_differently_are_added_in_the_smaller_unit() -> None:
    stripe, razorpay = touched("stripe", "ISK", 12_300), touched("razorpay", "ISK", 7)  # 123.00 and 7 krónur
    [money] = money_by_currency([stripe, razorpay])
    assert (money.amount_minor, money.amount, money.decimals) == (13_000, "130.00", 2)


def test_each_currency_has_a_line_of_its_own_in_alphabetical_order() -> None:
    told = money_by_currency([touched("stripe", "USD", 1), touched("stripe", "EUR", 1), touched("paypal", "USD", 1)])
    assert [(money.currency, money.payments) for money in told] == [("EUR", 2), ("USD", 4)]
