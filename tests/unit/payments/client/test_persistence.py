from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.client.persistence import Persistence, Reconnect

POLICIES = st.builds(
    Reconnect, base_seconds=st.floats(0.001, 60), cap_seconds=st.floats(0.001, 3600), most_in_a_row=st.just(0)
)
FAILURES = st.integers(1, 10_000)
CHANCES = st.floats(0, 1, exclude_max=True)


def fails(persistence: Persistence, times: int) -> list[float | None]:
    return [persistence.fail(None, lambda: 0.0) for _ in range(times)]


def test_a_delay_doubles_until_the_cap_and_half_of_it_is_certain() -> None:
    policy = Reconnect(base_seconds=1.0, cap_seconds=10.0)
    assert [policy.delay_seconds(number, lambda: 0.0) for number in range(1, 7)] == [0.5, 1, 2, 4, 5, 5]


@given(POLICIES, FAILURES, CHANCES)
def test_no_delay_is_nothing_or_beyond_the_cap(policy: Reconnect, failures: int, chance: float) -> None:
    delay = policy.delay_seconds(failures, lambda: chance)
    assert 0 < min(policy.base_seconds, policy.cap_seconds) / 2 <= delay <= policy.cap_seconds


@given(POLICIES, CHANCES)
def test_a_later_failure_never_waits_less(policy: Reconnect, chance: float) -> None:
    delays = [policy.delay_seconds(number, lambda: chance) for number in range(1, 100)]
    assert all(later >= earlier for earlier, later in pairwise(delays))


def test_two_clients_of_a_server_that_died_do_not_come_back_at_once() -> None:
    assert len({Reconnect().delay_seconds(3) for _ in range(20)}) > 1


def test_after_so_many_failures_in_a_row_it_gives_up() -> None:
    persistence = Persistence(Reconnect(most_in_a_row=3))
    *delays, last = fails(persistence, 4)
    assert None not in delays
    assert last is None


def test_with_no_such_number_it_never_gives_up() -> None:
    assert None not in fails(Persistence(Reconnect(most_in_a_row=0)), 1000)


def test_data_begins_the_count_anew() -> None:
    persistence = Persistence(Reconnect(most_in_a_row=3))
    fails(persistence, 3)
    persistence.begin()
    persistence.hear(has_data=True)
    assert fails(persistence, 4) == [0.25, 0.5, 1.0, None]


@pytest.mark.parametrize(("signs", "expected"), [(0, None), (1, None), (2, 0.25)])
def test_one_sign_of_life_is_a_greeting_and_a_second_one_is_life(signs: int, expected: float | None) -> None:
    persistence = Persistence(Reconnect(most_in_a_row=3))
    fails(persistence, 3)
    persistence.begin()
    for _ in range(signs):
        persistence.hear(has_data=False)
    assert persistence.fail(None, lambda: 0.0) == expected


def test_signs_of_life_of_two_streams_do_not_add_up() -> None:
    persistence = Persistence(Reconnect(most_in_a_row=3))
    for _ in range(3):
        persistence.begin()
        persistence.hear(has_data=False)
        persistence.fail(None)
    assert persistence.failures == 3


def test_only_the_first_message_of_a_stream_is_its_first() -> None:
    persistence = Persistence(Reconnect())
    persistence.begin()
    assert [persistence.hear(has_data=has_data) for has_data in (False, True, False)] == [True, False, False]
    persistence.begin()
    assert persistence.hear(has_data=True)


def test_a_pause_that_the_server_asks_for_comes_before_the_usual_delay() -> None:
    assert Persistence(Reconnect(base_seconds=1.0)).fail(30.0, lambda: 0.5) == 30.75
