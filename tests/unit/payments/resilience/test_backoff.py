import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.resilience.backoff import Backoff

BACKOFF = Backoff(base_seconds=1.0, cap_seconds=60.0)
ATTEMPTS = st.integers(1, 10_000)
CHANCES = st.floats(0, 1, exclude_max=True)


@given(ATTEMPTS, CHANCES)
def test_a_delay_is_never_less_than_half_the_base_nor_more_than_the_cap(attempt: int, chance: float) -> None:
    assert 0.5 <= BACKOFF.delay_seconds(attempt, lambda: chance) <= 60.0


@given(ATTEMPTS, CHANCES)
def test_a_later_attempt_never_waits_less(attempt: int, chance: float) -> None:
    assert BACKOFF.delay_seconds(attempt + 1, lambda: chance) >= BACKOFF.delay_seconds(attempt, lambda: chance)


@pytest.mark.parametrize(("attempt", "whole_seconds"), [(1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (1000, 60)])
def test_the_delay_doubles_until_the_cap_and_half_of_it_is_chance(attempt: int, whole_seconds: float) -> None:
    assert BACKOFF.delay_seconds(attempt, lambda: 0.0) == whole_seconds / 2
    assert BACKOFF.delay_seconds(attempt, lambda: 0.5) == whole_seconds * 0.75


def test_two_delays_differ_so_that_the_tries_of_many_spread() -> None:
    assert len({BACKOFF.delay_seconds(5) for _ in range(20)}) > 1
