"""What a report counts, of events whose times and failures are known by hand."""

from datetime import UTC, datetime, timedelta

import pytest

from payments.event import Provider
from payments.failures import DatabaseAway, QueueAway, Undecodable
from payments.flows.report.making import make_report
from payments.flows.report.report import ENDINGS, Report
from payments.ledger.database import Database
from payments.ledger.dead_letters.burial import Burial, Corpse, DeadLetters
from payments.ledger.reports import reader as reader_module
from payments.ledger.reports.reader import ReportReader, WrongWindow
from tests.builders import a_record
from tests.integration.flows.report.conftest import MOMENT, NOON, Put, a_failure

HOUR = timedelta(hours=1)


def made(reader: ReportReader, since: datetime | None = NOON - HOUR, until: datetime | None = NOON + HOUR) -> Report:
    return make_report(reader.read(since, until), lambda _: ())


def test_an_empty_ledger_has_a_report_without_a_rate(reader: ReportReader) -> None:
    report = make_report(reader.read(), lambda _: ())
    assert report.totals.by_ending == dict.fromkeys(ENDINGS, 0)
    assert report.totals.success_rate is None
    assert report.errors.error_rate is None
    assert report.recovery.retries.success_rate is None
    assert report.recovery.time_to_effect.p95_seconds is None
    assert report.trend.peak is None
    assert {sum(step.by_ending.values()) for step in report.trend.steps} == {0}
    assert report.recommendations == ()
    assert report.seconds == 86_400


def test_the_window_holds_its_beginning_and_not_its_end(put: Put, reader: ReportReader) -> None:
    for at in (NOON - HOUR - MOMENT, NOON - HOUR, NOON + HOUR - MOMENT, NOON + HOUR):
        put("settled", at, a_failure(at))
    report = made(reader)
    assert report.totals.ended == 2
    assert report.errors.errors == 2
    assert report.recovery.time_to_effect.events == 2
    assert sum(step.errors for step in report.trend.steps) == 2


def test_what_begins_in_the_window_and_ends_after_it_counts_as_failed_and_not_as_ended(
    put: Put, reader: ReportReader
) -> None:
    put("settled", NOON + 2 * HOUR, a_failure(NOON), a_failure(NOON + HOUR))
    put("retrying", None, a_failure(NOON))
    put("settled", NOON)
    report = made(reader)
    assert (report.totals.ended, report.errors.errors, report.errors.events) == (1, 2, 2)
    assert report.errors.error_rate == round(2 / 3, 4)


def test_success_is_the_share_that_did_not_die(put: Put, reader: ReportReader) -> None:
    for state in ("settled", "declined", "superseded", "ignored", "dead"):
        put(state)
    put("settled", NOON, provider=Provider.PAYPAL)
    report = made(reader)
    assert report.totals.success_rate == round(5 / 6, 4)
    assert {each.provider: (each.ended, each.success_rate) for each in report.totals.by_provider} == {
        "stripe": (5, 0.8),
        "paypal": (1, 1.0),
    }


def test_a_record_that_is_no_event_counts_as_rejected_where_it_was_buried(
    database: Database, reader: ReportReader
) -> None:
    burial = Burial(reason="undecodable", failure=Undecodable("$.amount", "negative"))
    corpses = [Corpse(record=a_record(b"no payment", place), burial=burial) for place in range(3)]
    assert DeadLetters(database).bury(corpses) == 3
    database.run("UPDATE dead_letters SET state = 'resolved', resolution = 'superseded', ended_at = now() WHERE id = 1")
    report = make_report(reader.read(datetime.now(UTC) - HOUR), lambda _: ())
    assert report.totals.by_ending["rejected"] == 2  # the third was found to tell what is known
    assert [(each.failure_type, each.errors) for each in report.errors.top] == [("undecodable", 3)]
    assert report.errors.error_rate == 1.0
    assert report.dead_letters.came_in_by_reason == {"undecodable": 3}
    assert report.dead_letters.went_out_by_resolution == {"superseded": 1}


def test_errors_are_told_by_category_and_by_what_they_are(put: Put, reader: ReportReader) -> None:
    first, last = NOON - timedelta(minutes=30), NOON + timedelta(minutes=30)
    put("settled", last, a_failure(first, message="the old words"), a_failure(last, message="the latest words"))
    put("settled", last, a_failure(NOON), a_failure(NOON, "answer_timeout", code="timeout", service="paypal"))
    put("dead", last, a_failure(NOON, "a_type_of_an_older_version"))
    report = made(reader)
    assert [(each.category, each.errors, each.events, each.share) for each in report.errors.by_category] == [
        ("transient", 3, 2, 0.6),
        ("unknown", 2, 2, 0.4),
    ]
    top = report.errors.top[0]
    assert (top.failure_type, top.code, top.service, top.errors, top.share) == (
        *("unavailable", "http_503", "stripe", 3, 0.6),
    )
    assert (top.first_seen_at, top.last_seen_at, top.message) == (first, last, "the latest words")
    assert report.errors.per_hour == 2.5


def test_only_the_most_frequent_errors_are_told_one_by_one_and_the_others_as_a_sum(
    put: Put, reader: ReportReader
) -> None:
    put(
        "settled", NOON, *(a_failure(NOON, code=f"code_{place}") for place in range(20)), a_failure(NOON, code="code_7")
    )
    report = made(reader)
    assert len(report.errors.top) == 15
    assert (report.errors.top[0].code, report.errors.top[0].errors, report.errors.others) == ("code_7", 2, 5)


