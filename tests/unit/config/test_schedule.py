from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from config.celery import celery_options, unwatched_entries
from config.schedule import is_whole_minutes, least_gap_seconds, next_after, parse_schedule
from config.settings import DeadLetterSettings, Settings

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


@pytest.mark.parametrize(
    ("told", "whole"), [("1", False), ("30", False), ("60", True), ("90", False), ("3600", True), ("*/5 * * * *", True)]
)
def test_sentry_can_watch_what_comes_in_whole_minutes(told: str, whole: bool) -> None:  # noqa: FBT001 - a parameter
    assert is_whole_minutes(parse_schedule(told)) is whole


def test_nothing_is_watched_where_nobody_has_named_a_sentry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SENTRY_DSN", raising=False)
    schedule = celery_options(Settings())["beat_schedule"]
    assert list(schedule) == ["sweep", "replay", "archive", "forget"]
    assert not any("is_watched" in entry["kwargs"] for entry in schedule.values())


def test_what_comes_too_often_is_watched_once_a_minute_by_an_entry_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENTRY_DSN", "https://key@sentry.example/1")
    monkeypatch.setenv("DLQ_REPLAY_SCHEDULE", "90")
    schedule = celery_options(Settings())["beat_schedule"]
    watched = {name for name, entry in schedule.items() if entry["kwargs"].get("is_watched")}
    assert watched == {"sweep-minute", "replay-minute", "archive", "forget"}
    assert unwatched_entries(Settings()) == ["sweep", "replay"]
    assert schedule["replay-minute"]["kwargs"] == {"is_tick": True, "is_watched": True}
    assert schedule["sweep"]["schedule"].seconds == 1
    monkeypatch.setenv("SENTRY_CRONS", "false")
    assert len(celery_options(Settings())["beat_schedule"]) == 4
