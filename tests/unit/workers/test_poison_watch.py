"""How bridges stop for poison, together, and what lets them go on."""

import msgspec
import pytest

from payments.envelope import Record
from payments.ledger.bridge_pauses import PROBE
from payments.resilience.poison import PoisonPolicy
from tests.builders import a_record
from tests.unit.workers.edges import AWAY, BAD, Edges, Row
from workers.bridge import BridgePolicy

POLICY = BridgePolicy(
    batch_size=10,
    high_water_mark=1000,
    low_water_mark=400,
    poison=PoisonPolicy(share=0.2, window=20, probe_seconds=30.0, probe_size=5),
    name="bridge.1@here",
)


@pytest.fixture
def row() -> Row:
    return Row()


@pytest.fixture
def edges(row: Row) -> Edges:
    return Edges(POLICY, row)


@pytest.fixture
def other(row: Row) -> Edges:
    """Another bridge of the same group."""
    return Edges(msgspec.structs.replace(POLICY, name="bridge.2@here"), row)


def good(how_many: int) -> list[Record]:
    return [a_record(offset=offset) for offset in range(how_many)]


def bad(how_many: int) -> list[Record]:
    return [a_record(BAD, offset) for offset in range(how_many)]


def turns(edges: Edges, how_many: int, *, seconds: float = 0.0) -> None:
    """Take turns; so much time passes before each."""
    for _ in range(how_many):
        edges.now += seconds
        edges.bridge.turn()


def flood(edges: Edges) -> None:
    """Let the bridge come to a topic of bad records and stop, with more of it to come."""
    edges.batches = [bad(10) for _ in range(40)]
    turns(edges, 3)
    assert edges.paused


# -- stopping ----------------------------------------------------------------------------------------------------------


def test_a_flood_of_bad_records_pauses_the_bridge_and_calls_a_person_once(edges: Edges, row: Row) -> None:
    flood(edges)
    turns(edges, 5, seconds=1)
    assert len(edges.committed) == len(edges.stored) == 20
    assert edges.fields_of("bridge_poisoned") == [
        {"bad": 20, "looked_at": 20, "topic": row.topic, "group": row.group_id}
    ]
    assert edges.fields_of("bridge_paused") == [{"reason": "poison"}]
    assert row.pause_now is not None
    assert (row.pause_now.is_open, row.pause_now.bad, row.pause_now.paused_by) == (True, 20, "bridge.1@here")


def test_while_paused_it_goes_on_polling(edges: Edges) -> None:
    flood(edges)
    edges.diary.clear()
    turns(edges, 4)
    assert edges.did("poll", "store") == ["poll"] * 4


def test_bad_records_that_are_no_more_than_the_share_pause_nothing(edges: Edges) -> None:
    edges.batches = [bad(2) + good(8) for _ in range(20)]
    turns(edges, 20, seconds=1)
    assert edges.did("pause") == []
    assert len(edges.committed) == 200


def test_nothing_is_judged_before_the_window_is_full(edges: Edges) -> None:
    edges.batches = [bad(10), bad(9)]
    turns(edges, 2)
    assert edges.did("pause") == []


def test_a_ledger_that_is_away_just_then_gets_the_pause_when_it_is_back(edges: Edges, row: Row) -> None:
    edges.batches = [bad(10) for _ in range(10)]
    turns(edges, 2)
    row.is_away = True
    turns(edges, 3, seconds=1)
    assert edges.paused
    assert edges.did("bridge_poisoned") == ["bridge_poisoned"]
    assert row.pause_now is None
    row.is_away = False
    turns(edges, 1, seconds=1)
    assert row.pause_now is not None
    assert row.pause_now.is_open
    assert len(edges.committed) == 20


# -- together ----------------------------------------------------------------------------------------------------------


def test_the_other_bridges_of_the_group_pause_too(edges: Edges, other: Edges) -> None:
    other.batches = [good(10) for _ in range(20)]
    turns(other, 1)
    flood(edges)
    turns(edges, 1)
    turns(other, 2, seconds=1)
    assert other.paused
    assert len(other.committed) <= 20
    assert other.did("bridge_poisoned") == []


