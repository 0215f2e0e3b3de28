"""Who pays: read leniently, since a customer whom we cannot name is no reason to stop a payment.

The fields are Raw in their shapes, so that a strange value does not fail the whole message. What is neither a name nor
an e-mail is read as None.
"""

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
    """Return the provider's name of a customer. What holds an `@` may be an e-mail; that and a card's is none."""
    if not isinstance(value, str) or "@" in value or not is_identifier(value):
        return None
    return None if is_card_number(value) else value


def email_of(value: object) -> str | None:
    """Return an e-mail: 254 characters at most, one `@` with something at both sides, no blanks and controls."""
    if not isinstance(value, str) or len(value) > MAX_EMAIL_CHARS or not value.isprintable() or " " in value:
        return None
    name, _, domain = value.partition("@")
    return value if name and domain and "@" not in domain else None
