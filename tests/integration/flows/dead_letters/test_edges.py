"""Sequences that an independent review found to break a promise; each of them did once."""

import os
import threading
from typing import Any, cast

import msgspec
import pytest

from payments.event import Kind, Provider
from payments.failures import AnswerTimeout
from payments.flows.dead_letters.desk import ReplayDesk
from payments.flows.dead_letters.editing import edit, edited_event, with_values
from payments.flows.dead_letters.job import work_on_job
from payments.flows.dead_letters.replay import Replayed, replay_due
from payments.flows.desk import Desk
from payments.flows.ending import Buried, Settled
from payments.flows.process import process
from payments.ledger import aliases
from payments.ledger.census import Census
from payments.ledger.database import Database
from payments.ledger.dead_letters.actor import Actor
from payments.ledger.dead_letters.archives import Archives
from payments.ledger.dead_letters.changes import Changes, NotPossible
from payments.ledger.dead_letters.choice import Choice
from payments.ledger.dead_letters.jobs import Job
from payments.ledger.dead_letters.search import Search
from payments.ledger.dead_letters.transfer import Transfer, read_line
from payments.queue.wakeups import Wakeups
from payments.resilience.switchboard import Switchboard
from tests.builders import a_message, a_record, an_event
from tests.fake_gateway import After, FakeGateway
from tests.integration.flows.conftest import MakeDesk, Queue
from tests.integration.flows.dead_letters.conftest import MakeReplayDesk
from tests.integration.flows.dead_letters.letters import (
    AT_ONCE,
    BUSY,
    MOST_BYTES,
    REFUSED,
    bury_many,
    intake_of,
    letters,
    make_due,
    receive,
    requested,
)
from tests.integration.kafka import eventually

JO = Actor("jo@desk", "a reason")
TOPIC = "payments.raw"


def until_buried(desk: Desk, database: Database, inbox_id: int) -> None:
    while not isinstance(process(desk, inbox_id), Buried):
        database.run("UPDATE inbox SET due_at = now()")


def job_of(replayer: ReplayDesk, choice: Choice | None = None, rate: float | None = None) -> Job:
    job = replayer.jobs.make(choice or Choice(), JO, rate)
    assert job is not None
    return job


def stands(replayer: ReplayDesk, job: Job) -> Job:
    found = replayer.jobs.find(job.id)
    assert found is not None
    return found


def edited(database: Database, queue: Queue, letter_id: int, **values: str) -> None:
    """Edit the payload of a letter and send it back."""
    changes = Changes(database)
    original = changes.original(letter_id)
    assert original is not None
    payload = with_values(original.payload, list(values.items()))
    event = edited_event(original, payload, MOST_BYTES)
    edit(changes, cast("Wakeups", queue), original, payload, event, JO)


# -- what was asked of a provider -------------------------------------------------------------------------------------


def in_doubt(make_desk: MakeDesk, provider: Provider) -> tuple[Desk, FakeGateway]:
    """Return a desk whose provider captures, loses the answer, and cannot be asked how that ended."""
    lost = AnswerTimeout("no answer", service=str(provider), operation="capture")
    gateway = FakeGateway(capture=[After(lost)], stand=[BUSY] * 8)
    return make_desk(policies=AT_ONCE, gateways={provider: gateway}), gateway


def test_a_replay_does_not_forget_a_capture_that_a_later_failure_has_overtaken(
    make_desk: MakeDesk, replayer: ReplayDesk, queue: Queue, database: Database
) -> None:
    desk, gateway = in_doubt(make_desk, Provider.STRIPE)
    [inbox_id] = receive(database, requested("p1"))
    until_buried(desk, database, inbox_id)
    assert "capture" in gateway.effects.values()
    assert process(desk, receive(database, an_event("evt_failed", Kind.FAILED, "p1"))[0]) == Settled()
    make_due(database)
    assert replay_due(replayer, is_tick=False) == Replayed(sent=1)
    assert process(desk, queue.sent[-1][0]) == Buried("overtaken_with_effect")
    assert letters(database, "state::TEXT, criticality") == [("parked", "effect_without_record")]


@pytest.mark.parametrize(("path", "value"), [("status", "failed"), ("amount", "12.50"), ("currency", "USD")])
def test_an_edit_may_not_change_what_a_provider_was_asked_for(
    make_desk: MakeDesk, queue: Queue, database: Database, path: str, value: str
) -> None:
    intake_of(database, queue).take([a_record(a_message("p1", "pending"), 7)])
    desk, _ = in_doubt(make_desk, Provider.CANONICAL)
    until_buried(desk, database, queue.sent.pop()[0])
    with pytest.raises(NotPossible, match="must stay"):
        edited(database, queue, 1, **{path: value})
    assert letters(database, "state::TEXT") == [("pending",)]