def test_a_bridge_that_meets_a_bad_record_looks_at_once_whether_its_group_is_paused(edges: Edges, other: Edges) -> None:
    other.batches = [bad(1), good(10), good(10)]
    turns(other, 1)
    flood(edges)
    turns(edges, 1)
    turns(other, 3)
    assert len(other.committed) == 1


def test_a_bridge_that_is_started_anew_stays_paused_and_takes_nothing(edges: Edges, row: Row) -> None:
    flood(edges)
    turns(edges, 1)
    anew = Edges(POLICY, row)
    anew.batches = [good(10)]
    turns(anew, 5, seconds=1)
    assert anew.stored == []
    assert anew.diary[0] == "bridge_paused"


def test_a_bridge_that_cannot_ask_at_its_start_takes_nothing_until_it_can(row: Row) -> None:
    edges = Edges(POLICY, row)
    edges.batches = [good(10)]
    row.is_away = True
    turns(edges, 3, seconds=1)
    assert edges.stored == []
    assert edges.did("database_away")
    row.is_away = False
    turns(edges, 1, seconds=1)
    assert len(edges.committed) == 10
    assert edges.did("pause", "resume") == ["pause", "resume"]


def test_later_a_ledger_that_cannot_be_asked_stops_nothing_by_that(edges: Edges, row: Row) -> None:
    edges.batches = [good(10) for _ in range(5)]
    turns(edges, 1)
    row.is_away = True
    turns(edges, 4, seconds=1)
    assert len(edges.committed) == 50


def test_only_who_knows_that_the_last_pause_was_ended_can_open_another(edges: Edges, row: Row) -> None:
    late = Edges(POLICY, row)
    late.batches = [bad(10) for _ in range(10)]
    turns(late, 2)  # it is about to pause the group
    flood(edges)
    turns(edges, 1)
    row.say_go_on()
    turns(late, 8)
    assert row.pause_now is not None
    assert not row.pause_now.is_open, "what the person said stands"
    assert len(late.committed) == 100


# -- going on because a person says so ---------------------------------------------------------------------------------


def test_after_a_person_says_go_on_the_flood_is_taken_to_its_end(edges: Edges, row: Row) -> None:
    flood(edges)
    turns(edges, 1)
    row.say_go_on()
    turns(edges, 45, seconds=1)
    assert len(edges.committed) == 400
    assert edges.fields_of("bridge_poison_over") == [{"by": "jo@host"}]
    assert edges.did("bridge_poisoned") == ["bridge_poisoned"]


def test_the_persons_word_holds_for_a_bridge_that_is_started_after_it(edges: Edges, row: Row) -> None:
    flood(edges)
    turns(edges, 1)
    row.say_go_on()
    anew = Edges(POLICY, row)
    anew.batches = [bad(10) for _ in range(10)]
    turns(anew, 10, seconds=1)
    assert len(anew.committed) == 100


def test_once_the_records_were_well_the_next_flood_pauses_again(edges: Edges, row: Row) -> None:
    flood(edges)
    turns(edges, 1)
    row.say_go_on()
    edges.batches = [bad(10), *(good(10) for _ in range(4)), *(bad(10) for _ in range(10))]
    turns(edges, 5, seconds=1)
    assert row.pause_now is not None
    turns(edges, 1, seconds=1)
    assert row.pause_now.well_at is not None
    turns(edges, 5, seconds=1)
    assert row.pause_now.is_open
    assert edges.did("bridge_poisoned") == ["bridge_poisoned"] * 2
    assert len(edges.batches) > 5


def test_a_word_that_is_used_up_mutes_nobody_who_is_started_later(edges: Edges, row: Row) -> None:
    flood(edges)
    turns(edges, 1)
    row.say_go_on()
    edges.batches = [good(10) for _ in range(5)]
    turns(edges, 5, seconds=1)
    anew = Edges(POLICY, row)
    flood(anew)
    assert len(anew.committed) == 20


