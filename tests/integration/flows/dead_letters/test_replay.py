from typing import Any

import pytest

from payments.event import Kind, Provider
from payments.failures import Refused
from payments.flows.dead_letters.desk import ReplayDesk
from payments.flows.dead_letters.replay import Replayed, fair_shares, replay_due
from payments.flows.ending import Buried, Declined, Settled, Waiting
from payments.flows.process import process
from payments.ledger.database import Database
from payments.ledger.dead_letters.actor import Actor
from payments.ledger.dead_letters.burial import Burial, Corpse, DeadLetters
from payments.resilience.switchboard import Switchboard
from tests.builders import a_message, a_record, an_event
from tests.fake_gateway import After, FakeGateway, refusal
from tests.integration.flows.conftest import MakeDesk, Queue, policies_with
from tests.integration.flows.dead_letters.conftest import MakeReplayDesk
from tests.integration.flows.dead_letters.letters import (
    AT_ONCE,
    BUSY,
    REFUSED,
    bury_many,
    letters,
    make_due,
    receive,
    requested,
)

# -- what is due -------------------------------------------------------------------------------------------------------


def test_what_died_of_something_transient_is_replayed_under_its_own_id_and_resolves_with_its_settlement(
    make_desk: MakeDesk, replayer: ReplayDesk, queue: Queue, database: Database
) -> None:
    desk = bury_many(make_desk, database, requested())
    assert letters(database, "state::TEXT, category, failure_type, reason, replay_count") == [
        ("pending", "transient", "unavailable", "http_503", 0)
    ]
    assert replay_due(replayer, is_tick=False) == Replayed()  # not due yet
    make_due(database)
    assert replay_due(replayer, is_tick=False) == Replayed(sent=1)
    assert letters(database, "state::TEXT, replay_count") == [("replaying", 1)]
    [(inbox_id, _)] = queue.sent
    assert process(desk, inbox_id) == Settled()
    assert letters(database, "state::TEXT, resolution, replay_count, ended_at IS NOT NULL") == [
        ("resolved", "settled", 1, True)
    ]
    assert database.row("SELECT state, attempts, jsonb_array_length(failures) FROM inbox") == ("settled", 1, 1)


def test_a_recovery_is_told_from_the_first_failure_although_the_event_was_dead_meanwhile(
    make_desk: MakeDesk,
    replayer: ReplayDesk,
    queue: Queue,
    database: Database,
    told: list[tuple[str, dict[str, object]]],
) -> None:
    desk = bury_many(make_desk, database, requested())
    an_hour_ago = "jsonb_set(failures, '{0,at}', to_jsonb(now() - interval '1 hour'))"
    database.run(f"UPDATE inbox SET failures = {an_hour_ago}")  # noqa: S608 - a constant
    make_due(database)
    replay_due(replayer, is_tick=False)
    process(desk, queue.sent[-1][0])
    [fields] = [fields for name, fields in told if name == "payment_worked_off"]
    assert fields["after_failure"] == "unavailable"
    assert fields["failing_seconds"] == pytest.approx(3600, abs=60)


def test_every_replay_and_its_end_is_appended_to_the_history(
    make_desk: MakeDesk, replayer: ReplayDesk, queue: Queue, database: Database
) -> None:
    desk = bury_many(make_desk, database, requested(), failing=2)
    for _ in range(2):
        make_due(database)
        replay_due(replayer, is_tick=False)
        process(desk, queue.sent[-1][0])
    row = database.row("SELECT replays FROM dead_letters")
    assert row is not None
    marks = [(line["replay"], line["mark"], line.get("by")) for line in row[0]]
    assert marks == [(1, "sent", "beat"), (1, "failed", None), (2, "sent", "beat"), (2, "resolved", None)]
    assert all(line["at"] for line in row[0])
    assert (row[0][1]["reason"], row[0][1]["failure_type"]) == ("http_503", "unavailable")


def test_after_three_replays_in_vain_it_is_parked_for_a_person(
    make_desk: MakeDesk, replayer: ReplayDesk, queue: Queue, database: Database
) -> None:
    desk = bury_many(make_desk, database, requested(), failing=10)
    seen = []
    for _ in range(4):
        seen += letters(database, "state::TEXT, replay_count")
        make_due(database)
        if replay_due(replayer, is_tick=False) == Replayed(sent=1):
            process(desk, queue.sent[-1][0])
    assert seen == [("pending", 0), ("pending", 1), ("pending", 2), ("parked", 3)]
    assert letters(database, "count(*) OVER (), next_replay_at") == [(1, None)]


