"""The pause that a server asks for: the header Retry-After, seconds or an HTTP date (RFC 9110, section 10.2.3)."""

from email.utils import parsedate_to_datetime

DEFAULT_RETRY_AFTER_SECONDS = 1.0
"""For a 429 that does not say how long; the caller's backoff grows from there."""

MAX_RETRY_AFTER_SECONDS = 3600.0


def retry_after_seconds(value: str | None, now: float) -> float:
    """Return the pause that the header's value asks for; `now` is in seconds since 1970."""
    told = told_pause_seconds(value, now)
    return DEFAULT_RETRY_AFTER_SECONDS if told is None else told


def told_pause_seconds(value: str | None, now: float) -> float | None:
    """Return the pause, from 0 to MAX_RETRY_AFTER_SECONDS, or None where none that can be read is told."""
    if value is None:
        return None
    try:
        seconds = float(value) if value.strip().isdecimal() else parsedate_to_datetime(value).timestamp() - now
    except (ValueError, OverflowError):
        return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_SECONDS)
