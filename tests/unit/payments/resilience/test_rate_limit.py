from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.failures import RateExceeded
from payments.resilience.exchange import Exchange, Request
from payments.resilience.policy import RatePolicy
from payments.resilience.rate_limit import LONGEST_WAIT_SECONDS, Bucket, Limit, RateLimits
from tests.unit.payments.resilience import scripted_exchange
from tests.unit.payments.resilience.scripted_exchange import Clock

TEN_A_SECOND = RatePolicy(calls_per_second=10.0, burst=5, alone_share=0.2)

LIMITS = st.builds(Limit, slot_us=st.integers(1, 2_000_000), burst=st.integers(1, 50))


class Fleet(scripted_exchange.Fleet):
    """One whose exchanges the test makes."""

    def exchange(self, answers: Sequence[Any]) -> list[Request]:
        requests = list(self.part.requests())
        self.part.learn(answers)
        return requests


def nobody() -> Exchange:
    return Exchange(None, lambda *_, **__: None)


def refusal(limits: RateLimits, name: str) -> float:
    with pytest.raises(RateExceeded) as caught:
        limits.take(name)
    return caught.value.retry_after_seconds


def taken(limits: RateLimits, name: str, tries: int) -> int:
    """How many of `tries` went well."""
    granted = 0
    for _ in range(tries):
        try:
            limits.take(name)
        except RateExceeded:
            continue
        granted += 1
    return granted


def most_in_a_window(granted: Sequence[int], slot_us: int) -> float:
    """By how many calls the fullest window passes what comes in while it lasts."""
    return max(
        (last - first + 1 - (granted[last] - granted[first]) / slot_us)
        for first in range(len(granted))
        for last in range(first, len(granted))
    )


@given(LIMITS, st.lists(st.floats(0, 3), min_size=1, max_size=80))
def test_no_window_of_any_length_holds_more_than_the_burst_and_what_came_in(limit: Limit, slots: list[float]) -> None:
    bucket = Bucket(limit, 0)
    times = list(accumulate((int(part * limit.slot_us) for part in slots), initial=limit.full_us))
    granted = [now_us for now_us in times if bucket.take(now_us) == 0]
    assert most_in_a_window(granted, limit.slot_us) <= limit.burst


@given(LIMITS, st.integers(2, 200))
def test_who_comes_at_the_turn_that_the_last_one_was_given_finds_a_token(limit: Limit, crowd: int) -> None:
    bucket = Bucket(limit, 0)
    waits = [wait for _ in range(crowd) if (wait := bucket.take(limit.full_us))]
    assert waits == sorted(waits)
    for wait in dict.fromkeys(waits):
        assert bucket.take(limit.full_us + wait) == 0


def test_a_provider_without_a_limit_or_a_policy_costs_no_question() -> None:
    fleet = Fleet()
    limits = RateLimits(fleet, {"free": RatePolicy()})
    for name in ("free", "unknown"):
        limits.take(name)
    assert fleet.asked == []


def test_a_limit_is_asked_for_each_call_and_the_refused_are_told_their_turn() -> None:
    fleet = Fleet(0, 250_000)
    limits = RateLimits(fleet, {"stripe": TEN_A_SECOND})
    limits.take("stripe")
    assert refusal(limits, "stripe") == 0.25
    assert [request.script for request in fleet.asked] == ["rate_limit", "rate_limit"]


def test_a_limit_is_never_rounded_up() -> None:
    for rate in (0.3, 3.0, 7.0, 999.0, 30_000.0):
        assert 1_000_000 / Limit.of(RatePolicy(calls_per_second=rate)).slot_us <= rate


def test_those_whose_turn_is_too_far_away_to_tell_come_back_within_a_time_and_not_at_one() -> None:
    chances = iter([0.0, 0.5, 0.9])
    fleet = Fleet(*[int(LONGEST_WAIT_SECONDS * 1e6)] * 3)
    limits = RateLimits(fleet, {"stripe": TEN_A_SECOND}, chance=lambda: next(chances))
    waits = [refusal(limits, "stripe") for _ in range(3)]
    assert waits == [LONGEST_WAIT_SECONDS, LONGEST_WAIT_SECONDS * 0.75, pytest.approx(LONGEST_WAIT_SECONDS * 0.55)]