def test_retries_succeed_where_the_event_took_effect_by_each_type_that_it_met(put: Put, reader: ReportReader) -> None:
    at = NOON - timedelta(minutes=1)
    put("settled", NOON, a_failure(at), a_failure(at, "answer_timeout"))
    put("declined", NOON, a_failure(at))
    put("superseded", NOON, a_failure(at))
    put("dead", NOON, a_failure(at))
    put("retrying", None, a_failure(at))
    report = made(reader)
    told = report.recovery.retries
    assert (told.events, told.took_effect, told.superseded, told.dead, told.unfinished) == (5, 2, 1, 1, 1)
    assert told.success_rate == 0.4
    by_type = {each.failure_type: (each.events, each.took_effect) for each in report.recovery.by_failure_type}
    assert by_type == {"unavailable": (5, 2), "answer_timeout": (1, 1)}


def test_recovery_takes_from_the_first_failure_to_the_effect(put: Put, reader: ReportReader) -> None:
    for seconds in (1, 2, 3, 4, 10):
        put("settled", NOON, a_failure(NOON - timedelta(seconds=seconds)), a_failure(NOON))
    put("superseded", NOON, a_failure(NOON - HOUR))
    told = made(reader).recovery.time_to_effect
    assert (told.events, told.mean_seconds, told.p50_seconds, told.p95_seconds) == (5, 4.0, 3.0, 8.8)


def test_impact_counts_each_payment_once_and_names_no_customer(put: Put, reader: ReportReader) -> None:
    put("dead", NOON, a_failure(NOON), a_failure(NOON), amount_minor=1050, customer_reference="cus_1")
    put("settled", NOON, a_failure(NOON), amount_minor=200, customer_reference="cus_1")
    put("settled", NOON, a_failure(NOON), amount_minor=777, currency="JPY", customer_reference="cus_2")
    put("settled", NOON, amount_minor=99_999)
    told = made(reader).impact
    assert (told.payments, told.open_payments, told.customers) == (3, 1, 2)
    assert [(each.currency, each.amount, each.open_amount) for each in told.money] == [
        ("EUR", "12.50", "10.50"),
        ("JPY", "777", "0"),
    ]


def test_several_events_under_the_names_of_one_payment_are_one_payment(
    put: Put, reader: ReportReader, database: Database
) -> None:
    put("dead", NOON, a_failure(NOON))
    put("settled", NOON, a_failure(NOON))
    database.run("INSERT INTO aliases (alias, ordering_key) VALUES ('stripe:p2', 'stripe:p1')")
    told = made(reader).impact
    assert (told.payments, told.open_payments) == (1, 1)


def test_waits_are_told_by_what_for_whatever_code_a_provider_gives(
    put: Put, reader: ReportReader, database: Database
) -> None:
    waits = {put(): ("circuit_open", 30), put(): ("RATE_LIMIT_REACHED", 4), put(): ("rate_limited", 2)}
    waits[put("settled", NOON + 2 * HOUR)] = ("circuit_open", 500)
    for inbox_id, (code, seconds) in waits.items():
        told = {"id": inbox_id, "code": code, "seconds": seconds}
        statement = (
            "UPDATE inbox SET waiting_for = %(code)s, waited = make_interval(secs => %(seconds)s) WHERE id = %(id)s"
        )
        database.run(statement, told)
    put()
    assert [(each.kind, each.events, each.seconds) for each in made(reader).waits] == [
        ("circuit_open", 1, 30.0),
        ("rate_limited", 2, 6.0),
    ]


def test_a_window_that_lies_the_wrong_way_round_or_is_too_long_is_refused(reader: ReportReader) -> None:
    with pytest.raises(WrongWindow, match="not before"):
        reader.read(NOON, NOON)
    with pytest.raises(WrongWindow, match="not before"):
        reader.read(datetime.now(UTC) + HOUR)
    with pytest.raises(WrongWindow, match="366 days"):
        reader.read(NOON - timedelta(days=367), NOON)


def test_a_window_that_ends_in_the_future_ends_now(reader: ReportReader) -> None:
    counted = reader.read(NOON, datetime.now(UTC) + HOUR)
    assert counted.window.until == counted.at


def test_reading_may_take_longer_than_work_may_and_changes_nothing_for_others(
    reader: ReportReader, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = database.row("SHOW statement_timeout")
    reader.read()
    assert database.row("SHOW statement_timeout") == before
    monkeypatch.setattr(reader_module, "_STATEMENT_TIMEOUT_MS", 1)
    monkeypatch.setattr(reader_module, "ended", lambda connection, _: connection.execute("SELECT pg_sleep(1)"))
    with pytest.raises(DatabaseAway):
        reader.read()


def test_a_report_is_one_moment_of_the_ledger(put: Put, reader: ReportReader, monkeypatch: pytest.MonkeyPatch) -> None:
    put("settled", NOON, a_failure(NOON))
    count = reader_module.ended

    def and_meanwhile(*told: object) -> object:
        found = count(*told)  # type: ignore[arg-type]  # passed on as it came
        put("settled", NOON, a_failure(NOON))
        return found

    monkeypatch.setattr(reader_module, "ended", and_meanwhile)
    report = made(reader)
    assert (report.totals.ended, report.errors.events, report.recovery.retries.events) == (1, 1, 1)


def test_without_redis_the_report_lacks_the_breakers_and_says_why(reader: ReportReader) -> None:
    def away(_: int) -> tuple[()]:
        raise QueueAway("Redis does not answer", service="redis")

    report = make_report(reader.read(), away)
    assert report.breakers is None
    assert report.breakers_unknown == "Redis does not answer"
