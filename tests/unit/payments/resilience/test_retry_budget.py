import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.failures import BudgetSpent
from payments.resilience.exchange import Exchange
from payments.resilience.policy import BudgetPolicy
from payments.resilience.retry_budget import BUCKETS, Budget, RetryBudgets, Window
from tests.unit.payments.resilience.scripted_exchange import Clock, Fleet

POLICY = BudgetPolicy(share=0.2, floor_per_second=0.5, window_seconds=10.0)

POLICIES = st.builds(
    BudgetPolicy, share=st.floats(0.01, 1), floor_per_second=st.floats(0, 3), window_seconds=st.floats(0.5, 30)
)


def nobody() -> Exchange:
    return Exchange(None, lambda *_, **__: None)


def spent(budgets: RetryBudgets, name: str, tries: int) -> int:
    """How many of `tries` retries were allowed."""
    allowed = 0
    for _ in range(tries):
        try:
            budgets.spend(name)
        except BudgetSpent:
            continue
        allowed += 1
    return allowed


@given(POLICIES, st.lists(st.tuples(st.floats(0, 1), st.sampled_from(["call", "retry"])), max_size=150))
def test_no_window_that_ends_with_a_retry_holds_more_than_the_share_and_the_floor(
    policy: BudgetPolicy, steps: list[tuple[float, str]]
) -> None:
    window, window_us = Window(Budget.of(policy)), int(policy.window_seconds * 1e6)
    now_us, calls, retries = 1_000_000_000, [], []
    for share_of_window, what in steps:
        now_us += int(share_of_window * window_us)
        if what == "call":
            window.call(now_us)
            calls.append(now_us)
        elif window.spend(now_us):
            retries.append(now_us)
            recent = [sum(at > now_us - window_us for at in times) for times in (calls, retries)]
            assert recent[1] <= policy.share * recent[0] + policy.floor_per_second * policy.window_seconds + 1e-9


def test_a_fifth_of_the_calls_may_be_retried_and_as_many_more_as_the_floor_gives() -> None:
    budgets = RetryBudgets(nobody(), {"default": POLICY}, Clock())
    for _ in range(100):
        budgets.count("stripe")
    assert spent(budgets, "stripe", 200) == 20 + 5


def test_a_provider_without_any_call_can_be_retried_by_the_floor() -> None:
    clock = Clock()
    budgets = RetryBudgets(nobody(), {"default": POLICY}, clock)
    assert spent(budgets, "stripe", 10) == 5
    clock.seconds += POLICY.window_seconds * (BUCKETS + 1) / BUCKETS
    assert spent(budgets, "stripe", 10) == 5


def test_in_a_storm_in_which_every_call_fails_the_retries_stay_within_the_budget() -> None:
    clock = Clock()
    budgets = RetryBudgets(nobody(), {"default": POLICY}, clock)
    calls = retries = 0
    for _ in range(6000):  # a minute with 100 calls a second, each of which wants to be retried at once, three times
        clock.seconds += 0.01
        budgets.count("stripe")
        calls += 1
        retries += spent(budgets, "stripe", 3)
    assert 0.9 * 0.2 * calls <= retries <= 0.2 * calls + 0.5 * 60 + 5


def test_every_provider_has_a_budget_of_its_own_and_those_not_named_go_by_the_default() -> None:
    generous = BudgetPolicy(share=1.0, floor_per_second=1.0, window_seconds=10.0)
    budgets = RetryBudgets(nobody(), {"default": POLICY, "paypal": generous}, Clock())
    assert [spent(budgets, name, 100) for name in ("paypal", "stripe", "razorpay")] == [10, 5, 5]


def test_without_any_policy_the_default_one_counts() -> None:
    policy = BudgetPolicy()
    assert spent(RetryBudgets(nobody(), {}, Clock()), "x", 100) == policy.floor_per_second * policy.window_seconds


def test_the_refused_come_back_within_one_to_three_seconds_and_not_at_once() -> None:
    chances = iter([0.0, 0.5, 0.999])
    budgets = RetryBudgets(Fleet(0, 0, 0), {"default": POLICY}, Clock(), lambda: next(chances))
    waits = []
    for _ in range(3):
        with pytest.raises(BudgetSpent) as refused:
            budgets.spend("stripe")
        waits.append(refused.value.retry_after_seconds)
    assert waits == [1.0, 2.0, pytest.approx(2.998)]
    assert refused.value.service == "stripe"


def test_counting_asks_nothing_and_is_told_once_with_the_age_of_the_first_call() -> None:
    clock = Clock()
    fleet = Fleet()
    budgets = RetryBudgets(fleet, {"default": POLICY}, clock)
    for _ in range(3):
        budgets.count("stripe")
        clock.seconds += 0.25
    assert fleet.asked == []
    (telling,) = budgets.requests()
    assert (telling.script, telling.keys) == ("retry_budget_count", ("payferry:budget:stripe",))
    assert telling.arguments == (500_000, BUCKETS + 1, 3, 750_000)
    assert budgets.requests() == []


def test_what_the_fleet_answers_counts_and_not_what_this_process_has_seen() -> None:
    budgets = RetryBudgets(Fleet(1, 1, 1, 1, 1, 1, 1, 1, 0), {"default": POLICY}, Clock())
    assert spent(budgets, "stripe", 9) == 8


def test_going_alone_forgets_neither_the_own_calls_nor_the_retries_that_the_fleet_allowed() -> None:
    budgets = RetryBudgets(Fleet(*[1] * 10), {"default": POLICY}, Clock())
    for _ in range(100):
        budgets.count("stripe")
    budgets.requests()
    assert spent(budgets, "stripe", 100) == 20 + 5
