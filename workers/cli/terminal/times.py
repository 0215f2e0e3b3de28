"""Times and spans as people write them and read them."""

import re
from datetime import UTC, datetime, timedelta

_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_SPAN = re.compile(r"(\d+(?:\.\d+)?)([smhd])", re.ASCII)
_LONGEST_SECONDS = 36_500 * 86_400.0


def seconds_in(told: str) -> float:
    """Return the seconds in a span such as 30s, 15m, 2h or 3d. Raises ValueError, which says how to write one."""
    match = _SPAN.fullmatch(told.strip().lower())
    if match is None:
        raise ValueError("is no span of time; write a number with s, m, h or d, such as 30s, 15m, 2h or 3d")
    seconds = float(match[1]) * _SECONDS[match[2]]
    if seconds > _LONGEST_SECONDS:
        raise ValueError("is longer than a hundred years")
    return seconds


def moment_of(told: str) -> datetime:
    """Return the moment that an ISO date or time names, in UTC where it names no zone. Raises ValueError."""
    try:
        found = datetime.fromisoformat(told.strip())
    except ValueError:
        raise ValueError("is no date or time; write 2026-01-05, or 2026-01-05T12:30 in UTC or with a zone") from None
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def moment_or_ago(told: str, now: datetime) -> datetime:
    """Return the moment that an ISO date names, or that lies a span such as 2h before `now`. Raises ValueError."""
    try:
        return now - timedelta(seconds=seconds_in(told)) if _SPAN.fullmatch(told.strip().lower()) else moment_of(told)
    except OverflowError:
        raise ValueError("is longer ago than dates go back") from None


def moment(at: datetime | str | None) -> str:
    """Return a moment for people to read, in UTC; nothing for None."""
    if at is None:
        return ""
    at = datetime.fromisoformat(at) if isinstance(at, str) else at
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"


def span(seconds: float) -> str:
    """Return a span for people to read, in its largest unit."""
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"  # noqa: PLR2004 - below it the tenths matter
