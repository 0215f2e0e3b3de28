"""An answer that gets lost costs a question, and never a second effect: real gateways, sandbox and ledger."""

import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from payments.event import Event, Kind, Provider
from payments.flows.desk import Desk
from payments.flows.process import process
from payments.flows.reconcile import Capture, check_money
from payments.gateway.client import ClientPolicy
from payments.gateway.result import Charge
from payments.ledger.census import Census
from payments.ledger.database import Database
from payments.ledger.inbox import Inbox
from tests.builders import an_arrival, an_event
from tests.integration.flows.conftest import MakeDesk
from tests.sandbox_process import Sandbox
from workers.sandbox.faults import Verb

IMPATIENT = ClientPolicy(read_timeout_seconds=0.4, total_timeout_seconds=0.4)
"""Far below what a provider takes, so that a thousand lost answers are waited for in seconds."""

THREADS = 40
ATTEMPTS = 4  # as many as there are when an outcome is unknown
CARELESS = {"allow_double_capture": True}
"""Money is taken again by whoever asks again under another key, or does not ask first."""

PREFIXES = {Provider.STRIPE: "pi_", Provider.RAZORPAY: "order_", Provider.PAYPAL: "ORD", Provider.CANONICAL: "pay-"}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    sandbox = Sandbox(tmp_path_factory.mktemp("sandbox"))
    yield sandbox
    sandbox.stop()


