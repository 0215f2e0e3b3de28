from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.money import EXPONENTS, MAX_MINOR, BadAmount, UnknownCurrency, bounded, format_minor, minor_units
from payments.providers import paypal, stripe

TABLES = [EXPONENTS, stripe.EXPONENTS, paypal.EXPONENTS]


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("12.30", "USD", 1230),
        ("12.3", "USD", 1230),
        ("12", "USD", 1200),
        ("0.01", "EUR", 1),
        ("0", "EUR", 0),
        ("500", "JPY", 500),
        ("1.234", "KWD", 1234),
        ("1.2345", "CLF", 12345),
        (12, "USD", 1200),
        (Decimal("12.30"), "USD", 1230),
        ("9999999999999.99", "USD", MAX_MINOR),
    ],
)
def test_a_decimal_amount_becomes_minor_units(amount: str | int | Decimal, currency: str, minor: int) -> None:
    assert minor_units(amount, currency) == minor


@pytest.mark.parametrize(
    ("amount", "currency", "reason"),
    [
        ("12.345", "USD", "more decimals"),
        ("12.300", "USD", "more decimals"),
        ("12.5", "JPY", "more decimals"),
        ("12.00", "JPY", "more decimals"),
        ("1.2345", "KWD", "more decimals"),
        ("-1.00", "USD", "negative"),
        (-1, "USD", "negative"),
        ("10000000000000.00", "USD", "over the bound"),
        (MAX_MINOR, "USD", "over the bound"),
        (Decimal("1E+999999"), "USD", "not a plain"),
        (Decimal("NaN"), "USD", "not a plain"),
        (True, "USD", "not a plain"),
        *((text, "USD", "not a plain") for text in ("", " 1", "1 ", "+1", "1e3", "1_000", "1,000", "01", ".5", "5.")),
        *((text, "USD", "not a plain") for text in ("NaN", "Infinity", "0x10", "\u0663", "1.\u0663", "1\n")),
    ],
)
def test_what_is_no_money_is_refused(amount: str | int | Decimal, currency: str, reason: str) -> None:
    with pytest.raises(BadAmount, match=reason):
        minor_units(amount, currency)


def test_padding_zeros_are_let_pass_on_demand() -> None:
    assert minor_units("500.00", "JPY", padded=True) == 500
    with pytest.raises(BadAmount, match="more decimals"):
        minor_units("500.01", "JPY", padded=True)


@pytest.mark.parametrize("currency", ["ZZZ", "usd", "", "XXX", "XAU", "USDT"])
def test_a_currency_that_nobody_pays_in_is_unknown(currency: str) -> None:
    with pytest.raises(UnknownCurrency):
        minor_units("1", currency)


def test_the_exponents_are_those_of_iso_4217() -> None:
    assert {code for code, exponent in EXPONENTS.items() if exponent == 3} == {
        "BHD",
        "IQD",
        "JOD",
        "KWD",
        "LYD",
        "OMR",
        "TND",
    }
    assert EXPONENTS["ISK"] == EXPONENTS["UGX"] == EXPONENTS["XPF"] == 0
    assert EXPONENTS["HUF"] == EXPONENTS["TWD"] == EXPONENTS["MGA"] == EXPONENTS["XCG"] == 2
    assert EXPONENTS["UYW"] == 4
    assert all(len(code) == 3 and code.isupper() for code in EXPONENTS)
    assert len(EXPONENTS) > 160


def test_the_providers_differ_only_where_they_say_so() -> None:
    assert stripe.EXPONENTS["MGA"] == 0
    assert stripe.EXPONENTS["ISK"] == stripe.EXPONENTS["UGX"] == 2
    assert paypal.EXPONENTS["HUF"] == paypal.EXPONENTS["TWD"] == paypal.EXPONENTS["JPY"] == 0
    assert {c for c in EXPONENTS if stripe.EXPONENTS[c] != EXPONENTS[c]} == {"MGA", "ISK", "UGX"}
    assert {c for c in EXPONENTS if paypal.EXPONENTS[c] != EXPONENTS[c]} == {"HUF", "TWD"}


def test_stripes_lists_of_zero_and_three_decimals_are_met() -> None:
    zero = ["BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"]
    three = ["BHD", "JOD", "KWD", "OMR", "TND"]
    assert all(stripe.EXPONENTS[code] == 0 for code in zero)
    assert all(stripe.EXPONENTS[code] == 3 for code in three)


@given(
    st.integers(min_value=0, max_value=MAX_MINOR),
    st.sampled_from(sorted(EXPONENTS)),
    st.sampled_from(range(len(TABLES))),
)
def test_minor_units_come_back_from_their_text(minor: int, currency: str, table: int) -> None:
    text = format_minor(minor, currency, exponents=TABLES[table])
    assert minor_units(text, currency, exponents=TABLES[table]) == minor


def test_a_number_without_end_is_refused_unread() -> None:
    with pytest.raises(BadAmount, match="over the bound"):
        minor_units(10**5000, "USD")
    with pytest.raises(BadAmount, match="longer than"):
        minor_units("9" * 5000, "USD")


@given(st.text(max_size=80), st.sampled_from(sorted(EXPONENTS)), st.booleans())
def test_no_text_does_worse_than_a_bad_amount(text: str, currency: str, padded: bool) -> None:  # noqa: FBT001 - drawn
    try:
        minor = minor_units(text, currency, padded=padded)
    except BadAmount:
        return
    assert 0 <= minor <= MAX_MINOR


def test_a_ledgers_negative_entry_can_be_shown() -> None:
    assert format_minor(-5, "USD") == "-0.05"
    assert format_minor(-1230, "JPY") == "-1230"


def test_the_bound_itself_is_inside() -> None:
    assert bounded(MAX_MINOR) == MAX_MINOR
    with pytest.raises(BadAmount):
        bounded(MAX_MINOR + 1)