# -- restore, jobs, gates ---------------------------------------------------------------------------------------------


def test_a_restore_that_comes_late_leaves_a_letter_on_its_way_alone(
    make_desk: MakeDesk, replayer: ReplayDesk, database: Database
) -> None:
    desk = bury_many(make_desk, database, requested("p1"), requested("p2"))
    changes = Changes(database)
    changes.discard(Choice(), JO)
    waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    with database.transaction() as other:
        other.execute("SELECT FROM dead_letters WHERE id = 1 FOR UPDATE")
        late = threading.Thread(target=lambda: changes.restore(Choice(), JO))
        late.start()
        eventually(lambda: database.row(waits) == (1,), "the late one waits", 10)
        assert changes.restore(Choice(ids=(2,)), JO) == 1
        assert replay_due(replayer, is_tick=False) == Replayed(sent=1)
    late.join()
    assert letters(database) == [("evt_p1", "pending"), ("evt_p2", "replaying")]
    assert process(desk, 2) == Settled()
    assert letters(database) == [("evt_p1", "pending"), ("evt_p2", "resolved")]


def test_two_jobs_over_the_same_letters_send_each_of_them_once_each(
    make_desk: MakeDesk, replayer: ReplayDesk, queue: Queue, database: Database
) -> None:
    desk = bury_many(make_desk, database, requested("p1"), requested("p2"), failing=1000)
    jobs = [job_of(replayer, rate=1.0), job_of(replayer, rate=1.0)]
    for _ in range(6):
        for job in jobs:
            database.run("UPDATE replay_jobs SET lease_until = '-infinity' WHERE state = 'running'")
            database.run("UPDATE replay_paces SET spent_until = now() - '1 s'::INTERVAL")
            work_on_job(replayer, job.id)
            while queue.sent:
                process(desk, queue.sent.pop()[0])
    assert [(stands(replayer, job).state, stands(replayer, job).sent) for job in jobs] == [("done", 2)] * 2


def test_a_job_takes_no_letter_that_grew_old_enough_after_the_decision(
    make_desk: MakeDesk, replayer: ReplayDesk, database: Database
) -> None:
    bury_many(make_desk, database, requested("p1"), requested("p2"))
    database.run("UPDATE dead_letters SET first_failed_at = now() - make_interval(mins => 59 * id::INTEGER)")
    job = job_of(replayer, Choice(older_than_seconds=3600.0))
    assert job.chosen.older_than_seconds is None
    assert job.chosen.until is not None
    work_on_job(replayer, job.id)
    assert (job.total, stands(replayer, job).sent) == (1, 1)


def test_an_open_breaker_slows_no_other_provider_of_a_job(
    make_desk: MakeDesk, make_replay_desk: MakeReplayDesk, switchboard: Switchboard, database: Database
) -> None:
    replayer = make_replay_desk(round_size=5)
    bury_many(make_desk, database, *(requested(f"p{number}") for number in range(40)))
    bury_many(make_desk, database, requested("q1", provider=Provider.PAYPAL))
    shut(switchboard, "paypal")
    job = job_of(replayer)
    assert work_on_job(replayer, job.id) == "passed on"
    assert stands(replayer, job).sent == 40


def test_a_provider_whose_breaker_is_open_takes_no_share_of_a_run(
    make_desk: MakeDesk, make_replay_desk: MakeReplayDesk, switchboard: Switchboard, database: Database
) -> None:
    bury_many(make_desk, database, *(requested(f"p{number}") for number in range(20)))
    bury_many(make_desk, database, *(requested(f"q{number}", provider=Provider.PAYPAL) for number in range(20)))
    shut(switchboard, "paypal")
    make_due(database)
    assert replay_due(make_replay_desk(batch_size=10), is_tick=False) == Replayed(sent=10)


def shut(switchboard: Switchboard, name: str) -> None:
    side: Any = switchboard.breaker(name).side
    side.trip()


