"""Where failures of different places meet: each of these once went wrong, or would have."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast

import httpx
import pytest

from config.policies import told_policies
from config.settings import Settings
from payments.event import Kind, Provider
from payments.failures import (
    BadRequest,
    BrokerUnavailable,
    CircuitOpen,
    DatabaseAway,
    Deadlock,
    Failure,
    OutcomeUnknown,
    ServiceUnavailable,
)
from payments.flows.ending import Buried, Declined, Settled, Waiting
from payments.flows.guard import Guard
from payments.flows.process import process
from payments.gateway.client import Client, ClientPolicy
from payments.gateway.endpoint import Endpoint
from payments.gateway.gateways import build_gateways
from payments.gateway.result import Answer, Charge
from payments.ledger.claims import Claims
from payments.ledger.database import Database, DatabasePolicy
from payments.ledger.inbox import Inbox
from payments.ledger.lanes import Lanes
from payments.ledger.settlements import Settlements
from payments.policy_check import load_policies
from payments.resilience.exchange import Exchange, connect
from payments.resilience.outcome import Outcome
from payments.resilience.policy import BreakerPolicy
from payments.resilience.rate_limit import RateLimits
from payments.resilience.retry_budget import RetryBudgets
from payments.resilience.switchboard import Switchboard
from tests.builders import an_arrival, an_event
from tests.fake_gateway import After, FakeGateway, refusal
from tests.integration.flows.conftest import MakeDesk, make_guard, policies_with

BUSY = ServiceUnavailable("cannot serve now", code="http_503", service="stripe", operation="capture")
LOST = OutcomeUnknown("no answer came in time", code="timeout", service="stripe", operation="capture")
WRONG = BadRequest("wrong", code="http_400", service="stripe", operation="capture", provider_message="No such thing")


class Override:
    """A tool of the desk with one method played otherwise."""

    def __init__(self, target: object, **methods: Callable[..., Any]) -> None:
        self._target = target
        self._methods = methods

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the target has
        return self._methods.get(name) or getattr(self._target, name)


def receive(database: Database, payment_id: str = "p1", kind: Kind = Kind.REQUESTED) -> int:
    [call] = Inbox(database).receive([an_arrival(an_event(f"evt_{payment_id}", kind, payment_id))])[1]
    return call.inbox_id


def make_due(database: Database) -> None:
    database.run("UPDATE inbox SET due_at = now()")


def raising(failure: BaseException) -> Callable[..., Any]:
    def raises(*_args: object, **_kwargs: object) -> Any:  # noqa: ANN401 - never returns
        raise failure

    return raises


def test_an_outage_of_the_database_never_opens_the_breaker_of_a_provider(
    make_desk: MakeDesk, database: Database
) -> None:
    guard = make_guard({"default": BreakerPolicy(consecutive_failures=1)})
    claims = Override(Claims(database), keep=raising(DatabaseAway("no answer", service="database")))
    desk = make_desk(guard=guard, claims=cast("Claims", claims))
    with suppress(DatabaseAway):
        process(desk, receive(database))
    guard.leave("stripe", again=False)  # raises CircuitOpen


def test_an_outage_of_kafka_never_counts_against_the_database(database_url: str) -> None:
    switchboard = Switchboard(
        Exchange(None, lambda *_, **__: None),
        {"default": BreakerPolicy(consecutive_failures=1)},
        lambda *_, **__: None,
    )
    shield = switchboard.breaker("database").call
    policy = DatabasePolicy(pool_size=2, connect_timeout_seconds=3, statement_timeout_ms=9000)
    database = Database(database_url, policy, shield)
    try:
        with suppress(BrokerUnavailable), Lanes(database).shared():
            raise BrokerUnavailable("no broker", service="kafka")
        assert database.row("SELECT 1") == (1,)
    finally:
        database.close()


def test_a_ledger_that_gave_way_does_not_cost_a_payment_its_whole_lease(
    make_desk: MakeDesk, database: Database
) -> None:
    settlements = Override(Settlements(database), book=raising(Deadlock("gave way", service="database")))
    desk = make_desk(settlements=cast("Settlements", settlements))
    inbox_id = receive(database)
    with suppress(Failure):
        process(desk, inbox_id)
    assert desk.claims.state(inbox_id) != "processing"


def test_an_open_breaker_never_buries_a_payment_whose_refund_is_owed(
    make_desk: MakeDesk, database: Database, told: list[tuple[str, dict[str, object]]]
) -> None:
    gateway = FakeGateway(capture=[WRONG], void=[BUSY])
    tripped = {"default": BreakerPolicy(consecutive_failures=1)}
    desk = make_desk(gateways={Provider.STRIPE: gateway}, guard=make_guard(tripped), buries_when_open=True)
    inbox_id = receive(database)
    process(desk, inbox_id)  # authorized, refused, and the void met a 503, which opened the breaker
    make_due(database)
    ending = process(desk, inbox_id)
    assert isinstance(ending, Waiting) or "compensation_failed" in [name for name, _ in told], ending


def test_what_a_decline_takes_back_has_attempts_of_its_own(make_desk: MakeDesk, database: Database) -> None:
    gateway = FakeGateway(capture=[BUSY, BUSY, BUSY, refusal()], void=[BUSY])
    desk = make_desk(gateways={Provider.STRIPE: gateway})
    inbox_id = receive(database)
    for _ in range(5):
        ending = process(desk, inbox_id)
        make_due(database)
    assert desk.claims.state(inbox_id) == "declined", ending


def test_a_payment_that_was_taken_back_is_left_to_a_person_where_the_policy_says_so(
    make_desk: MakeDesk, database: Database
) -> None:
    policies = policies_with(failures__bad_request__ending="manual_review")
    desk = make_desk(gateways={Provider.STRIPE: FakeGateway(capture=[WRONG])}, policies=policies)
    assert process(desk, receive(database)) == Buried("manual_review")


def test_the_dead_letter_of_a_payment_that_was_taken_back_tells_what_the_provider_said(
    make_desk: MakeDesk, database: Database
) -> None:
    desk = make_desk(gateways={Provider.STRIPE: FakeGateway(capture=[WRONG])})
    process(desk, receive(database))
    row = database.row("SELECT failures::TEXT FROM dead_letters")
    assert row is not None
    assert "No such thing" in row[0]


def test_an_authorization_that_somebody_else_made_is_not_ours_to_void(make_desk: MakeDesk, database: Database) -> None:
    gateway = FakeGateway(capture=[WRONG])
    desk = make_desk(gateways={Provider.STRIPE: gateway})
    process(desk, receive(database, kind=Kind.AUTHORIZED))
    assert "void" not in gateway.verbs()


def test_what_is_taken_back_has_a_window_of_its_own(make_desk: MakeDesk, database: Database) -> None:
    limited = CircuitOpen("open", retry_after_seconds=9.0, service="stripe")
    gateway = FakeGateway(capture=[BUSY, WRONG], void=[limited])
    desk = make_desk(gateways={Provider.STRIPE: gateway})
    inbox_id = receive(database)
    process(desk, inbox_id)
    database.run("UPDATE inbox SET due_at = now(), put_off_since = now() - '86401 s'::INTERVAL")
    assert isinstance(process(desk, inbox_id), Waiting)


def test_a_decline_whose_code_is_free_text_tells_nothing_personal() -> None:
    body = {"error": {"code": "BAD_REQUEST_ERROR", "step": "payment_authorization", "reason": "No: jane@example.com"}}
    client = Client(ClientPolicy(), httpx.MockTransport(lambda _request: httpx.Response(400, json=body)))
    endpoint = Endpoint(base_url="http://provider.test/", api_key="id:secret")
    gateway = build_gateways({Provider.RAZORPAY: endpoint}, ClientPolicy(), client)[Provider.RAZORPAY]
    answer = gateway.authorize(Charge(payment_id="order_1", amount_minor=1, currency="INR"), "key")
    assert answer.code is not None
    assert "jane" not in answer.code


SHIPPED = load_policies(told_policies(Settings()))


def test_one_worker_that_cannot_reach_the_ledger_does_not_keep_the_others_from_it(redis_url: str) -> None:
    exchanges = [Exchange(connect(redis_url), lambda *_, **__: None) for _ in range(2)]
    well, lost = (Switchboard(each, SHIPPED.breakers, lambda *_, **__: None).breaker("database") for each in exchanges)
    for exchange, breaker in zip(exchanges, (well, lost), strict=True):
        breaker.before()
        exchange.at_once()
    well.after(well.before(), Outcome.SUCCESS, 0.001)
    exchanges[0].at_once()
    for _ in range(5):
        lost.after(lost.before(), Outcome.FAILURE, 2.9)
        for _ in range(40):
            well.after(well.before(), Outcome.SUCCESS, 0.001)
        for _ in range(7):  # eight threads at once, while the others are well
            lost.after(lost.before(), Outcome.FAILURE, 2.9)
        exchanges[0].at_once()
        exchanges[1].at_once()
    well.before()


def test_a_kafka_that_confirms_late_is_sent_to_all_the_same() -> None:
    now, batches = 0.0, 0
    board = Switchboard(Exchange(None, lambda *_, **__: None), SHIPPED.breakers, lambda *_, **__: None, lambda: now)
    breaker = board.breaker("kafka")
    while now < 1800:
        try:
            with breaker.call():
                now += 2.5
                batches += 1
        except CircuitOpen as refusal:
            now += max(1.0, refusal.retry_after_seconds)
    assert batches > 1800 / 2.5 / 2


def test_what_the_provider_did_is_booked_even_while_the_breaker_of_the_ledger_is_open(
    make_desk: MakeDesk, database: Database, database_url: str
) -> None:
    policy = {"default": BreakerPolicy(consecutive_failures=1, open_seconds=600.0)}
    breaker = Switchboard(Exchange(None, lambda *_, **__: None), policy, lambda *_, **__: None).breaker("database")
    rules = DatabasePolicy(pool_size=2, connect_timeout_seconds=3, statement_timeout_ms=9000)
    shielded = Database(database_url, rules, breaker.call)
    breaker.after(breaker.before(), Outcome.FAILURE, 0.1)
    desk = make_desk(settlements=Settlements(shielded))
    try:
        with pytest.raises(CircuitOpen):
            shielded.row("SELECT 1")
        assert process(desk, receive(database)) == Settled()
    finally:
        shielded.close()


def test_a_void_that_was_done_although_its_last_answer_was_lost_is_found_and_not_cried_out(
    make_desk: MakeDesk, database: Database, told: list[tuple[str, dict[str, object]]]
) -> None:
    policies = policies_with(failures__outcome_unknown__retries=0)
    desk = make_desk(gateways={Provider.STRIPE: FakeGateway(capture=[WRONG], void=[After(LOST)])}, policies=policies)
    assert process(desk, receive(database)) == Buried("http_400")
    assert "compensation_failed" not in [name for name, _ in told]
    assert database.row("SELECT status FROM payments") == ("voided",)


def test_a_payment_in_doubt_waits_for_its_answer_where_the_breaker_opens_at_its_last_attempt(
    make_desk: MakeDesk, database: Database
) -> None:
    policies = policies_with(failures__outcome_unknown__retries=0)
    gateway = FakeGateway(capture=[After(LOST)])
    desk = make_desk(
        gateways={Provider.STRIPE: gateway},
        policies=policies,
        guard=make_guard({"default": BreakerPolicy(consecutive_failures=1)}),
    )
    inbox_id = receive(database)
    assert isinstance(process(desk, inbox_id), Waiting)
    make_due(database)
    assert process(make_desk(gateways={Provider.STRIPE: gateway}), inbox_id) == Settled()
    assert gateway.verbs().count("capture") == 1


def test_a_name_that_was_learned_while_a_doubt_was_settled_is_known_before_the_capture(
    make_desk: MakeDesk, database: Database
) -> None:
    policies = policies_with(failures__outcome_unknown__retries=0)
    gateway = FakeGateway(authorize=[After(LOST)])
    desk = make_desk(gateways={Provider.STRIPE: gateway}, policies=policies)
    assert process(desk, receive(database)) == Settled()
    assert database.row("SELECT ordering_key FROM aliases WHERE alias = 'stripe:auth-p1'") == ("stripe:p1",)


def test_an_optional_part_that_the_ledger_refuses_is_left_out_and_the_rest_is_booked(
    make_desk: MakeDesk, database: Database, own_schema: str, told: list[tuple[str, dict[str, object]]]
) -> None:
    assert own_schema
    database.run("ALTER TABLE declines ADD CHECK (code <> 'insufficient_funds')")
    desk = make_desk(gateways={Provider.STRIPE: FakeGateway(authorize=[refusal()])})
    assert process(desk, receive(database)) == Declined()
    assert ("optional_part_left_out", {"part": "decline", "sqlstate": "23514"}) in told
    assert database.row("SELECT status FROM payments") == ("failed",)
    assert database.row("SELECT count(*) FROM outbox") == (1,)
    assert database.row("SELECT count(*) FROM declines") == (0,)


def test_who_is_dead_begins_a_later_life_with_a_time_of_its_own(make_desk: MakeDesk, database: Database) -> None:
    desk = make_desk(gateways={Provider.STRIPE: FakeGateway(authorize=[BUSY, WRONG])})
    inbox_id = receive(database)
    process(desk, inbox_id)
    make_due(database)
    assert process(desk, inbox_id) == Buried("http_400")
    assert database.row("SELECT put_off_since, waited = '0' FROM inbox") == (None, True)


class KilledError(BaseException):
    """Stands for SIGKILL."""


def test_a_saga_in_doubt_is_verifying_also_after_the_death_of_its_worker(
    make_desk: MakeDesk, database: Database
) -> None:
    desk = make_desk(gateways={Provider.STRIPE: FakeGateway(capture=[KilledError()])})
    with suppress(KilledError):
        process(desk, receive(database))
    database.run("UPDATE inbox SET lease_until = now() - '1 s'::INTERVAL")
    desk.sweeps.free_expired()
    assert database.row("SELECT state FROM inbox") == ("verifying",)


def test_what_an_overtaken_worker_did_at_the_provider_is_told(
    make_desk: MakeDesk, database: Database, told: list[tuple[str, dict[str, object]]]
) -> None:
    class Slow(FakeGateway):
        """Captures only after somebody else has taken the row."""

        def capture(self, charge: Charge, idempotency_key: str) -> Answer:
            database.run("UPDATE inbox SET token = token + 1")
            return super().capture(charge, idempotency_key)

    process(make_desk(gateways={Provider.STRIPE: Slow()}), receive(database))
    assert ("effect_of_overtaken", {"provider": "stripe", "event_id": "evt_p1", "steps": ["capture"]}) in told


def test_a_ledger_that_is_slow_to_write_a_step_down_makes_no_slow_provider(
    make_desk: MakeDesk, database: Database
) -> None:
    now = [0.0]
    claims = Claims(database)

    def slow_keep(*told: Any) -> bool:  # noqa: ANN401 - as Claims.keep takes it
        now[0] += 5.0
        return claims.keep(*told)

    exchange = Exchange(None, lambda *_, **__: None)
    strict = {"default": BreakerPolicy(minimum_volume=1, slow_rate=0.1, slow_call_seconds=1.0)}
    board = Switchboard(exchange, strict, lambda *_, **__: None)
    guard = Guard(board, RateLimits(exchange, {}), RetryBudgets(exchange, {}), lambda: now[0])
    desk = make_desk(guard=guard, claims=cast("Claims", Override(claims, keep=slow_keep)))
    assert process(desk, receive(database)) == Settled()
    assert now[0] >= 10.0
