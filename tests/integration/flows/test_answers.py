"""What a worker does about each kind of failure, by the policies that we come with, on a real ledger."""

import pytest

from config.policies import told_policies
from config.settings import Settings
from payments import failures
from payments.event import Kind, Provider
from payments.failures import Failure, Postponed, Undecodable
from payments.flows.ending import Buried, Ending, RetryLater, Waiting
from payments.flows.process import process
from payments.ledger.database import Database
from payments.ledger.inbox import Inbox
from payments.policy_check import load_policies
from tests.builders import an_arrival, an_event
from tests.failure_answers import ANSWERS, PAUSE_SECONDS
from tests.fake_gateway import FakeGateway
from tests.integration.flows.conftest import MakeDesk

OF_THE_TREE = {name: kind for name, kind in failures.kinds().items() if kind.__module__ == failures.__name__}


def one_of(kind: type[Failure]) -> Failure:
    if kind is Undecodable:
        return Undecodable("$.id", "missing")
    if issubclass(kind, Postponed):
        return kind("not now", retry_after_seconds=PAUSE_SECONDS, service="canonical")
    return kind("it went wrong", service="canonical", operation="authorize")


def first_word(ending: Ending) -> str:
    return {RetryLater: "retry", Waiting: "wait", Buried: "bury"}[type(ending)]


def test_every_kind_of_failure_has_its_line_in_the_table() -> None:
    assert ANSWERS.keys() == OF_THE_TREE.keys()


@pytest.mark.parametrize("name", ANSWERS)
def test_a_failure_is_answered_with_its_delay_and_its_end(make_desk: MakeDesk, database: Database, name: str) -> None:
    expected = ANSWERS[name]
    failure = one_of(OF_THE_TREE[name])
    gateway = FakeGateway(authorize=[failure] * 9)
    desk = make_desk(gateways={Provider.CANONICAL: gateway}, policies=load_policies(told_policies(Settings())))
    event = an_event(kind=Kind.REQUESTED, provider=Provider.CANONICAL)
    [call] = Inbox(database).receive([an_arrival(event)])[1]
    endings: list[Ending] = []
    for _ in range(6):
        endings.append(process(desk, call.inbox_id))
        database.run("UPDATE inbox SET due_at = now()")
        if isinstance(endings[-1], Buried):
            break
    assert first_word(endings[0]) == expected.first
    if isinstance(endings[0], RetryLater | Waiting):
        assert expected.least_seconds <= endings[0].delay_seconds <= expected.most_seconds
    if expected.end is None:
        assert {type(ending) for ending in endings} == {Waiting}
        assert database.row("SELECT attempts, failures FROM inbox") == (0, [])
    else:
        assert endings[-1] == Buried(failure.code if expected.end == "code" else expected.end)
        assert gateway.verbs().count("authorize") == expected.tries


def test_what_waits_is_given_up_after_its_window(make_desk: MakeDesk, database: Database) -> None:
    gateway = FakeGateway(authorize=[one_of(failures.RateLimited)] * 2)
    desk = make_desk(gateways={Provider.STRIPE: gateway})
    [call] = Inbox(database).receive([an_arrival(an_event(kind=Kind.REQUESTED))])[1]
    assert isinstance(process(desk, call.inbox_id), Waiting)
    database.run("UPDATE inbox SET due_at = now(), put_off_since = now() - '86401 s'::INTERVAL")
    assert process(desk, call.inbox_id) == Buried("rate_exceeded")  # the whole fleet keeps the provider's pause


def test_a_failure_is_written_down_with_all_that_is_known_of_it(make_desk: MakeDesk, database: Database) -> None:
    told = failures.BadRequest(
        "status 400", code="parameter_missing", service="stripe", operation="authorize", provider_message="Missing: x"
    )
    desk = make_desk(gateways={Provider.STRIPE: FakeGateway(authorize=[told])})
    [call] = Inbox(database).receive([an_arrival(an_event("evt_9", Kind.REQUESTED))])[1]
    process(desk, call.inbox_id)
    row = database.row("SELECT failures -> 0 FROM dead_letters")
    assert row is not None
    assert row[0].pop("at")
    assert row[0] == {
        "attempt": 1,
        "kind": "bad_request",
        "code": "parameter_missing",
        "service": "stripe",
        "operation": "authorize",
        "message": "status 400",
        "provider_message": "Missing: x",
        "correlation_id": "evt_9",
    }
