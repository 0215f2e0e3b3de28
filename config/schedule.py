"""When beat sends something: every so many seconds, or by a crontab."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from celery.schedules import schedule

_FIELDS = 5
_LEAST_SECONDS = 1.0
_MINUTE_SECONDS = 60.0


def check_schedule(told: str) -> None:
    """Raise ValueError, which says what a schedule looks like, where `told` is none."""
    if is_interval(told):
        _seconds(told)
    else:
        parse_schedule(told)


def parse_schedule(told: str) -> "schedule":
    """Return the schedule that `told` means: seconds, or five fields of a crontab in UTC. Raises ValueError."""
    from celery.schedules import ParseException, crontab, schedule  # noqa: PLC0415 - most processes need no Celery

    fields = told.split()
    if len(fields) == 1:
        return schedule(timedelta(seconds=_seconds(told)))
    if len(fields) != _FIELDS:
        raise ValueError(_neither(told))
    minute, hour, day_of_month, month_of_year, day_of_week = fields
    try:
        return crontab(minute, hour, day_of_week, day_of_month, month_of_year)
    except (ParseException, ValueError) as error:
        raise ValueError(f"is no crontab: {error}") from None


def schedule_of(seconds: float) -> "schedule":
    """Return the schedule of every so many seconds."""
    from celery.schedules import schedule  # noqa: PLC0415 - most processes need no Celery

    return schedule(timedelta(seconds=seconds))


def is_whole_minutes(found: "schedule") -> bool:
    """Return whether a schedule has no smaller step than a minute, and only whole ones."""
    seconds: float | None = getattr(found, "seconds", None)  # a crontab has none
    return seconds is None or (seconds >= _MINUTE_SECONDS and seconds % _MINUTE_SECONDS == 0)


def is_interval(told: str) -> bool:
    """Return whether `told` is a number of seconds, and no crontab."""
    return len(told.split()) == 1


def next_after(told: str, last: datetime) -> datetime:
    """Return when the run after the one at `last` is due; `last` has a time zone."""
    if is_interval(told):
        return last + timedelta(seconds=_seconds(told))
    found = parse_schedule(told)
    begun, remaining, _now = found.remaining_delta(last)
    due: datetime = begun + remaining
    return due


def least_gap_seconds(told: str) -> float:
    """Return the time within which no second run is due: a crontab's smallest step is a minute."""
    return _seconds(told) if is_interval(told) else 60.0


def _seconds(told: str) -> float:
    try:
        seconds = float(told)
    except ValueError:
        raise ValueError(_neither(told)) from None
    if not _LEAST_SECONDS <= seconds < float("inf"):
        raise ValueError(f"must be at least {_LEAST_SECONDS:g} second, not {told}")
    return seconds


def _neither(told: str) -> str:
    return f"must be seconds, or a crontab of {_FIELDS} fields such as */5 * * * *, not {told!r}"