# -- going on because a probe was well ---------------------------------------------------------------------------------


def test_a_probe_is_no_larger_than_it_says_and_a_bad_one_leaves_the_pause(edges: Edges, row: Row) -> None:
    flood(edges)
    turns(edges, 1)
    turns(edges, 3, seconds=30)
    assert edges.fields_of("bridge_probed")[0] == {"bad": 5, "looked_at": 5}
    assert edges.paused
    assert row.pause_now is not None
    assert row.pause_now.is_open
    assert len(edges.committed) == 20 + 5 * len(edges.fields_of("bridge_probed"))


def test_a_probe_comes_when_it_is_due_and_not_before(edges: Edges) -> None:
    flood(edges)
    turns(edges, 1)
    turns(edges, 29, seconds=1)
    assert len(edges.committed) == 20
    turns(edges, 3, seconds=1)
    assert len(edges.committed) == 25


def test_a_probe_that_is_well_ends_the_pause(edges: Edges, row: Row) -> None:
    flood(edges)
    turns(edges, 1)
    edges.batches = [good(10) for _ in range(6)]
    edges.now += 30
    turns(edges, 8, seconds=1)
    assert len(edges.committed) == 80
    assert row.pause_now is not None
    assert row.pause_now.resumed_by == PROBE
    assert edges.fields_of("bridge_poison_over") == [{"by": PROBE}]
    assert edges.fields_of("bridge_paused") == [{"reason": "poison"}], "nobody is told of each probe as of a pause"


def test_a_probe_that_was_well_by_chance_is_followed_by_another_pause(edges: Edges, row: Row) -> None:
    flood(edges)
    turns(edges, 1)
    edges.batches = [good(5), *(bad(10) for _ in range(10))]
    edges.now += 30
    turns(edges, 8, seconds=1)
    assert row.pause_now is not None
    assert row.pause_now.is_open
    assert len(edges.committed) == 20 + 5 + 20
    assert edges.did("bridge_poisoned") == ["bridge_poisoned"] * 2


def test_a_probe_is_content_with_the_few_records_that_there_are(edges: Edges, row: Row) -> None:
    flood(edges)
    turns(edges, 1)
    edges.batches = [good(2), [], []]
    edges.now += 30
    turns(edges, 3)
    assert edges.fields_of("bridge_probed") == [{"bad": 0, "looked_at": 2}]
    assert row.pause_now is not None
    assert row.pause_now.resumed_by == PROBE


def test_a_probe_of_a_topic_where_nothing_comes_waits_for_a_record(edges: Edges, row: Row) -> None:
    flood(edges)
    turns(edges, 1)
    edges.batches = [*([] for _ in range(5)), good(1), [], []]
    edges.now += 30
    turns(edges, 5, seconds=20)
    assert edges.did("bridge_probed") == []
    turns(edges, 3)
    assert row.pause_now is not None
    assert row.pause_now.resumed_by == PROBE


def test_of_several_bridges_the_one_that_has_seen_the_poison_probes(edges: Edges, other: Edges) -> None:
    flood(edges)
    turns(edges, 1)
    other.batches = [good(10) for _ in range(10)]
    for _ in range(100):
        turns(other, 1, seconds=0.5)
        turns(edges, 1, seconds=0.5)
    assert len(edges.fields_of("bridge_probed")) == 3
    assert other.fields_of("bridge_probed") == []
    assert other.stored == []


def test_where_that_one_is_gone_another_probes(edges: Edges, other: Edges) -> None:
    flood(edges)
    turns(edges, 1)
    other.batches = [bad(10) for _ in range(10)]
    turns(other, 200, seconds=1)
    assert len(other.fields_of("bridge_probed")) == 3


def test_bridges_of_one_name_take_turns_at_probing(edges: Edges, row: Row) -> None:
    flood(edges)
    turns(edges, 1)
    twin = Edges(POLICY, row)
    twin.batches = [bad(10) for _ in range(10)]
    for _ in range(100):
        turns(twin, 1, seconds=0.5)
        turns(edges, 1, seconds=0.5)
    assert len(edges.fields_of("bridge_probed")) + len(twin.fields_of("bridge_probed")) == 3