class Shop:
    """Payments at real gateways, and what the sandbox says that they came to."""

    def __init__(self, desk: Desk, database: Database, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.database = database
        self._desk = desk
        self._ids: dict[str, int] = {}
        self._after = int(sandbox.http.get("/sandbox/health").json()["effects"])

    def order(self, count: int, providers: Iterable[Provider] = Provider) -> None:
        """Take in `count` payments of each of `providers`."""
        events = [a_request(provider) for provider in providers for _ in range(count)]
        calls = Inbox(self.database).receive([an_arrival(event, offset) for offset, event in enumerate(events)])[1]
        self._ids = {str(event.payment_id): call.inbox_id for event, call in zip(events, calls, strict=True)}

    def go_wrong(self, verbs: Sequence[Verb], **faults: object) -> None:
        """Let these faults befall the requests for these verbs, at careless providers."""
        self.sandbox.put_faults(**{"*": CARELESS | faults | {"only": verbs}})

    def go_well(self) -> None:
        """Let the providers be well, and as careless as before."""
        self.sandbox.put_faults(**{"*": CARELESS})

    def work(self) -> Counter[str]:
        """Work off every payment once, many at a time; return how many are in which state."""
        self.database.run("UPDATE inbox SET due_at = now() WHERE finished_at IS NULL")
        with ThreadPoolExecutor(THREADS) as threads:
            list(threads.map(lambda inbox_id: process(self._desk, inbox_id), self._ids.values()))
        return Counter(Census(self.database).states())

    def work_to_the_end(self) -> Counter[str]:
        """Work until nothing is left, for at most as many attempts as there are."""
        for _ in range(ATTEMPTS):
            states = self.work()
            if set(states) <= {"settled", "declined", "superseded", "dead"}:
                break
        return states

    def done(self, action: str) -> Counter[str]:
        """Return how often the sandbox did `action` for each payment."""
        return Counter(effect["payment_id"] for effect in self._effects() if effect["action"] == action)

    def each_once(self) -> dict[str, int]:
        """Return what `done` returns when all is well."""
        return dict.fromkeys(self._ids, 1)

    def outlast_all_requests(self) -> None:
        """Return when all that is asked of the sandbox now has ended: it takes as long as this last request."""
        other = Charge(payment_id=uuid.uuid4().hex, amount_minor=1, currency="EUR")
        self.sandbox.gateways()[Provider.CANONICAL].void(other, other.payment_id)

    def wrong(self) -> tuple[int, int]:
        """Return the double effects and the money mismatches that `payferry reconcile` would show."""
        captures = (
            Capture(name=f"{effect['provider']}:{effect['payment_id']}", amount_minor=effect["amount_minor"])
            for effect in self._effects()
            if effect["action"] == "capture"
        )
        return check_money(Census(self.database), captures)

    def _effects(self) -> list[dict[str, Any]]:
        asked = {"after": self._after, "limit": 10_000}
        effects: list[dict[str, Any]] = self.sandbox.http.get("/sandbox/effects", params=asked).json()["effects"]
        return effects


def a_request(provider: Provider) -> Event:
    name = PREFIXES[provider] + uuid.uuid4().hex[:16].upper()
    return an_event(f"evt_{name}", Kind.REQUESTED, name, provider=provider)


@pytest.fixture
def shop(running: Sandbox, make_desk: MakeDesk, database: Database) -> Shop:
    running.put_faults()
    return Shop(make_desk(gateways=running.gateways(IMPATIENT)), database, running)


def test_a_thousand_lost_answers_of_captures_are_a_thousand_captures(shop: Shop) -> None:
    shop.order(250)
    shop.go_wrong(["capture"], timeout_after_effect_rate=1)
    assert shop.work() == {"verifying": 1000}
    assert shop.done("capture").total() > 900, "nearly all have taken effect, and nobody knows"
    shop.go_well()
    assert shop.work_to_the_end() == {"settled": 1000}
    assert shop.done("capture") == shop.done("authorize") == shop.each_once()
    assert shop.wrong() == (0, 0)
    assert shop.database.row("SELECT count(*), sum(captured_minor) FROM payments") == (1000, 1_000_000)


@pytest.mark.parametrize("verb", ["authorize", "capture"])
@pytest.mark.parametrize("fault", ["timeout_after_effect_rate", "drop_before_effect_rate"])
def test_whether_or_not_a_lost_call_took_effect_each_payment_does_once(shop: Shop, verb: Verb, fault: str) -> None:
    shop.order(12)
    shop.go_wrong([verb], **{fault: 1})
    assert shop.work() == {"verifying": 48}
    assert (shop.done(verb).total() == 0) is (fault == "drop_before_effect_rate")
    shop.go_well()
    assert shop.work_to_the_end() == {"settled": 48}
    assert shop.done("capture") == shop.done("authorize") == shop.each_once()
    assert shop.wrong() == (0, 0)


def test_while_nobody_answers_the_question_nothing_is_done_again(shop: Shop) -> None:
    shop.order(6)
    shop.go_wrong(["capture"], timeout_after_effect_rate=1)
    shop.work()
    shop.go_wrong(["stand"], drop_before_effect_rate=1)
    assert shop.work() == {"verifying": 24}
    assert shop.done("capture") == shop.each_once()
    shop.go_well()
    assert shop.work_to_the_end() == {"settled": 24}
    assert shop.done("capture") == shop.each_once()
    assert shop.wrong() == (0, 0)


def test_what_cannot_be_found_out_is_buried_with_its_doubt_and_never_taken_back(shop: Shop) -> None:
    shop.order(2)
    shop.go_wrong(["capture"], timeout_after_effect_rate=1)
    shop.work()
    shop.go_wrong(["stand"], drop_before_effect_rate=1)
    assert shop.work_to_the_end() == {"dead": 8}
    assert shop.done("capture") == shop.each_once()
    assert not shop.done("void")
    assert not shop.done("refund")
    assert shop.database.row("SELECT count(*) FROM inbox WHERE saga -> -1 ->> 'mark' = 'started'") == (8,)


def test_an_answer_that_is_lost_every_time_is_found_by_asking(shop: Shop) -> None:
    shop.order(6)
    shop.go_wrong(["capture"], timeout_after_effect_rate=1)
    assert shop.work_to_the_end() == {"settled": 24}
    assert shop.done("capture") == shop.each_once()


def test_what_is_found_done_is_booked_even_when_every_attempt_was_spent_on_dying_workers(shop: Shop) -> None:
    shop.order(1)
    shop.go_wrong(["capture"], timeout_after_effect_rate=1)
    shop.work()
    shop.database.run("UPDATE inbox SET attempts = 50")
    shop.go_well()
    assert shop.work() == {"settled": 4}
    assert shop.wrong() == (0, 0)


@pytest.mark.parametrize(
    ("providers", "faults"),
    [([Provider.STRIPE, Provider.PAYPAL, Provider.CANONICAL], CARELESS), ([Provider.RAZORPAY], {})],
    ids=["the key of the first request is in use", "Razorpay takes no key, and keeps its own rule"],
)
def test_an_effect_that_comes_after_the_question_is_the_only_one(
    shop: Shop, providers: list[Provider], faults: dict[str, object]
) -> None:
    shop.order(8, providers)
    shop.sandbox.put_faults(**{"*": faults | {"latency_ms": 3000, "only": ["capture", "void"]}})
    shop.work()
    assert set(shop.work()) == {"verifying"}
    assert not shop.done("capture"), "it was asked, and asked for, before the first request had ended"
    shop.outlast_all_requests()
    assert shop.done("capture") == shop.each_once(), "what was given up has been done after all"
    shop.go_well()
    assert set(shop.work_to_the_end()) == {"settled"}
    assert shop.done("capture") == shop.each_once()
    assert shop.wrong() == (0, 0)
