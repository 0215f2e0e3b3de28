import httpx
import pytest

from payments.failures import OutcomeUnknown, Unavailable
from payments.gateway.client import Call, Reply
from payments.gateway.paypal_message import Money, minor_amount, money
from payments.gateway.result import Charge

REPLY = Reply(Call("paypal", "capture", "POST", httpx.URL("http://p.test"), []), 201, httpx.Headers(), b"")


@pytest.mark.parametrize(
    ("amount_minor", "currency", "value"),
    [(1, "USD", "0.01"), (1234, "EUR", "12.34"), (100, "GBP", "1.00"), (1234, "JPY", "1234"), (5, "HUF", "5"),
     (70, "TWD", "70"), (123456789012, "USD", "1234567890.12")],
)  # fmt: skip
def test_minor_units_become_paypals_decimal_string_and_back(amount_minor: int, currency: str, value: str) -> None:
    assert money(amount_minor, currency) == Money(currency, value)
    charge = Charge(payment_id="O1", amount_minor=1, currency=currency)
    assert minor_amount(REPLY, Money(currency, value), charge) == amount_minor


@pytest.mark.parametrize("value", ["12.345", "1e3", "-1.00", "NaN", "", "1,00", "9" * 16])
def test_an_amount_that_is_none_leaves_the_outcome_unknown(value: str) -> None:
    charge = Charge(payment_id="O1", amount_minor=1, currency="USD")
    with pytest.raises(OutcomeUnknown):
        minor_amount(REPLY, Money("USD", value), charge)


def test_an_amount_in_another_currency_leaves_the_outcome_unknown() -> None:
    charge = Charge(payment_id="O1", amount_minor=100, currency="USD")
    with pytest.raises(OutcomeUnknown):
        minor_amount(REPLY, Money("EUR", "1.00"), charge)


def test_an_amount_that_is_none_in_the_answer_to_a_question_leaves_nothing_in_doubt() -> None:
    asked = Reply(Call("paypal", "stand", "GET", httpx.URL("http://p.test"), []), 200, httpx.Headers(), b"")
    with pytest.raises(Unavailable):
        minor_amount(asked, Money("EUR", "1.00"), Charge(payment_id="O1", amount_minor=100, currency="USD"))


def test_an_amount_not_named_is_the_charges() -> None:
    assert minor_amount(REPLY, None, Charge(payment_id="O1", amount_minor=100, currency="USD")) == 100
