"""A worker's desk on a real ledger, with a provider that is played by a list and a queue that writes down."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import pytest

from config.policies import Leaf, told_policies
from config.settings import Settings
from payments.event import Provider
from payments.failures import QueueAway
from payments.flows.dead_letters.burying import BurialPolicy
from payments.flows.desk import Desk, WorkPolicy
from payments.flows.guard import Guard
from payments.ledger.claims import Claims
from payments.ledger.database import Database
from payments.ledger.dead_letters.burial import ReplayDelays
from payments.ledger.settlements import Settlements
from payments.ledger.sweeps import Sweeps
from payments.policies import Policies
from payments.policy_check import load_policies
from payments.queue.wakeups import Call, Wakeups
from payments.resilience.exchange import Exchange
from payments.resilience.policy import BreakerPolicy, BudgetPolicy, RatePolicy
from payments.resilience.rate_limit import RateLimits
from payments.resilience.retry_budget import RetryBudgets
from payments.resilience.switchboard import Switchboard
from tests.fake_gateway import FakeGateway

POLICY: dict[str, Any] = {
    "lease_seconds": 60.0,
    "line_seconds": 30.0,
    "longest_countdown_seconds": 300.0,
    "longest_wait_seconds": 5.0,
    "buries_when_open": False,
    "out_of_order_wait_seconds": 5.0,
    "out_of_order_window_seconds": 30.0,
    "sweep_interval_seconds": 1.0,
    "sweep_grace_seconds": 2.0,
    "sweep_batch_size": 5000,
}
BURIALS = BurialPolicy(delays=ReplayDelays(base_seconds=60.0, factor=5.0, cap_seconds=3600.0), critical_amount=10_000.0)
TOLD = told_policies(Settings()) | {
    ("failures", "transient", "base_seconds"): Leaf(10.0, "these tests"),
    ("failures", "unknown", "base_seconds"): Leaf(10.0, "these tests"),
}
"""The policies that we come with, and delays that no test reaches by chance."""

LENIENT = {"default": BreakerPolicy(consecutive_failures=1000, minimum_volume=1000)}
PLENTY = {"default": BudgetPolicy(share=1.0, floor_per_second=1000.0)}

MakeDesk = Callable[..., Desk]


class Queue:
    """Takes wake-ups in place of Redis; while `away` it says so."""

    def __init__(self) -> None:
        self.sent: list[tuple[int, float | None]] = []
        self.away = False

    def send(self, calls: Sequence[Call], delay_seconds: float | None = None) -> None:
        if calls and self.away:
            raise QueueAway("Redis does not answer", code="queue_away", service="redis")
        self.sent += [(call.inbox_id, delay_seconds) for call in calls]


def make_guard(
    breakers: Mapping[str, BreakerPolicy] = LENIENT,
    limits: Mapping[str, RatePolicy] | None = None,
    budgets: Mapping[str, BudgetPolicy] = PLENTY,
    exchange: Exchange | None = None,
) -> Guard:
    """Return a guard of this process alone, which stands in nobody's way unless it is told to."""
    shared = exchange or Exchange(None, lambda *_, **__: None)
    switchboard = Switchboard(shared, breakers, lambda *_, **__: None)
    return Guard(switchboard, RateLimits(shared, limits or {}), RetryBudgets(shared, budgets))


def policies_with(**told: object) -> Policies:
    """Return our policies with other values, such as `failures__refused__compensate=False`."""
    changed = {tuple(name.split("__")): Leaf(value, "this test") for name, value in told.items()}
    return load_policies(TOLD | changed)


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> str:
    name = "own_schema" if "own_schema" in request.fixturenames else "emptied_database_url"
    return str(request.getfixturevalue(name))


@pytest.fixture
def queue() -> Queue:
    return Queue()


@pytest.fixture
def gateway() -> FakeGateway:
    return FakeGateway()


@pytest.fixture
def told() -> list[tuple[str, dict[str, object]]]:
    """Return every log event that was told, with its fields."""
    return []


@pytest.fixture
def make_desk(
    database: Database, gateway: FakeGateway, queue: Queue, told: list[tuple[str, dict[str, object]]]
) -> MakeDesk:
    """Return a maker of desks that differ in a tool or a rule."""

    def make(**other: Any) -> Desk:  # noqa: ANN401 - any tool or rule
        rules = POLICY | {name: other.pop(name) for name in list(other) if name in POLICY}
        tools: dict[str, Any] = {
            "claims": Claims(database),
            "settlements": Settlements(database),
            "sweeps": Sweeps(database),
            "wakeups": cast("Wakeups", queue),
            "guard": make_guard(),
            "policies": load_policies(TOLD),
            "gateways": dict.fromkeys(Provider, gateway),
            "tell": lambda name, **fields: told.append((name, fields)),
            "burials": BURIALS,
        }
        return Desk(
            **(tools | other),
            policy=WorkPolicy(**rules),
            events_topic="payments.events",
        )

    return make


@pytest.fixture
def desk(make_desk: MakeDesk) -> Desk:
    return make_desk()
