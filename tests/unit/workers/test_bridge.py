import pytest

from payments.envelope import Record
from payments.failures import KafkaAway, OffsetLost
from tests.builders import a_record
from tests.unit.workers.edges import AWAY, POLICY, Edges
from workers.pulse.pulse import DATABASE_AWAY, KAFKA_AWAY, Notes


@pytest.fixture
def edges() -> Edges:
    return Edges()


def records(*offsets: int) -> list[Record]:
    return [a_record(offset=offset) for offset in offsets]


def test_a_batch_is_stored_before_its_offsets_are_committed(edges: Edges) -> None:
    edges.batches = [list(records(1, 2)), list(records(3))]
    edges.bridge.run()
    assert edges.did("store", "commit") == ["store", "commit", "store", "commit"]
    assert edges.committed == edges.stored == records(1, 2, 3)


def test_an_empty_poll_stores_and_commits_nothing(edges: Edges) -> None:
    edges.batches = [[]]
    edges.bridge.turn()
    assert edges.did("store", "commit") == []


def test_while_the_database_is_away_nothing_is_committed_and_the_polling_goes_on(edges: Edges) -> None:
    edges.batches = [list(records(1, 2)), list(records(3))]
    edges.intake_failures = [AWAY, AWAY]
    for _ in range(3):
        edges.bridge.turn()
    assert edges.did("poll", "pause", "refused", "commit") == ["poll", "refused", "pause", "poll", "poll"]
    edges.now += 2
    edges.bridge.turn()
    assert edges.did("refused") == ["refused", "refused"]
    assert edges.committed == []


def test_when_the_database_is_back_what_was_held_is_stored_committed_and_the_bridge_goes_on(edges: Edges) -> None:
    edges.batches = [list(records(1, 2)), list(records(3))]
    edges.intake_failures = [AWAY]
    edges.bridge.turn()
    edges.now += 2
    edges.bridge.turn()
    assert edges.did("store", "commit", "resume") == ["store", "commit", "resume"]
    assert edges.committed == records(1, 2)
    edges.bridge.run()
    assert edges.committed == records(1, 2, 3)
    assert edges.did("pause") == ["pause"]


def test_the_bridge_pauses_at_the_high_water_mark_and_polls_on(edges: Edges) -> None:
    edges.batches = [list(records(1)), list(records(2))]
    edges.unfinished_now = POLICY.high_water_mark
    for _ in range(3):
        edges.bridge.turn()
        edges.now += 2
    assert edges.did("pause", "poll") == ["poll", "pause", "poll", "poll"]
    assert edges.committed == records(1)


def test_the_bridge_goes_on_at_the_low_water_mark_and_not_before(edges: Edges) -> None:
    edges.batches = [list(records(1)), list(records(2))]
    for edges.unfinished_now in (POLICY.high_water_mark, POLICY.low_water_mark + 1, POLICY.low_water_mark):
        edges.now += 2
        edges.bridge.turn()
    assert edges.did("pause", "resume") == ["pause", "resume"]
    edges.now += 2
    edges.bridge.turn()
    assert edges.committed == records(1, 2)


def test_the_unfinished_are_not_counted_at_every_turn(edges: Edges) -> None:
    edges.batches = [list(records(1)), list(records(2))]
    edges.bridge.turn()
    edges.unfinished_now = POLICY.high_water_mark
    edges.bridge.turn()
    assert edges.did("pause") == []


def test_a_database_that_is_away_at_the_count_alone_stops_nothing(edges: Edges) -> None:
    edges.batches = [list(records(1)), list(records(2))]
    edges.unfinished_now = AWAY
    edges.bridge.run()
    assert edges.committed == records(1, 2)


def test_both_reasons_to_pause_one_after_the_other_end_in_going_on(edges: Edges) -> None:
    edges.batches = [list(records(1)), list(records(2))]
    edges.intake_failures = [AWAY]
    edges.bridge.turn()
    edges.unfinished_now = POLICY.high_water_mark
    edges.now += 2
    edges.bridge.turn()
    assert edges.did("pause", "resume") == ["pause", "resume", "pause"]
    edges.unfinished_now = 0
    edges.now += 2
    edges.bridge.turn()
    edges.bridge.turn()
    assert edges.did("pause", "resume") == ["pause", "resume", "pause", "resume"]
    assert edges.committed == records(1, 2)


