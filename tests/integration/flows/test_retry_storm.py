"""A provider that fails every call, and a fleet that tries again at once: what still gets through to it."""

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import count
from typing import Any, cast

import pytest

from payments.event import Kind, Provider
from payments.flows.desk import Desk
from payments.flows.process import process
from payments.gateway.gateway import Gateway
from payments.gateway.result import Answer, Charge
from payments.ledger.database import Database
from payments.ledger.inbox import Inbox
from payments.resilience.exchange import Exchange, connect
from payments.resilience.policy import BreakerPolicy, BudgetPolicy
from tests.builders import an_arrival, an_event
from tests.integration.flows.conftest import LENIENT, PLENTY, MakeDesk, make_guard, policies_with
from tests.sandbox_process import Sandbox

PAYMENTS = 200
PROCESSES = 4  # each with its own line to Redis, as a process has
THREADS = 5  # of each of them
STORM_SECONDS = 5.0
WINDOW_SECONDS = 2.0
BUDGET = BudgetPolicy(share=0.1, floor_per_second=5.0, window_seconds=WINDOW_SECONDS)
LATE_SECONDS = 0.25
"""A call may be made so much later than it was allowed: as many as a window allows may be made in less than it."""


class Counting:
    """A gateway that writes down when it was asked for what."""

    keeps_errors = True

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self.asked: list[tuple[float, str]] = []

    def authorize(self, charge: Charge, idempotency_key: str) -> Answer:
        """Write it down, and ask."""
        self.asked.append((time.monotonic(), charge.payment_id))
        return self._gateway.authorize(charge, idempotency_key)

    def retries(self) -> list[float]:
        """Return when each call was made that was not the first one of its payment."""
        first = dict(reversed([(name, at) for at, name in sorted(self.asked)]))
        return [at for at, name in sorted(self.asked) if at != first[name]]


class Fleet:
    """Processes that share a ledger and a Redis, with payments at a provider that is down."""

    def __init__(self, desks: list[Desk], provider: Counting, database: Database) -> None:
        self.provider = provider
        self.database = database
        self._desks = desks
        events = [an_event(f"evt_{number}", Kind.REQUESTED, f"pi_{number}") for number in range(PAYMENTS)]
        calls = Inbox(database).receive([an_arrival(event, offset) for offset, event in enumerate(events)])[1]
        self._ids = [call.inbox_id for call in calls]

    def work(self) -> None:
        """Let every payment be tried once, now, by all processes together."""
        self.database.run("UPDATE inbox SET due_at = now()")
        with ThreadPoolExecutor(len(self._desks) * THREADS) as threads:
            places = zip(self._ids, (desk for _ in count() for desk in self._desks), strict=False)
            list(threads.map(lambda place: process(place[1], place[0]), places))

    def storm(self, seconds: float) -> int:
        """Let them be tried again and again, as fast as it goes; return how often that was."""
        ends_at, rounds = time.monotonic() + seconds, 0
        while time.monotonic() < ends_at:
            self.work()
            rounds += 1
        return rounds

    def attempts(self) -> int:
        """Return how many attempts all of them have spent."""
        row = self.database.row("SELECT sum(attempts), count(*) FILTER (WHERE state = 'dead') FROM inbox")
        assert row is not None
        assert row[1] == 0, "nothing was given up"
        return int(row[0])


MakeFleet = Callable[[Mapping[str, BreakerPolicy], Mapping[str, BudgetPolicy]], Fleet]


@pytest.fixture(scope="module")
def down(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    sandbox = Sandbox(tmp_path_factory.mktemp("sandbox"))
    sandbox.put_faults(stripe={"outage": True})
    yield sandbox
    sandbox.stop()


@pytest.fixture
def make_fleet(down: Sandbox, redis_url: str, make_desk: MakeDesk, database: Database) -> Iterator[MakeFleet]:
    """Return a maker of fleets that differ in how they protect their provider."""
    provider: Any = Counting(down.gateways()[Provider.STRIPE])
    policies = policies_with(failures__transient__retries=100)  # so that nothing but the guard holds them back
    with ExitStack() as exits:

        def make_one(**protection: Any) -> Desk:  # noqa: ANN401 - what make_guard takes
            exchange = Exchange(exits.enter_context(connect(redis_url)), lambda *_, **__: None)
            guard = make_guard(**protection, exchange=exchange)
            return make_desk(gateways={Provider.STRIPE: provider}, guard=guard, policies=policies)

        def make(breakers: Mapping[str, BreakerPolicy], budgets: Mapping[str, BudgetPolicy]) -> Fleet:
            desks = [make_one(breakers=breakers, budgets=budgets) for _ in range(PROCESSES)]
            return Fleet(desks, cast("Counting", provider), database)

        yield make


def most_within(moments: list[float], seconds: float) -> int:
    """Return the largest number of moments that any such time holds."""
    return max((sum(start <= at < start + seconds for at in moments) for start in moments), default=0)


def test_the_budget_alone_keeps_retries_to_a_share_of_the_calls(make_fleet: MakeFleet) -> None:
    fleet = make_fleet(LENIENT, {"default": BUDGET})
    began = time.monotonic()
    fleet.work()
    assert len(fleet.provider.asked) == PAYMENTS
    rounds = fleet.storm(STORM_SECONDS)
    took_seconds, retries = time.monotonic() - began, fleet.provider.retries()
    floor = BUDGET.floor_per_second
    assert rounds * PAYMENTS > 5 * len(retries), "far more would have been made"
    assert len(retries) <= BUDGET.share * PAYMENTS + floor * (took_seconds + WINDOW_SECONDS)
    assert most_within(retries, WINDOW_SECONDS - LATE_SECONDS) <= BUDGET.share * PAYMENTS + floor * WINDOW_SECONDS
    assert len(retries) > floor * STORM_SECONDS / 2, "and it does not keep them back for ever"
    assert fleet.attempts() == PAYMENTS + len(retries), "what was not tried has spent no attempt"


def test_the_breaker_as_it_comes_stops_a_storm_almost_at_once(make_fleet: MakeFleet) -> None:
    fleet = make_fleet({"default": BreakerPolicy()}, PLENTY)
    fleet.storm(STORM_SECONDS / 2)
    calls = len(fleet.provider.asked)
    at_work = PROCESSES * THREADS
    assert calls <= BreakerPolicy().consecutive_failures * PROCESSES + at_work
    assert fleet.attempts() == calls
    assert fleet.provider.asked[-1][0] - fleet.provider.asked[0][0] < 1.0
