from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from config.schedule import least_gap_seconds, next_after, parse_schedule
from config.settings import DeadLetterSettings

LAST = datetime(2026, 11, 25, 22, 47, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("told", "due"),
    [
        ("60", datetime(2026, 11, 25, 22, 48, 12, tzinfo=UTC)),
        ("1.5", datetime(2026, 11, 25, 22, 47, 13, 500_000, tzinfo=UTC)),
        ("*/5 * * * *", datetime(2026, 11, 25, 22, 50, tzinfo=UTC)),
        ("30 3 * * *", datetime(2026, 11, 26, 3, 30, tzinfo=UTC)),
        ("0 0 1 1 *", datetime(2027, 1, 1, tzinfo=UTC)),
    ],
)
def test_the_next_run_follows_the_last_one(told: str, due: datetime) -> None:
    assert next_after(told, LAST) == due
    assert parse_schedule(told).remaining_estimate(LAST) is not None


@pytest.mark.parametrize("told", ["", "x", "0", "-1", "nan", "inf", "* * *", "99 * * * *", "* * * * * *"])
def test_what_is_no_schedule_is_refused_by_its_variable(told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match=r"must be|is no crontab"):
        parse_schedule(told)
    if told:
        monkeypatch.setenv("DLQ_REPLAY_SCHEDULE", told)
        with pytest.raises(ValidationError, match="DLQ_REPLAY_SCHEDULE"):
            DeadLetterSettings()


def test_a_crontab_is_never_due_twice_in_a_minute() -> None:
    assert (least_gap_seconds("*/5 * * * *"), least_gap_seconds("30")) == (60.0, 30.0)
