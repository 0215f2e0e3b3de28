"""The geometry of charts: in proportion, and inside the picture."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.reports import SINCE, UNTIL, busy, quiet
from workers.cli.report_page.charts import (
    breakers_chart,
    categories_chart,
    endings_chart,
    errors_chart,
    recovery_chart,
)
from workers.cli.report_page.drawing import WIDTH, Chart, marks, ticks


def all_charts() -> list[Chart]:
    told = busy()
    assert told.breakers is not None
    return [
        endings_chart(told.trend),
        errors_chart(told.trend),
        categories_chart(told.errors.by_category),
        recovery_chart(told.recovery.by_failure_type),
        breakers_chart(told.breakers, SINCE, UNTIL),
    ]


@pytest.mark.parametrize("chart", all_charts())
def test_everything_is_inside_the_picture(chart: Chart) -> None:
    assert chart.boxes
    for box in chart.boxes:
        assert 0 <= box.x <= box.x + box.width <= WIDTH + 0.1, box
        assert 0 <= box.y <= box.y + box.height <= chart.height + 0.1, box
    for label in chart.labels:
        assert 0 <= label.x <= WIDTH
        assert 0 <= label.y <= chart.height


def test_a_bar_is_as_high_as_its_number_and_stands_on_the_one_below() -> None:
    settled, dead, rejected, declined = endings_chart(busy().trend).boxes
    assert settled.height / dead.height == pytest.approx(1900 / 3, rel=0.01)
    assert rejected.height / dead.height == pytest.approx(7 / 3, rel=0.01)
    assert dead.y + dead.height == pytest.approx(settled.y, abs=0.1)
    assert declined.x > settled.x


def test_a_chart_of_nothing_has_a_scale_and_no_bars() -> None:
    chart = endings_chart(quiet().trend)
    assert chart.boxes == ()
    assert chart.lines


def test_a_row_is_as_long_as_its_numbers() -> None:
    boxes = {box.kind: box.width for box in recovery_chart(busy().recovery.by_failure_type).boxes}
    assert boxes["took_effect"] / boxes["superseded"] == pytest.approx(4, rel=0.001)
    assert boxes["dead"] / boxes["unfinished"] == pytest.approx(1.5, rel=0.01)


def test_a_breaker_is_drawn_where_it_was_open_and_never_too_small_to_see() -> None:
    told = busy().breakers
    assert told is not None
    closed, opened, half = breakers_chart(told, SINCE, UNTIL).boxes
    assert (opened.x - closed.x) / closed.width == pytest.approx(600 / 3600, abs=0.001)
    assert opened.width / closed.width == pytest.approx(30 / 3600, rel=0.01)
    assert half.width == 2.0


@pytest.mark.parametrize(
    ("most", "scale"),
    [(0, [0, 1]), (1, [0, 1]), (3, [0, 1, 2, 3]), (7, [0, 5, 10]), (40, [0, 20, 40]), (2_100, [0, 1000, 2000, 3000])],
)
def test_a_scale_is_of_few_whole_numbers_and_reaches_the_largest(most: int, scale: list[int]) -> None:
    assert ticks(most) == scale


@pytest.mark.parametrize("most", [1, 2, 9, 10, 11, 99, 101, 12_345, 10**9])
def test_a_scale_never_has_more_than_four_steps(most: int) -> None:
    assert 1 <= len(ticks(most)) - 1 <= 4
    assert ticks(most)[-1] >= most


@pytest.mark.parametrize("length", [timedelta(minutes=3), timedelta(hours=1), timedelta(days=1), timedelta(days=366)])
def test_a_clock_has_few_round_times(length: timedelta) -> None:
    since = datetime(2026, 5, 4, 11, 59, 30, tzinfo=UTC)
    told = list(marks(since, since + length))
    assert 2 <= len(told) <= 14
    assert all(0 <= share <= 1 for share, _ in told)
