from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis

from payments.event import Provider
from payments.failures import QueueAway
from payments.flows.dead_letters.desk import ReplayDesk
from payments.flows.dead_letters.drain import follow_closings
from payments.flows.dead_letters.tend import tend
from payments.flows.ending import Waiting
from payments.flows.process import process
from payments.ledger.database import Database
from payments.ledger.dead_letters.actor import Actor
from payments.ledger.dead_letters.choice import Choice
from payments.resilience.exchange import Exchange, connect
from payments.resilience.policy import BreakerPolicy
from payments.resilience.switchboard import Switchboard
from tests.fake_gateway import FakeGateway
from tests.integration.flows.conftest import MakeDesk, make_guard, policies_with
from tests.integration.flows.dead_letters.conftest import MakeReplayDesk
from tests.integration.flows.dead_letters.letters import REFUSED, bury_many, letters, receive, requested

Told = list[tuple[str, dict[str, Any]]]
_ALL = Choice()
POLICIES = {"default": BreakerPolicy(open_seconds=600.0, open_cap_seconds=600.0)}


@pytest.fixture
def switchboard(redis_url: str) -> Iterator[Switchboard]:
    """The fleet's breakers, in Redis."""
    client = connect(redis_url)
    yield Switchboard(Exchange(client, lambda *_, **__: None), POLICIES, lambda *_, **__: None)
    client.close()


@pytest.fixture
def close(switchboard: Switchboard) -> Callable[[], None]:
    """Return what opens Stripe's breaker and closes it again."""

    def close() -> None:
        switchboard.trip("stripe")
        switchboard.reset("stripe")

    return close


def named(told: Told, name: str) -> list[dict[str, Any]]:
    return [fields for each, fields in told if each == name]


def test_what_a_breaker_has_buried_is_drained_by_a_job_once_it_closes(
    make_desk: MakeDesk, replayer: ReplayDesk, database: Database, close: Callable[[], None], started: Told
) -> None:
    bury_many(make_desk, database, requested("p1"), requested("p2", provider=Provider.PAYPAL))
    assert follow_closings(replayer) == 0
    close()
    assert follow_closings(replayer) == 1
    [job] = replayer.jobs.latest()
    assert (job.made_by, job.total, started) == ("breaker", 1, [(job.id, 0.0)])


def test_each_closing_is_followed_once_by_whoever_sees_it_first(
    make_desk: MakeDesk, make_replay_desk: MakeReplayDesk, database: Database, close: Callable[[], None]
) -> None:
    bury_many(make_desk, database, requested("p1"))
    close()
    assert [follow_closings(make_replay_desk()) for _ in range(3)] == [1, 0, 0]
    close()
    assert [follow_closings(make_replay_desk()) for _ in range(3)] == [1, 0, 0]


def test_what_waits_for_the_breaker_comes_back_at_the_velocity(
    make_desk: MakeDesk, make_replay_desk: MakeReplayDesk, database: Database, close: Callable[[], None]
) -> None:
    guard = make_guard()
    breaker: Any = guard._switchboard.breaker("stripe").side  # noqa: SLF001 - to open it
    breaker.isolate()
    desk = make_desk(guard=guard)
    for inbox_id in receive(database, *(requested(f"p{number}") for number in range(5))):
        assert isinstance(process(desk, inbox_id), Waiting)
    assert database.row("SELECT count(*) FROM inbox WHERE due_at > now() + '10 s'") == (5,)
    close()
    follow_closings(make_replay_desk(policies=policies_with(replay_velocities__stripe__per_second=2)))
    gaps = database.rows("SELECT extract(epoch FROM due_at - min(due_at) OVER ())::FLOAT8 FROM inbox ORDER BY id")
    assert [round(gap[0], 3) for gap in gaps] == [0.0, 0.5, 1.0, 1.5, 2.0]
    assert database.row("SELECT min(due_at) <= now(), min(waited) >= '0' FROM inbox") == (True, True)


def test_what_is_parked_or_permanent_stays_when_a_breaker_closes(
    make_desk: MakeDesk, replayer: ReplayDesk, database: Database, close: Callable[[], None]
) -> None:
    desk = make_desk(gateways={Provider.STRIPE: FakeGateway(authorize=[REFUSED])})
    process(desk, receive(database, requested())[0])
    close()
    assert follow_closings(replayer) == 1
    assert replayer.jobs.latest() == []


def test_a_paused_replay_drains_no_dead_letters(
    make_desk: MakeDesk, replayer: ReplayDesk, database: Database, close: Callable[[], None]
) -> None:
    bury_many(make_desk, database, requested("p1"))
    replayer.switch.turn(Actor("jo@desk"), is_paused=True)
    close()
    assert follow_closings(replayer) == 1
    assert replayer.jobs.latest() == []


def test_without_redis_nothing_can_be_followed(make_replay_desk: MakeReplayDesk) -> None:
    alone = Switchboard(Exchange(None, lambda *_, **__: None), POLICIES, lambda *_, **__: None)
    with pytest.raises(QueueAway):
        follow_closings(make_replay_desk(switchboard=alone))


def test_a_critical_letter_is_told_of_once_and_without_personal_data(
    make_desk: MakeDesk, replayer: ReplayDesk, database: Database, told: Told
) -> None:
    dear = requested("p1", amount_minor=1_000_001, metadata={"email": "jo@example.com"})
    bury_many(make_desk, database, dear, requested("p2", amount_minor=1_000_000))
    tend(replayer)
    tend(replayer)
    [alarm] = named(told, "dead_letter_critical")
    assert (alarm["criticality"], alarm["provider"], alarm["payment_id"]) == ("amount_over_limit", "stripe", "p1")
    assert "example.com" not in str(alarm)


def test_a_yen_amount_is_measured_in_yen(make_desk: MakeDesk, database: Database) -> None:
    bury_many(make_desk, database, requested("p1", amount_minor=10_001, currency="JPY"))
    assert letters(database, "criticality") == [("amount_over_limit",)]


def test_a_job_that_nobody_works_on_is_started_again(
    make_desk: MakeDesk, replayer: ReplayDesk, database: Database, started: Told
) -> None:
    bury_many(make_desk, database, requested("p1"))
    bury_many(make_desk, database, requested("p2"))
    job = replayer.jobs.make(choice=_ALL, actor=Actor("jo@desk"))
    assert job is not None
    database.run("UPDATE replay_jobs SET lease_until = now() - '1 min'::INTERVAL")
    tend(replayer)
    assert started == [(job.id, 0.0)]


def test_alarms_are_raised_while_redis_is_away(
    make_desk: MakeDesk, make_replay_desk: MakeReplayDesk, database: Database, told: Told
) -> None:
    bury_many(make_desk, database, requested("p1", amount_minor=9_000_000))
    alone = Switchboard(Exchange(None, lambda *_, **__: None), POLICIES, lambda *_, **__: None)
    tend(make_replay_desk(switchboard=alone))
    assert len(named(told, "dead_letter_critical")) == 1


def test_a_redis_that_was_wiped_is_no_closing(
    make_desk: MakeDesk, replayer: ReplayDesk, database: Database, close: Callable[[], None], redis_url: str
) -> None:
    bury_many(make_desk, database, requested("p1"))
    close()
    assert follow_closings(replayer) == 1
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
    assert follow_closings(replayer) == 0
