"""Money as integers: ISO 4217 exponents, and the ways between a decimal amount and minor units.

The exponents are those of ISO 4217 list one (the list of SIX, the maintenance agency). Precious metals, SDR, test and
"no currency" codes have no minor unit there, and nobody pays in them, so they are unknown here. BGN and ANG, withdrawn
lately, stay: refunds in them still arrive. Where a provider counts differently, it says so in its own file under
`payments/providers`, and its table is passed as `exponents`.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType

MAX_MINOR = 10**15 - 1
"""The largest amount that is believed: ten trillion dollars, and well inside a 64-bit column and a float's integers."""

MAX_AMOUNT_CHARS = 64
"""A longer text is refused unread, so that nobody can make us parse a megabyte of digits."""

_CODES_BY_EXPONENT = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: (
        "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE "
        "CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL "
        "HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR "
        "MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK "
        "SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD "
        "XCD XCG YER ZAR ZMW ZWG"
    ),
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}

EXPONENTS: Mapping[str, int] = MappingProxyType(
    {code: exponent for exponent, codes in _CODES_BY_EXPONENT.items() for code in codes.split()}
)
"""ISO 4217 alphabetic code → how many decimals the currency has."""

_PLAIN = re.compile(r"(0|[1-9][0-9]*)(?:\.([0-9]+))?")


class UnknownCurrency(ValueError):
    """No active ISO 4217 currency has this code."""


class BadAmount(ValueError):
    """An amount that is no money. Its text says why and never repeats the amount."""


def minor_units(
    amount: str | int | Decimal, currency: str, *, exponents: Mapping[str, int] = EXPONENTS, padded: bool = False
) -> int:
    """Return a decimal amount of major units as an integer of minor units.

    The amount is written plainly (`12`, `12.5`, `0.30`): no sign, exponent, separators or spaces. With `padded`, zeros
    beyond the currency's decimals are let pass (`500.00` JPY). Raises UnknownCurrency; BadAmount where the amount has
    more decimals than the currency, is negative, is not a plain number or lies over MAX_MINOR.
    """
    exponent = exponent_of(currency, exponents)
    match = _PLAIN.fullmatch(text := _text(amount))
    if match is None:
        raise BadAmount("negative" if text.startswith("-") else "not a plain decimal number")
    decimals = match[2] or ""
    kept, excess = decimals[:exponent], decimals[exponent:]
    if excess and (excess.strip("0") or not padded):
        raise BadAmount(f"more decimals than the currency has ({exponent})")
    return bounded(int(match[1] + kept.ljust(exponent, "0")))


def format_minor(amount_minor: int, currency: str, *, exponents: Mapping[str, int] = EXPONENTS) -> str:
    """Return minor units as the decimal text of major units: `format_minor(1230, "USD") == "12.30"`."""
    exponent = exponent_of(currency, exponents)
    if exponent == 0:
        return str(amount_minor)
    whole, rest = divmod(abs(amount_minor), 10**exponent)
    sign = "-" if amount_minor < 0 else ""
    return f"{sign}{whole}.{rest:0{exponent}d}"


def exponent_of(currency: str, exponents: Mapping[str, int] = EXPONENTS) -> int:
    """Return how many decimals a currency has. Raises UnknownCurrency."""
    try:
        return exponents[currency]
    except KeyError:
        raise UnknownCurrency("not an active ISO 4217 currency code") from None


def bounded(amount_minor: int) -> int:
    """Return the amount. Raises BadAmount where it is negative or over MAX_MINOR."""
    if amount_minor < 0:
        raise BadAmount("negative")
    if amount_minor > MAX_MINOR:
        raise BadAmount(f"over the bound of {MAX_MINOR} minor units")
    return amount_minor


def _text(amount: str | int | Decimal) -> str:
    """Return the amount as it is written; a huge integer is refused before it becomes text."""
    if isinstance(amount, bool):
        raise BadAmount("not a plain decimal number")
    if isinstance(amount, int):
        return str(bounded(amount))
    text = str(amount)
    if len(text) > MAX_AMOUNT_CHARS:
        raise BadAmount(f"longer than {MAX_AMOUNT_CHARS} characters")
    return text