def test_order_holds_for_a_payment_of_several_names(
    make_desk: MakeDesk, replayer: ReplayDesk, database: Database
) -> None:
    bury_many(make_desk, database, requested("p1"), requested("p2"))
    with database.transaction() as connection:
        aliases.learn(connection, [("stripe:p2", "stripe:p1")])
    database.run("UPDATE dead_letters SET next_replay_at = now() WHERE id = 2")
    assert replay_due(replayer, is_tick=False) == Replayed()
    make_due(database)
    assert replay_due(replayer, is_tick=False) == Replayed(sent=2)


@pytest.mark.usefixtures("own_schema")
def test_a_record_that_the_ledger_cannot_hold_stops_neither_a_job_nor_a_run(
    make_desk: MakeDesk, replayer: ReplayDesk, queue: Queue, database: Database
) -> None:
    database.run("ALTER TABLE inbox ADD CONSTRAINT bad CHECK (event ->> 'payment_id' NOT IN ('poison', 'mended'))")
    intake_of(database, queue).take(
        [a_record(a_message(name), place) for place, name in enumerate(["poison", "mended"])]
    )
    database.run("ALTER TABLE inbox DROP CONSTRAINT bad")
    database.run("ALTER TABLE inbox ADD CONSTRAINT bad CHECK (event ->> 'payment_id' <> 'poison')")
    job = job_of(replayer)
    assert work_on_job(replayer, job.id) == "done"
    assert (stands(replayer, job).sent, stands(replayer, job).refused) == (1, 1)
    bury_many(make_desk, database, requested("p1"))
    database.run("UPDATE dead_letters SET state = 'pending', next_replay_at = now() WHERE state = 'parked'")
    make_due(database)
    assert replay_due(replayer, is_tick=False) == Replayed(sent=1, refused=1)


# -- archives and books -----------------------------------------------------------------------------------------------


def test_archives_of_large_letters_are_small_ones(database: Database, queue: Queue) -> None:
    intake_of(database, queue).take([a_record(os.urandom(1_000_000), place) for place in range(20)])
    Changes(database).discard(Choice(), JO)
    sizes = []
    while (archive := Archives(database).put_away(Choice(), 0.0, JO, 1000, None)) is not None:
        sizes.append(archive.letters)
    assert sum(sizes) == 20
    assert max(sizes) <= 9


def test_a_purge_of_what_was_edited_leaves_the_reconciliation_right(
    make_desk: MakeDesk, database: Database, queue: Queue
) -> None:
    intake_of(database, queue).take([a_record(a_message("p1", amount="ten"), 7)])
    edited(database, queue, 1, amount="10.00")
    Archives(database).put_away(Choice(), 0.0, JO, 100, None)
    assert process(make_desk(), queue.sent.pop()[0]) == Settled()
    assert Census(database).buried_records(TOPIC) == {(0, 7): "settled"}


def test_a_redelivery_is_known_after_the_original_of_an_edit_was_purged(
    make_desk: MakeDesk, database: Database, queue: Queue
) -> None:
    record = a_record(a_message("p1", "pending"), 7)
    intake_of(database, queue).take([record])
    refusing = make_desk(gateways={Provider.CANONICAL: FakeGateway(authorize=[REFUSED])})
    assert isinstance(process(refusing, queue.sent.pop()[0]), Buried)
    edited(database, queue, 1, amount='"12.50"')
    assert process(make_desk(), queue.sent.pop()[0]) == Settled()
    Archives(database).put_away(Choice(), 0.0, JO, 100, None)
    taken = intake_of(database, queue).take([record])
    assert (taken.known, taken.dead) == (1, 0)


def test_a_record_that_was_told_twice_and_read_late_is_a_duplicate(
    make_desk: MakeDesk, replayer: ReplayDesk, database: Database, queue: Queue
) -> None:
    small = intake_of(database, queue, max_bytes=10)
    small.take([a_record(a_message("p1"), 1), a_record(a_message("p1"), 2)])
    assert work_on_job(replayer, job_of(replayer).id) == "done"
    assert process(make_desk(), queue.sent.pop()[0]) == Settled()
    assert Census(database).buried_records(TOPIC) == {(0, 1): "settled", (0, 2): "duplicates"}


def test_a_letter_from_elsewhere_does_not_speak_for_a_record_of_ours(database: Database, queue: Queue) -> None:
    intake_of(database, queue).take([a_record(b"theirs", 7)])
    line = msgspec.json.encode(Search(database).record(1))
    database.run("TRUNCATE dead_letters CASCADE")
    intake_of(database, queue).take([a_record(a_message("p1"), 7)])
    assert Transfer(database).take_in([[read_line(line, TOPIC)]], JO).new == 1
    assert Census(database).buried_records(TOPIC) == {}