def test_the_delay_before_each_replay_grows(
    make_desk: MakeDesk, replayer: ReplayDesk, queue: Queue, database: Database
) -> None:
    desk = bury_many(make_desk, database, requested(), failing=3)
    delays = []
    for _ in range(3):
        [(seconds,)] = letters(database, "extract(epoch FROM next_replay_at - last_failed_at)::FLOAT8")
        delays.append(seconds)
        make_due(database)
        replay_due(replayer, is_tick=False)
        process(desk, queue.sent[-1][0])
    assert 48 <= delays[0] <= 72
    assert 240 <= delays[1] <= 360
    assert 1200 <= delays[2] <= 1800


def test_what_is_permanent_is_parked_at_once(make_desk: MakeDesk, replayer: ReplayDesk, database: Database) -> None:
    desk = make_desk(gateways={Provider.STRIPE: FakeGateway(authorize=[REFUSED])})
    process(desk, receive(database, requested())[0])
    assert letters(database, "state::TEXT, category, next_replay_at") == [("parked", "permanent", None)]
    assert replay_due(replayer, is_tick=False) == Replayed()


def test_a_decline_at_the_replay_is_an_outcome(
    make_desk: MakeDesk, replayer: ReplayDesk, queue: Queue, database: Database
) -> None:
    desk = make_desk(policies=AT_ONCE, gateways={Provider.STRIPE: FakeGateway(authorize=[BUSY, refusal()])})
    process(desk, receive(database, requested())[0])
    make_due(database)
    replay_due(replayer, is_tick=False)
    assert process(desk, queue.sent[-1][0]) == Declined()
    assert letters(database, "state::TEXT, resolution") == [("resolved", "declined")]


def test_an_effect_whose_answer_was_lost_is_asked_for_and_not_done_again(
    make_desk: MakeDesk, replayer: ReplayDesk, queue: Queue, database: Database
) -> None:
    gateway = FakeGateway(capture=[After(BUSY)], stand=[BUSY])
    desk = make_desk(policies=AT_ONCE, gateways={Provider.STRIPE: gateway})
    process(desk, receive(database, requested())[0])
    make_due(database)
    replay_due(replayer, is_tick=False)
    assert process(desk, queue.sent[-1][0]) == Settled()
    assert sorted(gateway.effects.values()) == ["authorize", "capture"]


# -- the gates ---------------------------------------------------------------------------------------------------------


def test_while_the_breaker_is_open_nothing_of_its_provider_goes_back(
    make_desk: MakeDesk, replayer: ReplayDesk, switchboard: Switchboard, database: Database
) -> None:
    bury_many(make_desk, database, requested("p1"), requested("p2", provider=Provider.PAYPAL))
    make_due(database)
    side: Any = switchboard.breaker("stripe").side
    side.trip()
    assert replay_due(replayer, is_tick=False) == Replayed(sent=1)
    assert letters(database, "provider, state::TEXT") == [("stripe", "pending"), ("paypal", "replaying")]


def test_a_half_open_breaker_lets_one_canary_through_and_no_second_while_that_is_on_its_way(
    make_desk: MakeDesk, replayer: ReplayDesk, switchboard: Switchboard, database: Database
) -> None:
    bury_many(make_desk, database, *(requested(f"p{number}") for number in range(5)))
    make_due(database)
    side: Any = switchboard.breaker("stripe").side
    side.trip()
    side._until_us = 0  # noqa: SLF001 - its time is over
    assert replay_due(replayer, is_tick=False) == Replayed(sent=1)
    assert replay_due(replayer, is_tick=False) == Replayed()
    assert [state for _, state in letters(database)].count("replaying") == 1


def test_velocity_bounds_what_goes_back_at_once(
    make_desk: MakeDesk, make_replay_desk: MakeReplayDesk, database: Database
) -> None:
    slow = policies_with(replay_velocities__stripe__per_second=0.001, replay_velocities__stripe__burst=3)
    bury_many(make_desk, database, *(requested(f"p{number}") for number in range(10)))
    make_due(database)
    replayer = make_replay_desk(policies=slow)
    assert replay_due(replayer, is_tick=False) == Replayed(sent=3)
    assert replay_due(replayer, is_tick=False) == Replayed()


