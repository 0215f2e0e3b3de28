"""The bridge between Kafka and a ledger; the same on the mock and on a cluster that loses a broker."""

import time
from collections.abc import Sequence
from functools import partial
from itertools import count
from statistics import median

import pytest
import redis

from config.settings import Settings
from payments.envelope import Record
from payments.failures import OffsetLost
from payments.ledger.schema import migrate
from payments.streams.consumer import StreamConsumer
from tests.builders import a_message
from tests.integration.kafka import PARTITIONS, Brokers
from tests.integration.streams.bridges import Bridges, Member
from tests.integration.streams.conftest import Configure
from tests.integration.streams.inbound import Inbound
from workers.bridge import BridgePolicy
from workers.embedded.postgres import Postgres
from workers.embedded.valkey import Valkey

pytestmark = pytest.mark.timeout(240)  # a broker may die in any of them

BAD = b'{"id": "no", "status": "paid"'


def messages(prefix: str, how_many: int) -> list[tuple[bytes, bytes]]:
    """Return that many distinct payments, keyed over all partitions."""
    return [(f"{prefix}-{n}".encode(), a_message(f"{prefix}-{n}")) for n in range(how_many)]


def committed_is_stored(kafka: Brokers, settings: Settings, inbound: Inbound) -> bool:
    """Say whether every record below the committed offsets is stored: the promise of the bridge."""
    places = inbound.places()
    committed = kafka.committed(settings.kafka.topic, settings.kafka.group_id)
    return all(set(range(offset)) <= places.get(number, set()) for number, offset in committed.items())


def committed(kafka: Brokers, settings: Settings) -> int:
    """Return how many records the group has committed."""
    return sum(kafka.committed(settings.kafka.topic, settings.kafka.group_id).values())


class Died(BaseException):
    """Stands for SIGKILL: nothing in the bridge catches it."""


class DiesBeforeCommit(StreamConsumer):
    """A consumer whose process ends between the store and the commit."""

    def commit(self, records: Sequence[Record]) -> None:
        raise Died(len(records))


def test_every_record_is_in_the_inbox_or_in_the_dead_letters(
    kafka: Brokers, settings: Settings, bridges: Bridges, inbound: Inbound
) -> None:
    kafka.produce(settings.kafka.topic, [*messages("p", 200), (b"bad", BAD), (b"bad", b""), (b"bad", b"\xff\x00")])
    member = bridges.join(settings)
    bridges.turn_until(lambda: inbound.count() == 203, what="all records are stored")
    assert len(set(inbound.events())) == 200
    assert sorted(inbound.buried()) == sorted([BAD, b"", b"\xff\x00"])
    bridges.turn_until(lambda: committed(kafka, settings) == 203, what="their offsets are committed")
    assert committed_is_stored(kafka, settings, inbound)
    assert member.told.of("bridge_paused") == []


def test_a_payment_told_twice_is_one_event(
    kafka: Brokers, settings: Settings, bridges: Bridges, inbound: Inbound
) -> None:
    kafka.produce(settings.kafka.topic, messages("p", 20) * 2)
    bridges.join(settings)
    bridges.turn_until(lambda: committed(kafka, settings) == 40, what="both deliveries are committed")
    assert len(inbound.events()) == 20
    assert inbound.buried() == []


def test_events_of_one_payment_stay_in_their_order(
    kafka: Brokers, settings: Settings, bridges: Bridges, inbound: Inbound
) -> None:
    steps = ("pending", "authorized", "paid")
    kafka.produce(
        settings.kafka.topic, [(b"p-%d" % n, a_message(f"p-{n}", status)) for status in steps for n in range(30)]
    )
    bridges.join(settings)
    bridges.turn_until(lambda: inbound.count() == 90, what="all records are stored")
    kinds: dict[str, list[str]] = {}
    for payment, kind in inbound.kinds():
        kinds.setdefault(payment, []).append(kind)
    assert set(map(tuple, kinds.values())) == {("requested", "authorized", "captured")}


def test_a_lone_message_is_stored_within_a_second(
    kafka: Brokers, settings: Settings, bridges: Bridges, inbound: Inbound
) -> None:
    member = bridges.join(settings)
    bridges.turn_until(lambda: len(member.partitions) == PARTITIONS, what="the group is formed")
    took_seconds = []
    for message in messages("lone", 5):
        before = inbound.count()
        kafka.produce(settings.kafka.topic, [message])
        sent = time.monotonic()
        bridges.turn_until(partial(_has_grown, inbound, before), what="the message is stored")
        took_seconds.append(time.monotonic() - sent)
    assert median(took_seconds) < 1.0, "the median: one of the five may meet a broker that dies"


