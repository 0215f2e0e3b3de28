"""What a report says of events that real flows have worked off, buried and replayed."""

from datetime import UTC, datetime, timedelta
from typing import cast

from payments.event import Provider
from payments.flows.dead_letters.desk import ReplayDesk
from payments.flows.dead_letters.editing import edit, edited_event, with_values
from payments.flows.dead_letters.replay import replay_due
from payments.flows.process import process
from payments.flows.report.making import make_report
from payments.flows.report.report import Report
from payments.ledger.database import Database
from payments.ledger.dead_letters.actor import Actor
from payments.ledger.dead_letters.changes import Changes
from payments.ledger.reports.reader import ReportReader
from payments.queue.wakeups import Wakeups
from payments.resilience.breaker_state import BreakerEvent
from tests.builders import a_message, a_record
from tests.fake_gateway import FakeGateway, refusal
from tests.integration.flows.conftest import MakeDesk, Queue
from tests.integration.flows.dead_letters.letters import (
    BUSY,
    MOST_BYTES,
    REFUSED,
    bury_many,
    intake_of,
    make_due,
    receive,
    requested,
)

JO = Actor("jo@desk", "the amount was mistyped")


def report_of(reader: ReportReader, *changes: BreakerEvent) -> Report:
    return make_report(reader.read(datetime.now(UTC) - timedelta(hours=1)), lambda _: changes)


def test_retries_replays_and_what_died_are_told(
    make_desk: MakeDesk, replayer: ReplayDesk, queue: Queue, reader: ReportReader, database: Database
) -> None:
    mended = bury_many(make_desk, database, requested("p1"), requested("p2"))
    make_due(database)
    assert replay_due(replayer, is_tick=False).sent == 2
    process(mended, queue.sent[0][0])

    gateway = FakeGateway(capture=[BUSY], authorize=[])
    slow = make_desk(gateways=dict.fromkeys(Provider, gateway))
    [slow_id] = receive(database, requested("p3"))
    process(slow, slow_id)
    database.run("UPDATE inbox SET due_at = now() WHERE id = %(id)s", {"id": slow_id})
    process(slow, slow_id)

    refusing = make_desk(gateways=dict.fromkeys(Provider, FakeGateway(authorize=[REFUSED])))
    [refused_id] = receive(database, requested("p4"))
    process(refusing, refused_id)

    report = report_of(reader)
    assert report.totals.by_ending["settled"] == 2
    assert report.totals.by_ending["dead"] == 1
    assert report.errors.errors == 4
    assert {each.failure_type: each.errors for each in report.errors.by_type} == {"unavailable": 3, "refused": 1}
    told = report.recovery.retries
    assert (told.events, told.took_effect, told.dead, told.unfinished) == (4, 2, 1, 1)
    replays = report.recovery.replays
    assert (replays.sent, replays.succeeded, replays.failed, replays.success_rate) == (2, 1, 0, 1.0)
    assert report.impact.payments == 4
    assert report.impact.open_payments == 2
    assert report.dead_letters.by_state == {"replaying": 1, "parked": 1}
    assert report.dead_letters.came_in == 3
    assert report.dead_letters.went_out_by_resolution == {"settled": 1}
    assert report.standing.unfinished == {"received": 1}
    assert report.recovery.time_to_effect.events == 2


def test_what_a_saga_has_taken_back_is_one_error(make_desk: MakeDesk, reader: ReportReader, database: Database) -> None:
    desk = make_desk(gateways=dict.fromkeys(Provider, FakeGateway(capture=[REFUSED])))
    [inbox_id] = receive(database, requested("p1"))
    process(desk, inbox_id)
    row = database.row("SELECT state::TEXT, jsonb_array_length(failures) FROM inbox")
    assert row == ("dead", 2)  # the refusal, and that what was done was taken back
    assert report_of(reader).errors.errors == 1


def test_a_decline_is_no_error(make_desk: MakeDesk, reader: ReportReader, database: Database) -> None:
    desk = make_desk(gateways=dict.fromkeys(Provider, FakeGateway(authorize=[refusal("card_declined")])))
    [inbox_id] = receive(database, requested("p1"))
    process(desk, inbox_id)
    report = report_of(reader)
    assert (report.totals.by_ending["declined"], report.errors.errors, report.totals.success_rate) == (1, 0, 1.0)


def test_an_edit_is_no_new_letter_and_what_it_replaces_went_nowhere(
    make_desk: MakeDesk, queue: Queue, reader: ReportReader, database: Database
) -> None:
    assert intake_of(database, queue).take([a_record(a_message("p1", "pending"), 7)]).new == 1
    refusing = make_desk(gateways=dict.fromkeys(Provider, FakeGateway(authorize=[REFUSED])))
    process(refusing, queue.sent.pop()[0])
    changes = Changes(database)
    original = changes.original(1)
    assert original is not None
    payload = with_values(original.payload, [("amount", "12.50")])
    edit(changes, cast("Wakeups", queue), original, payload, edited_event(original, payload, MOST_BYTES), JO)
    told = report_of(reader).dead_letters
    assert (told.came_in, told.went_out, told.by_state) == (1, 0, {"replaying": 1})
    process(make_desk(), queue.sent.pop()[0])
    report = report_of(reader)
    assert (report.dead_letters.came_in, report.dead_letters.went_out_by_resolution) == (1, {"settled": 1})
    assert (report.recovery.replays.sent, report.recovery.replays.succeeded) == (1, 1)
    assert report.impact.money[0].amount == "12.50"
