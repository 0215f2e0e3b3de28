import multiprocessing
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from payments.failures import BudgetSpent
from payments.resilience.exchange import Exchange
from payments.resilience.policy import BudgetPolicy
from payments.resilience.retry_budget import BUCKETS, Budget, RetryBudgets, Window
from tests.integration.resilience.at_time import DAY_US, AtTime, on_one_server, patient, say_nothing

pytestmark = pytest.mark.alone

POLICY = BudgetPolicy(share=0.2, floor_per_second=0.5, window_seconds=10.0)
STEPS = st.lists(
    st.tuples(st.floats(0, 0.6), st.sampled_from([0, 1]), st.sampled_from(["call", "retry", "retry", "exchange"])),
    max_size=60,
)


@pytest.fixture
def exchange(redis_url: str) -> Iterator[AtTime]:
    client = patient(redis_url)
    yield AtTime(client, say_nothing)
    client.close()


def budgets_of(exchange: AtTime, policy: BudgetPolicy = POLICY) -> RetryBudgets:
    return RetryBudgets(exchange, {"default": policy}, exchange.clock)


def may_retry(budgets: RetryBudgets, name: str = "stripe") -> bool:
    try:
        budgets.spend(name)
    except BudgetSpent:
        return False
    return True


def spent(budgets: RetryBudgets, tries: int) -> int:
    return sum(may_retry(budgets) for _ in range(tries))


def test_the_share_that_is_spent_can_be_seen_without_spending_any(exchange: AtTime) -> None:
    budgets = budgets_of(exchange)  # a fifth of the calls, and 5 in 10 s
    assert budgets.used("stripe") == 0.0
    for _ in range(25):
        budgets.count("stripe")
    exchange.at_once()
    assert spent(budgets, 4) == 4
    assert [budgets.used("stripe") for _ in range(3)] == [pytest.approx(0.4)] * 3
    assert spent(budgets, 20) == 6
    assert budgets.used("stripe") == 1.0
    assert budgets.used("paypal") == 0.0
    exchange.now_us += 20_000_000
    assert budgets.used("stripe") == 0.0


def test_the_refused_get_turns_as_far_apart_as_the_budget_allows_retries(exchange: AtTime) -> None:
    policy = BudgetPolicy(share=0.2, floor_per_second=2.0, window_seconds=10.0)
    budgets = budgets_of(exchange, policy)
    assert spent(budgets, 20) == 20
    turns = []
    for _ in range(200):
        with pytest.raises(BudgetSpent) as refused:
            budgets.spend("stripe")
        turns.append(refused.value.retry_after_seconds)
    assert turns[5:110] == [pytest.approx(0.5 * number) for number in range(6, 111)]
    assert all(30.0 <= turn <= 60.0 for turn in turns[120:])
    exchange.now_us += 60_000_000
    assert may_retry(budgets)


@on_one_server
@given(
    policy=st.builds(BudgetPolicy, share=st.floats(0.05, 1), floor_per_second=st.floats(0, 1)),
    steps=STEPS,
)
def test_no_window_of_the_fleet_that_ends_with_a_retry_holds_more_than_the_share_and_the_floor(
    exchange: AtTime, policy: BudgetPolicy, steps: list[tuple[float, int, str]]
) -> None:
    window_us, name = int(policy.window_seconds * 1e6), uuid.uuid4().hex
    fleet = [budgets_of(exchange, policy) for _ in range(2)]
    calls, retries = [], []
    for share_of_window, process, what in steps:
        exchange.now_us += int(share_of_window * window_us)
        now_us = exchange.now_us
        if what == "exchange":
            exchange.at_once()
        elif what == "call":
            fleet[process].count(name)
            calls.append(now_us)
        elif may_retry(fleet[process], name):
            retries.append(now_us)
            recent = [sum(at > now_us - window_us for at in times) for times in (calls, retries)]
            assert recent[1] <= policy.share * recent[0] + policy.floor_per_second * policy.window_seconds + 1e-9


@on_one_server
@given(steps=st.lists(st.tuples(st.integers(0, 6_000_000), st.booleans()), max_size=60))
def test_the_script_and_the_window_of_a_single_process_are_one_rule(
    exchange: AtTime, steps: list[tuple[int, bool]]
) -> None:
    name, budgets, window = uuid.uuid4().hex, budgets_of(exchange), Window(Budget.of(POLICY))
    exchange.now_us = DAY_US
    for step_us, is_call in steps:
        exchange.now_us += step_us
        if is_call:
            budgets.count(name)
            exchange.at_once()
            window.call(exchange.now_us)
        else:
            assert may_retry(budgets, name) == window.spend(exchange.now_us)