def test_a_probe_of_another_bridge_lets_this_one_go_on(edges: Edges, row: Row) -> None:
    flood(edges)
    turns(edges, 1)
    assert row.pause_now is not None
    row.resume(row.pause_now, PROBE)
    edges.batches = [good(10) for _ in range(3)]
    turns(edges, 4, seconds=1)
    assert len(edges.committed) == 50


def test_a_person_may_say_go_on_while_a_probe_waits(edges: Edges, row: Row) -> None:
    flood(edges)
    turns(edges, 1)
    edges.batches = [[], [], *(bad(10) for _ in range(5))]
    edges.now += 30
    turns(edges, 2)
    row.say_go_on()
    turns(edges, 5, seconds=1)
    assert len(edges.committed) == 70
    assert edges.did("bridge_probed") == []


# -- other reasons to pause --------------------------------------------------------------------------------------------


def test_too_much_unfinished_work_and_its_end_do_not_lift_a_pause_for_poison(edges: Edges) -> None:
    flood(edges)
    for edges.unfinished_now in (1000, 0):
        turns(edges, 2, seconds=1)
    assert edges.paused
    assert edges.fields_of("bridge_paused") == [{"reason": "poison"}, {"reason": "high-water mark"}]
    assert edges.did("resume") == []


def test_the_end_of_poison_does_not_lift_the_pause_for_unfinished_work(edges: Edges, row: Row) -> None:
    flood(edges)
    edges.unfinished_now = 1000
    turns(edges, 2, seconds=1)
    row.say_go_on()
    turns(edges, 3, seconds=1)
    assert edges.paused
    assert len(edges.committed) == 20
    edges.unfinished_now = 0
    turns(edges, 2, seconds=1)
    assert not edges.paused
    assert len(edges.committed) > 20


def test_no_probe_is_taken_while_there_is_too_much_unfinished_work(edges: Edges) -> None:
    flood(edges)
    edges.unfinished_now = 1000
    turns(edges, 2, seconds=1)
    turns(edges, 5, seconds=30)
    assert len(edges.committed) == 20
    edges.unfinished_now = 0
    turns(edges, 3, seconds=1)
    assert len(edges.committed) == 25


def test_a_probe_that_the_ledger_does_not_take_is_held_and_counts_when_it_does(edges: Edges, row: Row) -> None:
    flood(edges)
    turns(edges, 1)
    edges.batches = [good(10) for _ in range(3)]
    edges.intake_failures = [AWAY, AWAY]
    edges.now += 30
    turns(edges, 2, seconds=1)
    assert edges.paused
    assert len(edges.committed) == 20
    turns(edges, 6, seconds=1)
    assert row.pause_now is not None
    assert row.pause_now.resumed_by == PROBE
    assert len(edges.committed) == 50


def test_a_batch_that_is_held_when_the_group_is_paused_is_stored_and_not_dropped(edges: Edges, other: Edges) -> None:
    other.batches = [good(10), good(10)]
    other.intake_failures = [AWAY]
    turns(other, 1)
    flood(edges)
    turns(edges, 1)
    turns(other, 3, seconds=2)
    assert len(other.committed) == 10
    assert other.paused
    assert other.did("resume") == []


def test_a_pause_that_was_ended_and_its_row_removed_by_hand_is_over(edges: Edges, row: Row) -> None:
    flood(edges)
    turns(edges, 1)
    row.pause_now = None
    turns(edges, 1, seconds=1)
    assert not edges.paused


def test_another_pause_that_came_between_two_looks_is_heeded(edges: Edges, row: Row) -> None:
    flood(edges)
    turns(edges, 1)
    first = row.pause_now
    assert first is not None
    row.pause_now = msgspec.structs.replace(first, paused_by="other@there")
    turns(edges, 2, seconds=1)
    assert edges.paused
