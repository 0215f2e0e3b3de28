"""Times and spans as people write and read them."""

from datetime import UTC, datetime

import pytest

from workers.cli.terminal.times import moment, moment_of, seconds_in, span


@pytest.mark.parametrize(
    ("told", "seconds"),
    [("30s", 30), ("15m", 900), ("2h", 7200), ("3d", 259_200), ("1.5h", 5400), ("0s", 0), (" 2H ", 7200)],
)
def test_a_span_is_a_number_with_a_unit(told: str, seconds: float) -> None:
    assert seconds_in(told) == seconds


@pytest.mark.parametrize("told", ["", "5", "s", "-5s", "5 s", "1h30m", "5w", "infs", "1e3s", "٣s", "36501d"])
def test_what_is_no_span_is_refused(told: str) -> None:
    with pytest.raises(ValueError, match=r"is no span|is longer"):
        seconds_in(told)


@pytest.mark.parametrize(
    ("told", "hour"),
    [
        ("2026-01-05", 0),
        ("2026-01-05T12:30", 12),
        ("2026-01-05 12:30:00Z", 12),
        ("2026-01-05T14:30+02:00", 12),
    ],
)
def test_a_moment_without_a_zone_is_utc(told: str, hour: int) -> None:
    found = moment_of(told)
    assert (found.tzinfo, found.day, found.hour) == (UTC, 5, hour)


@pytest.mark.parametrize("told", ["", "yesterday", "12:30", "2026-13-01", "05.01.2026"])
def test_what_is_no_moment_is_refused(told: str) -> None:
    with pytest.raises(ValueError, match="2026-01-05"):
        moment_of(told)


def test_moments_are_shown_in_utc() -> None:
    assert moment(datetime(2026, 5, 4, 12, 0, 1, 999, tzinfo=UTC)) == "2026-05-04 12:00:01Z"
    assert moment("2026-05-04T14:00:01.5+02:00") == "2026-05-04 12:00:01Z"
    assert moment(None) == ""


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0, "0.0 s"), (3.21, "3.2 s"), (42, "42 s"), (119, "119 s"), (120, "2 min"), (7200, "2 h"), (172_800, "2 d")],
)
def test_a_span_is_shown_in_its_largest_unit(seconds: float, told: str) -> None:
    assert span(seconds) == told
