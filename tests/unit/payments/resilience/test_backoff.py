from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.resilience.backoff import Backoff, Shape

BACKOFF = Backoff(base_seconds=1.0, cap_seconds=60.0)
ATTEMPTS = st.integers(1, 10_000)
CHANCES = st.floats(0, 1, exclude_max=True)

POLICIES = st.builds(
    Backoff,
    base_seconds=st.floats(0.001, 600),
    cap_seconds=st.floats(0.001, 86_400),
    factor=st.floats(1, 10),
    shape=st.sampled_from(Shape),
    jitter=st.floats(0, 0.99),
)


def whole_delays(shape: Shape, attempts: int, **options: float) -> list[float]:
    """The delays without their random part."""
    policy = Backoff(**{"base_seconds": 1.0, "cap_seconds": 60.0, **options}, shape=shape, jitter=0.0)
    return [policy.delay_seconds(attempt) for attempt in range(1, attempts + 1)]


def test_an_exponential_delay_doubles_until_the_cap() -> None:
    assert whole_delays(Shape.EXPONENTIAL, 8) == [1, 2, 4, 8, 16, 32, 60, 60]


def test_an_exponential_delay_grows_by_the_factor_of_its_policy() -> None:
    assert whole_delays(Shape.EXPONENTIAL, 4, factor=3.0, base_seconds=2.0) == [2, 6, 18, 54]


def test_a_linear_delay_grows_by_its_base_until_the_cap() -> None:
    assert whole_delays(Shape.LINEAR, 7, base_seconds=10.0) == [10, 20, 30, 40, 50, 60, 60]


def test_a_linear_delay_reaches_even_a_cap_that_is_far_away() -> None:
    assert whole_delays(Shape.LINEAR, 700, cap_seconds=600.0)[-101:] == [600] * 101


def test_a_fibonacci_delay_is_the_sum_of_the_two_before_it_until_the_cap() -> None:
    assert whole_delays(Shape.FIBONACCI, 10) == [1, 2, 3, 5, 8, 13, 21, 34, 55, 60]


@pytest.mark.parametrize(
    ("shape", "attempt", "whole_seconds"),
    [
        (Shape.EXPONENTIAL, 1, 1),
        (Shape.EXPONENTIAL, 3, 4),
        (Shape.EXPONENTIAL, 1000, 60),
        (Shape.LINEAR, 7, 7),
        (Shape.FIBONACCI, 5, 8),
        (Shape.FIBONACCI, 1000, 60),
    ],
)
def test_half_of_a_delay_is_certain_and_the_other_half_is_chance(
    shape: Shape, attempt: int, whole_seconds: float
) -> None:
    backoff = Backoff(base_seconds=1.0, cap_seconds=60.0, shape=shape)
    assert backoff.delay_seconds(attempt, lambda: 0.0) == whole_seconds / 2
    assert backoff.delay_seconds(attempt, lambda: 0.5) == whole_seconds * 0.75


@given(POLICIES, ATTEMPTS, CHANCES)
def test_no_policy_gives_a_delay_of_nothing_or_one_beyond_its_cap(
    backoff: Backoff, attempt: int, chance: float
) -> None:
    certain = min(backoff.base_seconds, backoff.cap_seconds) * (1 - backoff.jitter)
    delay = backoff.delay_seconds(attempt, lambda: chance)
    assert delay > 0
    assert certain * (1 - 1e-9) <= delay <= backoff.cap_seconds * (1 + 1e-9)


@given(POLICIES, ATTEMPTS, CHANCES)
def test_a_later_attempt_never_waits_less(backoff: Backoff, attempt: int, chance: float) -> None:
    earlier, later = (backoff.delay_seconds(number, lambda: chance) for number in (attempt, attempt + 1))
    assert later >= earlier


@pytest.mark.parametrize("shape", Shape)
def test_every_shape_grows_until_it_meets_the_cap(shape: Shape) -> None:
    assert all(
        later > earlier or later == 60 for earlier, later in pairwise(whole_delays(shape, attempts=100))
    )  # a linear one meets it at its sixtieth attempt


def test_two_delays_differ_so_that_the_tries_of_many_spread() -> None:
    assert len({BACKOFF.delay_seconds(5) for _ in range(20)}) > 1
