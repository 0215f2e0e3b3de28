"""What the shapes of all providers have in common: the types of their fields, and small readings of them.

The limits are part of the types, so msgspec checks them while it decodes and names the JSON path itself.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from payments.event import Event, Kind, Provider
from payments.failures import Undecodable
from payments.money import EXPONENTS, MAX_MINOR, BadAmount

MAX_ID_CHARS = 255
MAX_UNIX_SECONDS = 253_402_300_799
"""9999-12-31T23:59:59Z, the last second that a datetime holds. Milliseconds sent by mistake lie far beyond it."""

_EPOCH_YEAR = 1970
_NO_BLANKS_OR_CONTROLS = r"\A[^\x00-\x20\x7f](?:[^\x00-\x1f\x7f]*[^\x00-\x20\x7f])?\Z"
_IDENTIFIER = re.compile(_NO_BLANKS_OR_CONTROLS)

Identifier = Annotated[str, Meta(min_length=1, max_length=MAX_ID_CHARS, pattern=_NO_BLANKS_OR_CONTROLS)]
"""A name that a provider gave: 1 to 255 characters, no control characters, no blank at either end."""

MinorAmount = Annotated[int, Meta(ge=0, le=MAX_MINOR)]
UnixSeconds = Annotated[int, Meta(ge=0, le=MAX_UNIX_SECONDS)]
Moment = Annotated[datetime, Meta(tz=True)]
"""An RFC 3339 date and time; one without a time zone is refused."""


def from_unix(seconds: int) -> datetime:
    """Return a UnixSeconds as a moment in UTC."""
    return datetime.fromtimestamp(seconds, UTC)


def from_moment(moment: datetime, path: str) -> datetime:
    """Return a moment in UTC, at or after 1970. Raises Undecodable at `path`."""
    try:
        instant = moment.astimezone(UTC)
    except OverflowError:
        instant = datetime.min.replace(tzinfo=UTC)
    if instant.year < _EPOCH_YEAR:
        raise Undecodable(path, "outside the years 1970 to 9999")
    return instant


def currency_code(text: str, path: str) -> str:
    """Return the currency in upper case. Raises Undecodable at `path` where ISO 4217 does not have it."""
    code = text.upper()
    if code in EXPONENTS and text.isascii():
        return code
    raise Undecodable(path, "not an active ISO 4217 currency code")


def amount_at(path: str, read: Callable[[], int]) -> int:
    """Return what `read` reads; a BadAmount becomes Undecodable at `path`."""
    try:
        return read()
    except BadAmount as bad:
        reason = str(bad)
    raise Undecodable(path, reason)


def identifier(text: str, path: str) -> str:
    """Return a name that msgspec has not seen, if it is an Identifier. Raises Undecodable at `path`."""
    if is_identifier(text):
        return text
    raise Undecodable(
        path, f"makes an id that is empty, blank at an end, holds controls or is over {MAX_ID_CHARS} long"
    )


def is_identifier(text: str) -> bool:
    """Return whether a text is what Identifier stands for."""
    return len(text) <= MAX_ID_CHARS and _IDENTIFIER.search(text) is not None


def text_map(given: object) -> dict[str, str]:
    """Return what the merchant attached, as text by text; anything but an object is read as nothing.

    A value that is no string becomes its JSON text, nested ones too, so metadata alone never stops a payment.
    """
    if not isinstance(given, dict):
        return {}
    return {key: value if isinstance(value, str) else _json_text(value) for key, value in given.items()}


def ignored(provider: Provider, event_id: str, occurred_at: datetime) -> Event:
    """Return an event that is recorded and moves nothing."""
    return Event(
        provider=provider,
        event_id=event_id,
        kind=Kind.IGNORED,
        payment_id=None,
        amount_minor=None,
        currency=None,
        occurred_at=occurred_at,
        ordering_key=None,
    )


def _json_text(value: Any) -> str:  # noqa: ANN401 - any JSON value
    return msgspec.json.encode(value).decode()
