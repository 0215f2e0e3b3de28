"""Replays, and the traces of what is replayed."""

from collections.abc import Callable

import pytest

from payments.event import Provider
from payments.flows.dead_letters.desk import ReplayDesk
from payments.flows.dead_letters.replay import replay_due
from payments.flows.desk import Desk
from payments.flows.ending import Buried
from payments.flows.process import process
from payments.flows.traced import TracedIntake, TracedSettlements
from payments.gateway.gateway import Gateway
from payments.ledger.database import Database
from tests.builders import a_message, a_record
from tests.fake_gateway import FakeGateway
from tests.integration.flows.conftest import MakeDesk, Queue
from tests.integration.flows.dead_letters.conftest import MakeReplayDesk
from tests.integration.flows.dead_letters.letters import AT_ONCE, BUSY, intake_of, make_due
from tests.spans import TRACE, TRACE_PARENT, UNSAMPLED, Spans, facts_of, id_of, trace_of


class Life:
    """A record that dies of a busy provider and is sent back, with all of it traced."""

    def __init__(
        self, spans: Spans, desk: Callable[[Gateway], Desk], replayer: ReplayDesk, intake: TracedIntake
    ) -> None:
        self.spans = spans
        self._desk = desk
        self._replayer = replayer
        self._intake = intake

    def dies(self, payment_id: str, parent: str, offset: int) -> None:
        """Take it in, and let its only try fail."""
        headers = [("traceparent", parent.encode()), ("correlation_id", payment_id.encode())]
        self._intake.take([a_record(a_message(payment_id, "pending"), offset, headers=headers)])
        (inbox_id,) = self._received()
        assert isinstance(process(self._desk(FakeGateway(authorize=[BUSY])), inbox_id), Buried)

    def is_sent_back(self) -> None:
        """Replay what is dead, and let a worker work it off."""
        make_due(self._replayer.database)
        replay_due(self._replayer, is_tick=False)
        for inbox_id in self._received():
            process(self._desk(FakeGateway()), inbox_id)

    def _received(self) -> list[int]:
        rows = self._replayer.database.rows("SELECT id FROM inbox WHERE state = 'received' ORDER BY id")
        return [row[0] for row in rows]


@pytest.fixture
def life(make_desk: MakeDesk, make_replay_desk: MakeReplayDesk, database: Database, queue: Queue) -> Life:
    spans = Spans()

    def desk(gateway: Gateway) -> Desk:
        gateways, settlements = dict.fromkeys(Provider, gateway), TracedSettlements(database, spans.tracer)
        return make_desk(policies=AT_ONCE, gateways=gateways, settlements=settlements, tracer=spans.tracer)

    intake = TracedIntake(intake_of(database, queue), spans.tracer)
    return Life(spans, desk, make_replay_desk(tracer=spans.tracer), intake)


def test_a_replay_points_to_the_trace_in_which_its_event_goes_on(life: Life) -> None:
    life.dies("p1", TRACE_PARENT, offset=1)
    life.is_sent_back()
    bridge, replay = life.spans.one("bridge.take"), life.spans.one("dead_letter.replay")
    assert trace_of(replay) != TRACE
    (link,) = replay.links
    assert (f"{link.context.trace_id:032x}", f"{link.context.span_id:016x}") == (TRACE, id_of(bridge))
    tries = [span for span in life.spans.all() if span.name == "payment.process"]
    assert [facts_of(span)["ending"] for span in tries] == ["buried", "settled"]
    assert {trace_of(span) for span in tries} == {TRACE}


def test_one_replay_points_to_all_that_is_recorded_and_to_nothing_else(life: Life) -> None:
    life.dies("p1", TRACE_PARENT, offset=1)
    life.dies("p2", UNSAMPLED, offset=2)
    life.is_sent_back()
    replay = life.spans.one("dead_letter.replay")
    assert (facts_of(replay)["sent"], len(replay.links)) == (2, 1)


def test_a_replay_of_what_nobody_records_is_not_recorded(life: Life) -> None:
    life.dies("p2", UNSAMPLED, offset=2)
    life.is_sent_back()
    assert life.spans.all() == []


def test_each_letter_that_is_sent_back_is_told_under_its_name(
    life: Life, told: list[tuple[str, dict[str, object]]]
) -> None:
    life.dies("order-7", TRACE_PARENT, offset=1)
    life.is_sent_back()
    (sent,) = [fields for name, fields in told if name == "dead_letter_sent_back"]
    assert (sent["correlation_id"], sent["provider"]) == ("order-7", "canonical")