def test_a_bridge_says_that_the_database_is_away_also_when_it_has_nothing_to_store(edges: Edges) -> None:
    edges.batches = [[], [], []]
    edges.bridge.turn()
    assert set(edges.bridge.report().troubles) == set()
    edges.row.is_away = True
    edges.now += 2
    edges.bridge.turn()
    assert set(edges.bridge.report().troubles) == {DATABASE_AWAY}
    edges.bridge.turn()  # too soon to ask again
    assert set(edges.bridge.report().troubles) == {DATABASE_AWAY}
    edges.row.is_away = False
    edges.now += 2
    edges.bridge.turn()
    assert set(edges.bridge.report().troubles) == set()


def test_a_bridge_says_what_it_is_paused_for_and_how_many_partitions_it_has(edges: Edges) -> None:
    edges.batches = [list(records(1)), KafkaAway("no brokers", code="kafka_away", service="kafka")]
    edges.unfinished_now = POLICY.high_water_mark
    edges.bridge.turn()
    assert set(edges.bridge.report().troubles) == {"high-water mark"}
    assert edges.bridge.report().numbers == {"partitions": 4, "paused": 1}
    edges.paused = False  # so that the brokers are asked
    edges.bridge.turn()
    assert set(edges.bridge.report().troubles) == {"high-water mark", KAFKA_AWAY}


@pytest.mark.parametrize(("call", "trouble"), [("take", DATABASE_AWAY), ("commit", KAFKA_AWAY), ("batch", KAFKA_AWAY)])
def test_a_bridge_that_is_given_no_answer_is_excused_and_says_by_whom(
    edges: Edges, monkeypatch: pytest.MonkeyPatch, call: str, trouble: str
) -> None:
    during: list[Notes] = []
    answer = getattr(edges, call)

    def hang(*told: object) -> object:
        for seconds in (1, 10):
            edges.now += seconds
            during.append(edges.bridge.report())
        return answer(*told)

    monkeypatch.setattr(edges, call, hang)
    edges.batches = [records(1)]
    edges.bridge.turn()
    assert [(set(notes.troubles), notes.is_excused) for notes in during] == [(set(), False), ({trouble}, True)]
    assert (set(edges.bridge.report().troubles), edges.bridge.report().is_excused) == (set(), False)


def test_every_turn_of_a_bridge_is_noted(edges: Edges) -> None:
    turns: list[int] = []
    edges.batches = [list(records(1)), []]
    edges.bridge.run(lambda: turns.append(1))
    assert len(turns) == 3


def test_a_stop_lets_the_batch_in_hand_end(edges: Edges) -> None:
    edges.batches = [list(records(1, 2)), list(records(3))]
    edges.stop_while_storing = True
    edges.bridge.run()
    assert edges.committed == records(1, 2)
    assert edges.diary[-2:] == ["close", "bridge_stopped"]


def test_a_stop_while_the_database_is_away_commits_nothing_of_what_is_held(edges: Edges) -> None:
    edges.batches = [list(records(1, 2))]
    edges.intake_failures = [AWAY, AWAY, AWAY]
    edges.bridge.run()
    assert edges.committed == []
    assert edges.diary[-2:] == ["close", "bridge_stopped"]


def test_a_lost_offset_ends_the_bridge_which_leaves_its_group_in_good_order(edges: Edges) -> None:
    edges.batches = [OffsetLost("gone", code="offset_lost", service="kafka")]
    with pytest.raises(OffsetLost):
        edges.bridge.run()
    assert edges.diary[-2:] == ["close", "bridge_stopped"]


def test_brokers_that_are_away_end_nothing(edges: Edges) -> None:
    edges.batches = [KafkaAway("gone", code="kafka_error", service="kafka"), list(records(1))]
    edges.bridge.run()
    assert edges.did("kafka_away") == ["kafka_away"]
    assert edges.committed == records(1)


def test_what_nobody_foresaw_ends_the_bridge_with_nothing_committed(edges: Edges) -> None:
    edges.batches = [list(records(1))]
    edges.intake_failures = [ZeroDivisionError()]
    with pytest.raises(ZeroDivisionError):
        edges.bridge.run()
    assert edges.committed == []
    assert edges.diary[-2:] == ["close", "bridge_stopped"]