def test_calls_of_one_process_are_the_budget_of_another(exchange: AtTime) -> None:
    here, there = budgets_of(exchange), budgets_of(exchange)
    for _ in range(100):
        here.count("stripe")
    assert spent(there, 100) == 5  # the floor: nobody has been told yet
    exchange.at_once()
    assert spent(there, 100) == 20


def test_in_a_storm_in_which_every_call_of_the_fleet_fails_the_retries_stay_within_the_budget(
    exchange: AtTime,
) -> None:
    fleet = [budgets_of(exchange) for _ in range(4)]
    calls = retries = 0
    for round_number in range(1500):  # thirty seconds, 50 calls a second, each of which wants three retries
        exchange.now_us += 20_000
        process = fleet[round_number % len(fleet)]
        process.count("stripe")
        calls += 1
        if round_number % 5 == 0:
            exchange.at_once()
        retries += spent(process, 3)
    assert 0.9 * 0.2 * calls <= retries <= 0.2 * calls + 0.5 * 30 + 5


def test_calls_that_are_told_late_leave_the_window_as_if_told_at_once(exchange: AtTime) -> None:
    budgets = budgets_of(exchange)
    for _ in range(100):
        budgets.count("stripe")
    exchange.now_us += 6_000_000
    exchange.at_once()
    exchange.now_us += 4_000_000
    assert spent(budgets, 100) == 5


def test_calls_that_are_told_after_their_window_count_nothing(exchange: AtTime) -> None:
    budgets = budgets_of(exchange)
    budgets.count("stripe")
    exchange.now_us += 60_000_000
    for _ in range(100):
        budgets.count("stripe")
    exchange.at_once()
    assert spent(budgets, 100) == 5


def test_calls_that_are_told_far_too_late_take_the_place_of_nothing_newer(exchange: AtTime) -> None:
    late, other = budgets_of(exchange), budgets_of(exchange)
    late.count("stripe")
    exchange.now_us += 21_000_000  # twice round the ring: the same field
    assert spent(other, 100) == 5
    exchange.at_once()
    assert spent(other, 100) == 0


def test_a_retry_counts_until_a_whole_window_has_gone_by(exchange: AtTime) -> None:
    budgets = budgets_of(exchange)
    exchange.now_us += 450_000
    assert spent(budgets, 100) == 5
    exchange.now_us += 9_999_999
    assert spent(budgets, 100) == 0
    exchange.now_us += 500_000
    assert spent(budgets, 100) == 5


def test_a_wiped_redis_gives_the_floor_and_the_share_of_the_calls_since_then(exchange: AtTime, redis_url: str) -> None:
    budgets = budgets_of(exchange)
    for _ in range(100):
        budgets.count("stripe")
    exchange.at_once()
    assert spent(budgets, 100) == 25
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
    for _ in range(10):
        budgets.count("stripe")
    exchange.at_once()
    assert spent(budgets, 100) == 2 + 5


def test_a_budget_is_one_small_hash_that_goes_by_itself(exchange: AtTime, redis_url: str) -> None:
    budgets = budgets_of(exchange)
    for _ in range(200):
        exchange.now_us += 300_000
        budgets.count("stripe")
        exchange.at_once()
    with redis.Redis.from_url(redis_url) as client:
        assert client.hlen("payferry:budget:stripe") == BUCKETS + 1
        assert 0 < client.pttl("payferry:budget:stripe") <= 10_500


def storm(url: str, ready: Any, found: Any) -> None:  # noqa: ANN401 - multiprocessing's own types
    """Make calls that all fail, and want each retried: how many retries were allowed goes into `found`."""
    exchange = Exchange(patient(url), say_nothing)
    budgets = RetryBudgets(exchange, {"default": BudgetPolicy(share=0.2, floor_per_second=1.0, window_seconds=60.0)})
    exchange.at_once()
    ready.wait()
    allowed = 0
    for _ in range(500):
        budgets.count("stripe")
        exchange.keep_up()
        allowed += may_retry(budgets)
    exchange.at_once()
    ready.wait()
    allowed += spent(budgets, 300)
    found.put(allowed)


def test_eight_processes_in_a_storm_share_one_budget_and_use_it_up(redis_url: str) -> None:
    context = multiprocessing.get_context("spawn")
    ready, found = context.Barrier(8), context.Queue()
    processes = [context.Process(target=storm, args=(redis_url, ready, found), daemon=True) for _ in range(8)]
    for process in processes:
        process.start()
    allowed = sum(found.get(timeout=60.0) for _ in processes)
    for process in processes:
        process.join(timeout=10.0)
    assert allowed == 0.2 * 8 * 500 + 60
