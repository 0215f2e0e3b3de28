"""Poison or outage: bridges on a topic that somebody floods with what is no payment event."""

from collections.abc import Iterator, Sequence
from itertools import count

import pytest

from config.settings import Settings
from payments.envelope import Record
from payments.ledger.bridge_pauses import PROBE, BridgePauses, Pause
from payments.ledger.database import Database
from payments.resilience.poison import PoisonPolicy, PoisonWindow
from payments.streams.consumer import StreamConsumer
from tests.builders import a_message
from tests.integration.kafka import Brokers
from tests.integration.streams.bridges import Bridges, Member
from tests.integration.streams.inbound import Inbound
from workers.bridge import BridgePolicy

pytestmark = pytest.mark.timeout(240)  # a broker may die in any of them

BAD = b"no payment"
RULE = PoisonPolicy(probe_seconds=3600.0)
POLICY = BridgePolicy(batch_size=500, high_water_mark=100_000, low_water_mark=50_000, poison=RULE)
QUICK = BridgePolicy(
    batch_size=50,
    high_water_mark=100_000,
    low_water_mark=50_000,
    poison=PoisonPolicy(window=100, probe_seconds=0.001, probe_size=25),
)


class Remembering(StreamConsumer):
    """A consumer that knows which batches were carried."""

    carried: list[Sequence[Record]]

    def commit(self, records: Sequence[Record]) -> None:
        self.carried = [*getattr(self, "carried", []), list(records)]
        super().commit(records)


@pytest.fixture
def pauses(database: Database, settings: Settings) -> BridgePauses:
    return BridgePauses(database, settings.kafka.topic, settings.kafka.group_id)


def good(prefix: str, how_many: int) -> Iterator[tuple[bytes, bytes]]:
    return ((b"%d" % n, a_message(f"{prefix}-{n}")) for n in range(how_many))


def bad(how_many: int) -> Iterator[tuple[bytes, bytes]]:
    return ((b"%d" % n, BAD) for n in range(how_many))


def paused(pauses: BridgePauses) -> Pause:
    """Return the pause, which is open."""
    pause = pauses.current()
    assert pause is not None
    return pause


def is_paused(member: Member) -> bool:
    return {"reason": "poison"} in member.told.of("bridge_paused")


def committed(kafka: Brokers, settings: Settings) -> int:
    return sum(kafka.committed(settings.kafka.topic, settings.kafka.group_id).values())


def batches_past_the_limit(member: Member) -> int:
    """Return how many batches were carried beyond the one in which too many of the last records were bad."""
    assert isinstance(member.consumer, Remembering)
    window = PoisonWindow(RULE.window)
    for number, batch in enumerate(member.consumer.carried):
        for record in batch:
            window.add([record.payload == BAD])
            if not window.room and RULE.is_passed_by(window):
                return len(member.consumer.carried) - number - 1
    raise AssertionError("the limit was not passed")


def turn(member: Member, how_many: int) -> None:
    for _ in range(how_many):
        member.bridge.turn()


def test_a_flood_of_ten_thousand_bad_records_in_twelve_pauses_loses_nothing_and_goes_on_when_told_to(
    kafka: Brokers, settings: Settings, bridges: Bridges, inbound: Inbound, pauses: BridgePauses
) -> None:
    kafka.produce(settings.kafka.topic, good("before", 1_000))
    member = bridges.join(settings, POLICY, consumer=Remembering)
    # of four partitions one may be read far ahead of the others: good records among the bad would end the poison
    bridges.turn_until(lambda: inbound.count() == 1_000, what="all before the flood is stored")
    kafka.produce(settings.kafka.topic, bad(10_000))
    bridges.turn_until(pauses.current, what="it pauses")
    assert batches_past_the_limit(member) <= 2
    stored = inbound.count()
    assert len(inbound.buried()) <= 2_000
    turn(member, 5)
    assert inbound.count() == committed(kafka, settings) == stored, "paused, with everything that it took stored"
    assert len(member.told.of("bridge_poisoned")) == 1

    assert pauses.resume(paused(pauses), "jo@host", "the producer is mended")
    bridges.turn_until(lambda: inbound.count() == 11_000, what="the flood is stored")
    kafka.produce(settings.kafka.topic, good("after", 1_000))
    bridges.turn_until(lambda: inbound.count() == 12_000, what="the rest is stored")
    bridges.turn_until(lambda: committed(kafka, settings) == 12_000, what="and committed")
    assert (len(set(inbound.events())), len(inbound.buried())) == (2_000, 10_000)
    assert len(member.told.of("bridge_poisoned")) == 1, "what the person said holds for all of the flood"


def test_fifty_bad_records_in_twelve_thousand_pause_nothing(
    kafka: Brokers, settings: Settings, bridges: Bridges, inbound: Inbound, pauses: BridgePauses
) -> None:
    kafka.produce(settings.kafka.topic, [*good("before", 5_950), *bad(50), *good("after", 6_000)])
    member = bridges.join(settings, POLICY)
    bridges.turn_until(lambda: inbound.count() == 12_000, what="all is stored")
    assert member.told.of("bridge_paused") == []
    assert pauses.latest() is None
    assert len(inbound.buried()) == 50


def test_all_bridges_of_the_group_pause_and_one_that_is_started_anew_stays_paused(
    kafka: Brokers, settings: Settings, bridges: Bridges, inbound: Inbound, pauses: BridgePauses
) -> None:
    first, second = bridges.join(settings, POLICY), bridges.join(settings, POLICY)
    bridges.turn_until(lambda: len(first.partitions) == len(second.partitions) == 2, what="they share the topic")
    kafka.produce_at(settings.kafka.topic, [(min(first.partitions), BAD)] * 1_200)
    bridges.turn_until(lambda: is_paused(first) and is_paused(second), what="both pause")
    assert len(first.told.of("bridge_poisoned") + second.told.of("bridge_poisoned")) == 1, "one has seen it"
    first.leave()
    second.leave()
    stored = inbound.count()
    third = bridges.join(settings, POLICY)
    bridges.turn_until(lambda: len(third.partitions) == 4, third, what="the new one has the topic")
    turn(third, 3)
    assert is_paused(third)
    assert inbound.count() == stored < 1_200
    assert pauses.resume(paused(pauses), "jo@host")
    bridges.turn_until(lambda: inbound.count() == 1_200, third, what="it goes on when told to")


def test_a_probe_that_is_well_again_lets_the_bridges_go_on(
    kafka: Brokers, settings: Settings, bridges: Bridges, inbound: Inbound, pauses: BridgePauses
) -> None:
    healthy = [(0, value) for _, value in good("after", 150)]
    kafka.produce_at(settings.kafka.topic, [(0, BAD)] * 150 + healthy)
    member = bridges.join(settings, QUICK, clock=count(step=2).__next__)  # so that it looks at every turn
    bridges.turn_until(lambda: inbound.count() == 300, what="all is stored")
    latest = pauses.latest()
    assert latest is not None
    assert latest.resumed_by == PROBE
    *before, last = [_share(told) for told in member.told.of("bridge_probed")]
    assert all(share > 0.2 for share in before)
    assert last <= 0.2
    assert len(member.told.of("bridge_poisoned")) == 1
    assert (len(set(inbound.events())), len(inbound.buried())) == (150, 150)


def _share(probed: dict[str, object]) -> float:
    bad, looked_at = probed["bad"], probed["looked_at"]
    assert isinstance(bad, int)
    assert isinstance(looked_at, int)
    return bad / looked_at