def test_a_payment_that_went_on_without_it_is_superseded_and_reaches_no_provider(
    make_desk: MakeDesk, replayer: ReplayDesk, queue: Queue, database: Database
) -> None:
    gateway = FakeGateway(authorize=[BUSY])
    desk = make_desk(policies=AT_ONCE, gateways={Provider.STRIPE: gateway})
    refund = an_event("evt_refund", Kind.REFUNDED, amount_minor=1000, reference_id="r1")
    first, captured, refunded = receive(database, requested("p1", "evt_1"), an_event("evt_2"), refund)
    process(desk, first)
    process(desk, captured)
    process(desk, refunded)
    assert database.row("SELECT status FROM payments") == ("refunded",)
    make_due(database)
    asked = len(gateway.asked)
    assert replay_due(replayer, is_tick=False) == Replayed(superseded=1)
    assert (len(gateway.asked), queue.sent) == (asked, [])
    assert letters(database, "state::TEXT, resolution") == [("resolved", "superseded")]
    assert database.row("SELECT state FROM inbox WHERE event_id = 'evt_1'") == ("superseded",)


def test_a_later_event_waits_until_the_earlier_dead_one_of_its_payment_has_gone(
    make_desk: MakeDesk, replayer: ReplayDesk, queue: Queue, database: Database
) -> None:
    authorized = an_event("evt_2", Kind.AUTHORIZED, "p1")
    desk = bury_many(make_desk, database, requested("p1", "evt_1"))
    gateway = FakeGateway(capture=[BUSY])
    process(make_desk(policies=AT_ONCE, gateways={Provider.STRIPE: gateway}), receive(database, authorized)[0])
    database.run("UPDATE dead_letters SET next_replay_at = now() WHERE event_id = 'evt_2'")
    assert replay_due(replayer, is_tick=False) == Replayed()
    make_due(database)
    assert replay_due(replayer, is_tick=False) == Replayed(sent=2)
    assert next(process(desk, inbox_id) for inbox_id, _ in queue.sent) == Settled()
    assert letters(database, "event_id, resolution") == [("evt_1", "settled"), ("evt_2", "superseded")]


def test_a_refund_that_came_to_nothing_follows_its_capture_out_of_the_dead_letters(
    make_desk: MakeDesk, replayer: ReplayDesk, queue: Queue, database: Database
) -> None:
    desk = bury_many(make_desk, database, requested("p1", "evt_1"), out_of_order_window_seconds=0.0)
    refund = an_event("evt_2", Kind.REFUNDED, "p1", amount_minor=400, reference_id="r1")
    [refund_id] = receive(database, refund)
    assert process(desk, refund_id) == Buried("out_of_order")
    assert letters(database, "event_id, state::TEXT, category") == [
        ("evt_1", "pending", "transient"),
        ("evt_2", "pending", "transient"),
    ]
    make_due(database)
    assert replay_due(replayer, is_tick=False) == Replayed(sent=2)
    assert process(desk, queue.sent[0][0]) == Settled()
    assert letters(database, "event_id, resolution") == [("evt_1", "settled"), ("evt_2", "settled")]
    assert database.row("SELECT status FROM payments") == ("partially_refunded",)


def test_providers_share_a_run_fairly(
    make_desk: MakeDesk, make_replay_desk: MakeReplayDesk, database: Database
) -> None:
    many = [requested(f"s{number}") for number in range(30)]
    few = [requested(f"p{number}", provider=Provider.PAYPAL) for number in range(3)]
    bury_many(make_desk, database, *many, *few)
    make_due(database)
    assert replay_due(make_replay_desk(batch_size=10), is_tick=False) == Replayed(sent=10)
    gone = database.rows("SELECT provider, count(*) FROM dead_letters WHERE state = 'replaying' GROUP BY 1 ORDER BY 1")
    assert gone == [("paypal", 3), ("stripe", 7)]
    assert database.row("SELECT max(id) FROM dead_letters WHERE state = 'replaying' AND provider = 'stripe'") == (7,)


@pytest.mark.parametrize(
    ("waiting", "shares"),
    [
        ({}, {}),
        ({"a": 5}, {"a": 5}),
        ({"a": 500}, {"a": 100}),
        ({"a": 500, "b": 10}, {"a": 90, "b": 10}),
        ({"a": 500, "b": 500, "c": 500}, {"a": 34, "b": 33, "c": 33}),
    ],
)
def test_what_one_does_not_need_of_its_share_goes_to_the_others(
    waiting: dict[str, int], shares: dict[str, int]
) -> None:
    assert fair_shares(waiting, 100) == shares


def test_a_tick_is_run_once_however_many_beats_send_it(
    make_desk: MakeDesk, replayer: ReplayDesk, database: Database
) -> None:
    bury_many(make_desk, database, requested())
    make_due(database)
    assert [replay_due(replayer, is_tick=True) for _ in range(3)] == [Replayed(sent=1), None, None]


