import msgspec
import pytest

from payments.failures import CircuitOpen, QueueAway
from payments.resilience.exchange import Exchange
from payments.resilience.outcome import Outcome
from payments.resilience.policy import BreakerPolicy
from payments.resilience.switchboard import Switchboard

POLICY = BreakerPolicy(consecutive_failures=3)


class Log:
    def __init__(self) -> None:
        self.told: list[tuple[str, dict[str, object]]] = []

    def __call__(self, name: str, **fields: object) -> None:
        self.told.append((name, fields))


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def board(log: Log) -> Switchboard:
    """A switchboard without Redis."""
    policies = {"default": POLICY, "paypal": msgspec.structs.replace(POLICY, consecutive_failures=1)}
    return Switchboard(Exchange(None, log), policies, log)


def _fail(board: Switchboard, name: str, times: int) -> None:
    for _ in range(times):
        board.breaker(name).after(board.breaker(name).before(), Outcome.FAILURE, 0.01)


def test_a_name_always_gets_the_same_breaker(board: Switchboard) -> None:
    assert board.breaker("stripe") is board.breaker("stripe")
    assert board.local("stripe") is board.local("stripe")
    assert board.local("stripe") is not board.breaker("stripe")
    assert board.breaker("stripe").name == "stripe"


def test_each_name_has_its_own_rules_or_else_those_of_all(board: Switchboard) -> None:
    _fail(board, "paypal", 1)
    _fail(board, "stripe", 2)
    board.breaker("stripe").before()
    with pytest.raises(CircuitOpen):
        board.breaker("paypal").before()


def test_one_breaker_does_not_open_another(board: Switchboard) -> None:
    _fail(board, "stripe", 3)
    board.breaker("razorpay").before()


def test_a_change_is_logged_with_its_name_and_reason(board: Switchboard, log: Log) -> None:
    _fail(board, "stripe", 3)
    [(name, fields)] = log.told
    assert name == "breaker_opened"
    assert (fields["breaker"], fields["was"], fields["reason"]) == ("stripe", "closed", "consecutive_failures")
    assert fields["shared"] is False


@pytest.mark.parametrize("order", [Switchboard.trip, Switchboard.reset, Switchboard.isolate])
def test_no_order_is_given_to_a_fleet_out_of_reach(board: Switchboard, order: object) -> None:
    with pytest.raises(QueueAway):
        order(board, "stripe")  # type: ignore[operator]  # one of the three
    with pytest.raises(QueueAway):
        board.shown()


def test_there_must_be_a_policy_for_names_that_have_none() -> None:
    with pytest.raises(AssertionError):
        Switchboard(Exchange(None, Log()), {"stripe": POLICY}, Log())