def _has_grown(inbound: Inbound, before: int) -> bool:
    return inbound.count() > before


def test_a_bridge_that_dies_between_store_and_commit_loses_and_doubles_nothing(
    kafka: Brokers, settings: Settings, bridges: Bridges, inbound: Inbound
) -> None:
    kafka.produce(settings.kafka.topic, [*messages("p", 120), (b"bad", BAD)])
    doomed = bridges.join(settings, consumer=DiesBeforeCommit)
    with pytest.raises(Died):
        bridges.turn_until(lambda: False, doomed, what="it dies at its first commit")
    doomed.leave()
    stored = inbound.count()
    assert stored > 0
    assert committed(kafka, settings) == 0
    successor = bridges.join(settings)
    bridges.turn_until(lambda: committed(kafka, settings) == 121, successor, what="the successor has read all")
    assert sorted(inbound.events()) == sorted(set(inbound.events()))
    assert len(inbound.events()) == 120
    assert inbound.buried() == [BAD]


def test_a_third_bridge_that_leaves_causes_no_loss(
    kafka: Brokers, settings: Settings, bridges: Bridges, inbound: Inbound
) -> None:
    first, second, third = (bridges.join(settings) for _ in range(3))
    bridges.turn_until(
        lambda: all(member.partitions for member in (first, second, third)), what="each has partitions of its own"
    )
    kafka.produce(settings.kafka.topic, messages("before", 100))
    bridges.turn_until(lambda: inbound.count() >= 30, what="they are at work")
    third.leave()
    kafka.produce(settings.kafka.topic, messages("after", 100))
    bridges.turn_until(lambda: inbound.count() == 200, first, second, what="all records are stored")
    bridges.turn_until(lambda: committed(kafka, settings) == 200, first, second, what="and committed")
    assert len(set(inbound.events())) == 200
    assert first.partitions | second.partitions == set(range(PARTITIONS))
    assert first.partitions & second.partitions == set()


def test_a_bridge_without_postgresql_pauses_keeps_its_place_and_goes_on(
    kafka: Brokers, configure: Configure, bridges: Bridges, redis_url: str
) -> None:
    with Postgres() as server:
        migrate(server.url)
        settings = configure(DATABASE_URL=server.url, CELERY_BROKER_URL=redis_url)
        inbound = Inbound(server.url)
        first, second = bridges.join(settings), bridges.join(settings)
        bridges.turn_until(lambda: len(first.partitions) == len(second.partitions) == 2, what="they share the topic")
        kafka.produce(settings.kafka.topic, messages("before", 20))
        bridges.turn_until(lambda: committed(kafka, settings) == 20, what="the first records are stored")
        server.kill()
        kafka.produce(settings.kafka.topic, messages("meanwhile", 40))
        bridges.turn_until(lambda: _are_paused(first, second), what="both have paused")
        seen = (len(first.told.events), len(second.told.events))
        _turn_for_longer_than_the_session(bridges, settings)
        assert _moves(first, seen[0]) == _moves(second, seen[1]) == [], "nobody was thrown out of the group"
        assert committed(kafka, settings) == 20
        server.start()
        bridges.turn_until(lambda: inbound.count() == 60, what="they go on")
        bridges.turn_until(lambda: committed(kafka, settings) == 60, what="and commit")
        assert len(first.told.of("bridge_resumed")) == len(second.told.of("bridge_resumed")) == 1
        bridges.close()


def _are_paused(*members: Member) -> bool:
    return all({"reason": "database away"} in member.told.of("bridge_paused") for member in members)


def _moves(member: Member, since: int) -> list[str]:
    names = ("bridge_partitions_assigned", "bridge_partitions_revoked", "bridge_partitions_lost")
    return [name for name, _ in member.told.events[since:] if name in names]


def _turn_for_longer_than_the_session(bridges: Bridges, settings: Settings) -> None:
    """A member that did not send heartbeats would be replaced by then."""
    until = time.monotonic() + settings.kafka.session_timeout_ms / 1000 * 1.3
    bridges.turn_until(lambda: time.monotonic() > until, what="the session timeout passes")


