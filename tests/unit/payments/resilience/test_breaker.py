import pytest

from payments import failures
from payments.failures import CircuitOpen, Failure
from payments.resilience.breaker import Breaker
from payments.resilience.exchange import Exchange
from payments.resilience.outcome import Outcome, outcome_of
from payments.resilience.policy import BreakerPolicy
from payments.resilience.switchboard import Switchboard

POLICY = BreakerPolicy(consecutive_failures=3, minimum_volume=10, slow_call_seconds=1.0)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    def nothing(*_: object, **__: object) -> None: ...

    return Switchboard(Exchange(None, nothing), {"default": POLICY}, nothing, clock).breaker("stripe")


# how a call counts


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        (failures.ServerError, Outcome.FAILURE),
        (failures.AnswerTimeout, Outcome.FAILURE),
        (failures.ConnectionRefused, Outcome.FAILURE),
        (failures.ServiceUnavailable, Outcome.FAILURE),
        (failures.CardDeclined, Outcome.SUCCESS),
        (failures.InsufficientFunds, Outcome.SUCCESS),
        (failures.BadRequest, Outcome.SUCCESS),
        (failures.Unauthorized, Outcome.SUCCESS),
        (failures.NotFound, Outcome.SUCCESS),
        (failures.CapturedOtherAmount, Outcome.SUCCESS),
        (failures.MessageTooLarge, Outcome.SUCCESS),
        (failures.RuleBroken, Outcome.EXCLUDED),
        (failures.Conflict, Outcome.EXCLUDED),
        (failures.Undecided, Outcome.EXCLUDED),
        (failures.Unexpected, Outcome.EXCLUDED),
        (failures.OutOfMemory, Outcome.EXCLUDED),
    ],
)
def test_what_blames_the_other_end_counts_and_what_it_says_no_to_does_not(
    kind: type[Failure], outcome: Outcome
) -> None:
    assert outcome_of(kind("so it is"), "payferry") is outcome


@pytest.mark.parametrize(
    "kind", [failures.RateLimited, failures.RateExceeded, failures.CircuitOpen, failures.BudgetSpent]
)
def test_what_was_put_off_says_nothing_about_the_other_end(kind: type[failures.Postponed]) -> None:
    assert outcome_of(kind("later", retry_after_seconds=1.0), "payferry") is Outcome.EXCLUDED


def test_no_failure_is_a_success_and_a_bug_of_ours_is_excluded() -> None:
    assert outcome_of(None, "payferry") is Outcome.SUCCESS
    assert outcome_of(ZeroDivisionError(), "payferry") is Outcome.EXCLUDED
    assert outcome_of(KeyboardInterrupt(), "payferry") is Outcome.EXCLUDED


def test_every_failure_that_blames_the_other_end_counts_against_it() -> None:
    blaming = [kind for kind in failures.kinds().values() if kind.blames_dependency]
    assert blaming
    assert all(outcome_of(kind("so it is"), "payferry") is Outcome.FAILURE for kind in blaming)


# around a block


def test_a_block_that_fails_three_times_is_not_entered_again(breaker: Breaker) -> None:
    for _ in range(3):
        with pytest.raises(failures.ServerError), breaker.call():
            raise failures.ServerError("500", service="stripe")
    with pytest.raises(CircuitOpen) as refused, breaker.call():
        pytest.fail("entered")
    assert refused.value.service == "stripe"
    assert refused.value.retry_after_seconds == pytest.approx(30)


def test_a_declined_card_never_opens_the_breaker(breaker: Breaker) -> None:
    for _ in range(100):
        with pytest.raises(failures.CardDeclined), breaker.call():
            raise failures.CardDeclined("no")
    with breaker.call():
        pass


@pytest.mark.parametrize(("seconds", "lets_through"), [(1.0, True), (1.01, False)])
def test_a_block_is_timed_so_that_slow_ones_count(
    clock: Clock, breaker: Breaker, seconds: float, *, lets_through: bool
) -> None:
    for _ in range(10):
        with breaker.call():
            clock.now += seconds
    try:
        breaker.before()
    except CircuitOpen:
        assert not lets_through
    else:
        assert lets_through