def test_a_paused_replay_sends_nothing_until_it_goes_on(
    make_desk: MakeDesk, replayer: ReplayDesk, database: Database
) -> None:
    bury_many(make_desk, database, requested())
    make_due(database)
    assert replayer.switch.turn(Actor("jo@desk", "the provider asked us to"), is_paused=True)
    assert replay_due(replayer, is_tick=False) is None
    assert replayer.switch.turn(Actor("jo@desk"), is_paused=False)
    assert replay_due(replayer, is_tick=False) == Replayed(sent=1)


def test_a_crash_before_the_wake_up_leaves_a_row_that_the_sweep_finds(
    make_desk: MakeDesk, make_replay_desk: MakeReplayDesk, queue: Queue, database: Database
) -> None:
    desk = bury_many(make_desk, database, requested())
    make_due(database)
    queue.away = True
    assert replay_due(make_replay_desk(), is_tick=False) == Replayed(sent=1)
    database.run("UPDATE inbox SET due_at = due_at - '1 min'::INTERVAL, woken_at = woken_at - '1 min'::INTERVAL")
    [lost] = desk.sweeps.lost("stripe", None, 2.0, 10)
    assert process(desk, lost.inbox_id) == Settled()
    assert letters(database, "state::TEXT") == [("resolved",)]


# -- records that never became an event --------------------------------------------------------------------------------


def test_a_record_that_can_be_read_now_is_taken_in_and_resolves_its_letter(
    make_desk: MakeDesk, replayer: ReplayDesk, queue: Queue, database: Database
) -> None:
    record = a_record(a_message("p1"), 7)
    failure = Refused("nobody could read it", code="undecodable")
    DeadLetters(database).bury([Corpse(record=record, burial=Burial(reason="undecodable", failure=failure))])
    database.run("UPDATE dead_letters SET state = 'pending', next_replay_at = now()")
    assert replay_due(replayer, is_tick=False) == Replayed(sent=1)
    assert process(make_desk(), queue.sent[0][0]) == Settled()
    assert letters(database, "event_id, state::TEXT, resolution, replay_count") == [
        ("p1:paid", "resolved", "settled", 1)
    ]


def test_a_record_that_still_cannot_be_read_stays_parked_with_what_is_wrong(
    replayer: ReplayDesk, database: Database
) -> None:
    failure = Refused("nobody could read it", code="undecodable")
    DeadLetters(database).bury([Corpse(record=a_record(b"{", 7), burial=Burial(reason="undecodable", failure=failure))])
    database.run("UPDATE dead_letters SET state = 'pending', next_replay_at = now()")
    assert replay_due(replayer, is_tick=False) == Replayed(refused=1)
    [(state, message, count, marks)] = letters(
        database, "state::TEXT, message, replay_count, jsonb_path_query_array(replays, '$[*].mark')"
    )
    assert (state, count, marks) == ("parked", 1, ["sent", "failed"])
    assert message != "nobody could read it"


def test_two_copies_of_a_record_become_one_event(
    make_desk: MakeDesk, replayer: ReplayDesk, queue: Queue, database: Database
) -> None:
    burial = Burial(reason="undecodable", failure=Refused("nobody could read it", code="undecodable"))
    corpses = [Corpse(record=a_record(a_message("p1"), offset), burial=burial) for offset in (7, 8)]
    DeadLetters(database).bury(corpses)
    database.run("UPDATE dead_letters SET state = 'pending', next_replay_at = now()")
    assert replay_due(replayer, is_tick=False) == Replayed(sent=1, superseded=1)
    assert process(make_desk(), queue.sent[0][0]) == Settled()
    assert letters(database, "state::TEXT, resolution") == [("resolved", "settled"), ("resolved", "superseded")]


def test_what_yields_is_waiting_and_the_letter_is_on_its_way(
    make_desk: MakeDesk, replayer: ReplayDesk, database: Database
) -> None:
    desk = make_desk(out_of_order_window_seconds=0.0)
    [refund_id] = receive(database, an_event("evt_2", Kind.REFUNDED, "p1", amount_minor=400, reference_id="r1"))
    process(desk, refund_id)
    make_due(database)
    replay_due(replayer, is_tick=False)
    patient = make_desk()
    assert process(patient, refund_id) == Waiting(5.0, "out_of_order")
    assert letters(database, "state::TEXT") == [("replaying",)]
    assert process(patient, receive(database, an_event("evt_1"))[0]) == Settled()
    assert letters(database, "state::TEXT, resolution") == [("resolved", "settled")]
