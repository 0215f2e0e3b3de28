"""Which way a trend goes, and into which steps a window is parted."""

from datetime import UTC, datetime, timedelta

import pytest

from payments.flows.report.trend import direction, trend
from payments.ledger.reports.endings import Ended
from payments.ledger.reports.errors import Seen
from payments.ledger.reports.window import Window

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("earlier", "later", "way"),
    [
        (0, 0, "steady"),
        (0, 4, "steady"),  # chance: 2 * sqrt(4) = 4
        (0, 5, "rising"),
        (5, 0, "falling"),
        (400, 499, "steady"),  # less than a quarter more
        (400, 500, "rising"),
        (400, 300, "falling"),
        (400, 301, "steady"),
        (20, 33, "steady"),  # more than a quarter, and no more than 2 * sqrt(53) = 14.6
        (20, 36, "rising"),
    ],
)
def test_a_half_differs_by_a_quarter_and_by_more_than_chance(earlier: int, later: int, way: str) -> None:
    assert direction(earlier, later).direction == way


@pytest.mark.parametrize(
    ("length", "step"),
    [
        (timedelta(minutes=10), timedelta(minutes=1)),
        (timedelta(hours=4), timedelta(minutes=5)),
        (timedelta(hours=24), timedelta(hours=1)),
        (timedelta(hours=48), timedelta(hours=1)),
        (timedelta(days=7), timedelta(hours=6)),
        (timedelta(days=30), timedelta(days=1)),
        (timedelta(days=366), timedelta(days=7)),
    ],
)
def test_the_steps_of_a_window_are_few_and_cover_it(length: timedelta, step: timedelta) -> None:
    window = Window(since=NOON - length - timedelta(seconds=7), until=NOON - timedelta(seconds=7))
    begins = list(window.steps())
    assert window.step == step
    assert begins[0] <= window.since < begins[0] + step
    assert begins[-1] < window.until <= begins[-1] + step
    assert len(begins) <= 54


def test_a_step_tells_how_much_of_it_is_in_the_window() -> None:
    window = Window(since=NOON - timedelta(hours=23, minutes=50), until=NOON + timedelta(minutes=10))
    told = trend(window, [], [])
    assert [told.steps[0].seconds, told.steps[1].seconds, told.steps[-1].seconds] == [3000.0, 3600.0, 600.0]
    assert sum(step.seconds for step in told.steps) == window.seconds


def test_the_peak_is_the_first_of_the_worst_steps() -> None:
    window = Window(since=NOON - timedelta(hours=24), until=NOON)
    hours = [NOON - timedelta(hours=each) for each in (5, 4, 3)]
    told = trend(window, [], [Seen(hours[2], True, 9), Seen(hours[1], True, 9), Seen(hours[0], True, 2)])
    assert told.peak is not None
    assert (told.peak.begins_at, told.peak.errors) == (hours[1], 9)
    assert (told.errors.earlier, told.errors.later) == (0, 20)


def test_what_ended_in_one_step_is_added_up_over_providers_and_halves() -> None:
    window = Window(since=NOON - timedelta(hours=24), until=NOON)
    middle = NOON - timedelta(hours=12)
    ended = [Ended("stripe", "settled", middle, False, 3), Ended("stripe", "settled", middle, True, 4)]
    told = trend(window, [*ended, Ended("paypal", "settled", middle, True, 5)], [])
    [step] = [each for each in told.steps if each.begins_at == middle]
    assert step.by_ending["settled"] == 12
    assert (told.ended.earlier, told.ended.later) == (3, 9)
    assert told.peak is None
