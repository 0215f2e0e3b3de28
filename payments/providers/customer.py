"""Who pays: read leniently, since a customer whom we cannot name is no reason to stop a payment.

The fields are Raw in their shapes, so that a strange value does not fail the whole message. What is neither a name nor
an e-mail is read as None.
"""

import re
from typing import NamedTuple

import msgspec

from payments.providers.shape import is_identifier
from payments.redaction import is_card_number

ABSENT = msgspec.Raw(b"null")
"""What a lenient field is where the message has none."""

MAX_EMAIL_CHARS = 254
"""RFC 5321, sections 4.5.3.1.3 and 4.1.2: a path of 256 octets, its angle brackets among them."""


class Customer(NamedTuple):
    """What a message says of who pays."""

    reference: str | None = None
    email: str | None = None


NOBODY = Customer()


def value_of(raw: msgspec.Raw) -> object:
    """Return a lenient field's value; None where it is missing, or nothing that can be held."""
    if raw == ABSENT:
        return None
    try:
        return msgspec.json.decode(raw)
    except (ValueError, RecursionError):  # msgspec's errors are ValueErrors
        return None


def part_of(value: object, name: str) -> object:
    """Return one field of an object; None where the value is none, or has no such field."""
    return value.get(name) if isinstance(value, dict) else None


def reference_of(value: object) -> str | None:
    """Return the provider's name of a customer. What holds an `@` may be an e-mail, and is none.

    Nor is the number of a card, a bank account or a telephone: the reference goes where none of them may, to Redis and
    to `payments.events`. Other numbers stand, since providers and merchants count their customers.
    """
    if not isinstance(value, str) or "@" in value or not is_identifier(value):
        return None
    return None if is_card_number(value) or _is_iban(value) or _TELEPHONE.fullmatch(value) else value


def email_of(value: object) -> str | None:
    """Return an e-mail: 254 characters at most, one `@` with something at both sides, no blanks and controls."""
    if not isinstance(value, str) or len(value) > MAX_EMAIL_CHARS or not value.isprintable() or " " in value:
        return None
    name, _, domain = value.partition("@")
    return value if name and domain and "@" not in domain else None


def _is_iban(text: str) -> bool:
    """Return whether `text` is the number of a bank account, by its form and check digits. Source: ISO 13616-1."""
    if not _IBAN.fullmatch(text):
        return False
    number = text.replace(" ", "").replace("-", "")
    digits = "".join(str(int(each, 36)) for each in number[4:] + number[:4])
    return int(digits) % _IBAN_MODULUS == 1


_IBAN = re.compile(
    r"[A-Z]{2}\d{2}([ -]?)[A-Z0-9]{4}(?:\1[A-Z0-9]{4}){1,6}(?:\1[A-Z0-9]{1,3})?", re.ASCII | re.IGNORECASE
)
"""In groups of four, or in one piece; so that no UUID is one."""

_IBAN_MODULUS = 97

_TELEPHONE = re.compile(r"(?:tel:)?\+\d(?:[\s()./-]{0,2}\d){6,14}", re.ASCII | re.IGNORECASE)
"""With the `+` of ITU-T E.164, and at most its fifteen digits: without it, it is a number like any other."""