def test_without_redis_events_reach_the_inbox_and_offsets_are_committed(
    kafka: Brokers, configure: Configure, bridges: Bridges, database_url: str, inbound: Inbound
) -> None:
    with Valkey() as server:
        settings = configure(DATABASE_URL=database_url, CELERY_BROKER_URL=server.url)
        member = bridges.join(settings)
        kafka.produce(settings.kafka.topic, messages("before", 10))
        bridges.turn_until(lambda: committed(kafka, settings) == 10, what="the first records are stored")
        with redis.Redis.from_url(server.url) as client:
            assert client.llen("payments.canonical") == 10
        server.kill()
        kafka.produce(settings.kafka.topic, messages("meanwhile", 50))
        bridges.turn_until(lambda: committed(kafka, settings) == 60, what="the others are, too")
        assert inbound.count() == 60
        assert member.told.of("wakeups_unsent")
        assert member.told.of("bridge_paused") == []


def test_above_the_high_water_mark_it_pauses_and_below_the_low_one_it_goes_on(
    kafka: Brokers, settings: Settings, bridges: Bridges, inbound: Inbound
) -> None:
    kafka.produce(settings.kafka.topic, messages("p", 100))
    marks = BridgePolicy(batch_size=10, high_water_mark=30, low_water_mark=10)
    member = bridges.join(settings, marks, clock=count(step=2).__next__)  # so that it counts at every turn
    bridges.turn_until(lambda: member.told.of("bridge_paused"), what="it pauses")
    assert member.told.of("bridge_paused") == [{"reason": "high-water mark"}]
    stored = inbound.count()
    assert 30 <= stored <= 40
    inbound.finish(stored - 20)
    _turns(member, 5)
    assert inbound.count() == stored, "between the marks it stays paused"
    inbound.finish(10)
    bridges.turn_until(lambda: member.told.of("bridge_resumed"), what="it goes on")
    bridges.turn_until(lambda: _finish_all(inbound) == 100, what="all records are stored")
    assert member.partitions == set(range(PARTITIONS))


def _turns(member: Member, how_many: int) -> None:
    for _ in range(how_many):
        member.bridge.turn()


def _finish_all(inbound: Inbound) -> int:
    inbound.finish(100)
    return inbound.count()


@pytest.mark.parametrize(("where", "expected"), [("earliest", {"old", "new"}), ("latest", {"new"})])
def test_a_new_group_starts_where_the_settings_say(
    kafka: Brokers, settings: Settings, configure: Configure, bridges: Bridges, inbound: Inbound,
    where: str, expected: set[str],
) -> None:  # fmt: skip  # one fixture a line says nothing
    kafka.produce(settings.kafka.topic, messages("old", 8))
    member = bridges.join(configure(KAFKA_AUTO_OFFSET_RESET=where))
    bridges.turn_until(lambda: len(member.partitions) == PARTITIONS, what="the group is formed")
    _turns(member, 2)  # the end of each partition is asked for before anything new comes
    kafka.produce(settings.kafka.topic, messages("new", 8))
    wanted = 8 * len(expected)
    bridges.turn_until(lambda: inbound.count() == wanted, what="what it should read is stored")
    assert {event.partition("-")[0] for event in inbound.events()} == expected


def test_a_lost_offset_is_an_error_that_names_the_way_out(
    kafka: Brokers, settings: Settings, bridges: Bridges, inbound: Inbound
) -> None:
    kafka.produce(settings.kafka.topic, messages("p", 40))
    kafka.commit(settings.kafka.topic, settings.kafka.group_id, dict.fromkeys(range(PARTITIONS), 5000))
    member = bridges.join(settings)
    with pytest.raises(OffsetLost, match="KAFKA_ON_LOST_OFFSET=earliest"):
        bridges.turn_until(lambda: False, member, what="it stops")
    assert inbound.count() == 0


def test_a_lost_offset_goes_on_from_the_earliest_where_told_to(
    kafka: Brokers, settings: Settings, configure: Configure, bridges: Bridges, inbound: Inbound
) -> None:
    kafka.produce(settings.kafka.topic, messages("p", 40))
    kafka.commit(settings.kafka.topic, settings.kafka.group_id, dict.fromkeys(range(PARTITIONS), 5000))
    bridges.join(configure(KAFKA_ON_LOST_OFFSET="earliest"))
    bridges.turn_until(lambda: inbound.count() == 40, what="all that is left is stored")
    bridges.turn_until(lambda: committed(kafka, settings) == 40, what="and the offsets are right again")
