"""What failures have in common: equal for two that a person would call the same, whatever ids and amounts they name."""

import hashlib
import re

_LENGTH = 16
_VARIABLE = re.compile(r"(?:[A-Za-z]+_)?[0-9A-Fa-f-]*\d[\w-]*")
"""A word with a digit in it: a number, a UUID, `pi_3Nk…`."""


def fingerprint(failure_type: str, reason: str, service: str, operation: str, message: str) -> str:
    """Return 16 hexadecimal digits for failures of this type, reason and place whose messages have the same words."""
    words = " ".join(_VARIABLE.sub("#", message).split())
    told = f"{failure_type}\0{reason}\0{service}\0{operation}\0{words}"
    return hashlib.sha256(told.encode()).hexdigest()[:_LENGTH]
