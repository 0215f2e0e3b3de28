"""What is told to a service of somebody else, without what must not leave the house.

Text goes through `payments.redaction`. What that cannot know by its looks, such as a name or the three digits on the
back of a card, is left out by the key that it stands under.
"""

import re
from typing import Any

from payments.redaction import redacted

_MOST_KEPT = 1000
"""Characters of one text."""

_CARD = 10**11
"""A number from here on has as many digits as the shortest card number; below are amounts, ids and times."""

_DIGEST = re.compile(r"(?=\d*[a-f])[0-9a-f]{16}")
"""A fingerprint of ours (`payments.fingerprint`): redaction takes one in twenty for an IBAN, and they would be one."""

_LEFT_OUT = re.compile(
    r"(?<!dis)card|cvv|cvc|cvn|iban|e_?mail|phone|address"
    r"|token|secret|passw|pwd|authoriz|credential|cookie|api_?key"
    r"|payload|header|metadata"
    r"|(?:^|_)(?:auth|body|customer|dsn|keys?|notes|pan|payer|user|vars)(?:_|$)"
)
"""Keys that are left out, in snake_case: whole words where a part of another word would be harmless."""


def scrubbed(value: Any, key: str = "") -> Any:  # noqa: ANN401 - any JSON
    """Return `value`, which is under `key`, with every text redacted, keys among them, and without what is left out."""
    match value:
        case dict():
            kept = {str(name): each for name, each in value.items() if not is_left_out(str(name))}
            return {redacted(name): scrubbed(each, name) for name, each in kept.items()}
        case list() | tuple():
            return [scrubbed(each, key) for each in value]
        case None | bool():
            return value
        case int() | float():
            return value if abs(value) < _CARD else _unless_changed(value)
        case str() if key == "fingerprint" and _DIGEST.fullmatch(value):
            return value
        case _:
            return redacted(str(value), at_most=_MOST_KEPT)


def is_left_out(key: str) -> bool:
    """Return whether what stands under `key` is left out, however the key is written."""
    return bool(_LEFT_OUT.search(_snake(key)))


def _snake(key: str) -> str:
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", key)
    return re.sub(r"\W+", "_", words).lower()


def _unless_changed(number: float) -> float | str:
    """Return the number, or what redaction makes of its digits."""
    text = redacted(str(number))
    return number if text == str(number) else text