def test_alone_a_process_takes_its_share_of_the_limit() -> None:
    clock = Clock()
    limits = RateLimits(nobody(), {"stripe": TEN_A_SECOND}, clock)
    assert taken(limits, "stripe", 50) == 1  # a fifth of the burst
    granted = 0
    for _ in range(1000):
        clock.seconds += 0.01
        granted += taken(limits, "stripe", 3)
    assert granted in (19, 20)  # a fifth of ten a second, for ten seconds


def test_going_alone_gives_no_second_burst() -> None:
    clock = Clock()
    limits = RateLimits(Fleet(0), {"stripe": RatePolicy(calls_per_second=10.0, burst=100, alone_share=0.5)}, clock)
    limits.take("stripe")
    assert taken(limits, "stripe", 50) == 0
    clock.seconds += 1.0
    assert taken(limits, "stripe", 50) == 5


def test_back_with_the_fleet_its_bucket_counts_and_the_own_one_is_forgotten() -> None:
    clock = Clock()
    fleet = Fleet(0, None)
    limits = RateLimits(fleet, {"stripe": TEN_A_SECOND}, clock)
    assert taken(limits, "stripe", 2) == 1
    clock.seconds += 60.0
    fleet.answers = [0, 0, None]
    assert taken(limits, "stripe", 3) == 2


@pytest.mark.parametrize("policies", [{}, {"free": RatePolicy()}])
def test_a_pause_holds_where_there_is_no_limit_and_those_refused_come_back_after_it(
    policies: dict[str, RatePolicy],
) -> None:
    clock = Clock()
    limits = RateLimits(nobody(), policies, clock, chance=lambda: 0.5)
    limits.pause("free", 8.0)
    assert refusal(limits, "free") == pytest.approx(10.0)
    clock.seconds += 7.9
    assert taken(limits, "free", 3) == 0
    clock.seconds += 0.2
    assert taken(limits, "free", 3) == 3


def test_alone_a_pause_stops_the_own_bucket() -> None:
    clock = Clock()
    limits = RateLimits(nobody(), {"stripe": TEN_A_SECOND}, clock)
    limits.pause("stripe", 5.0)
    clock.seconds += 4.9
    assert taken(limits, "stripe", 3) == 0
    clock.seconds += 0.7
    assert taken(limits, "stripe", 3) == 1


def test_a_pause_that_another_process_was_asked_for_is_learnt_in_the_exchange() -> None:
    clock = Clock()
    fleet = Fleet()
    limits = RateLimits(fleet, {"free": RatePolicy()}, clock)
    (asking,) = fleet.exchange([[2_000_000]])
    assert (asking.script, asking.keys) == ("rate_limit_pauses", ("payferry:rate:free",))
    assert taken(limits, "free", 1) == 0
    clock.seconds += 2.1
    assert taken(limits, "free", 1) == 1


def test_a_pause_that_could_not_be_told_is_told_until_it_was() -> None:
    clock = Clock()
    fleet = Fleet()
    limits = RateLimits(fleet, {"stripe": TEN_A_SECOND}, clock)
    limits.pause("stripe", 10.0)
    clock.seconds += 4.0
    limits.requests()  # this exchange fails: nothing is learnt
    (telling,) = fleet.exchange([6_000_000])
    assert (telling.script, telling.arguments[0]) == ("rate_limit_pause", 6_000_000)
    assert fleet.exchange([]) == []


def test_a_pause_is_told_again_when_redis_comes_back_for_it_may_have_lost_it() -> None:
    clock = Clock()
    fleet = Fleet(10_000_000)
    limits = RateLimits(fleet, {"stripe": TEN_A_SECOND}, clock)
    limits.pause("stripe", 10.0)
    assert limits.requests() == []
    limits.alone()
    assert [request.script for request in limits.requests()] == ["rate_limit_pause"]
    clock.seconds += 10.0
    assert limits.requests() == []


def test_a_provider_cannot_ask_for_more_than_an_hour() -> None:
    clock = Clock()
    limits = RateLimits(nobody(), {}, clock)
    limits.pause("free", 1e9)
    clock.seconds += 3601.0
    limits.take("free")
