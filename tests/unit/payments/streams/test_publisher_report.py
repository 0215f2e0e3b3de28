"""What a publisher tells of itself, and when it calls itself well."""

import msgspec
import pytest

from payments.streams.publisher_report import PublishTally


def test_nothing_published_is_no_fault() -> None:
    report = PublishTally().report(0.0, "closed")
    assert (report.published, report.failed, report.retried, report.error_rate) == (0, 0, 0, 0.0)
    assert (report.publish_seconds_mean, report.last_error, report.last_error_at) == (None, None, None)
    assert report.healthy


def test_it_counts_messages_and_times_batches() -> None:
    tally = PublishTally()
    tally.count(0.0, 1.0, 10, 0)
    tally.count(1.0, 1.5, 10, 0)
    report = tally.report(2.0, "closed")
    assert (report.published, report.publish_seconds_mean, report.publish_seconds_max) == (20, 0.75, 1.0)


def test_totals_stay_and_rates_are_those_of_the_last_minute() -> None:
    tally = PublishTally()
    tally.count(0.0, 1.0, 0, 5, "broker_timeout")
    tally.count(30.0, 31.0, 15, 0)
    assert tally.report(60.0, "closed").error_rate == 0.25
    later = tally.report(62.0, "closed")
    assert (later.error_rate, later.failed, later.published) == (0.0, 5, 15)
    assert later.last_error == "broker_timeout"
    assert tally.report(1000.0, "closed").publish_seconds_max is None


@pytest.mark.parametrize(
    ("failed", "breaker", "healthy"),
    [(9, "closed", True), (9, "half_open", True), (9, "open", False), (10, "closed", False), (100, "closed", False)],
)
def test_it_is_well_while_less_than_a_tenth_fails_and_the_breaker_is_not_open(
    failed: int,
    breaker: str,
    healthy: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    tally = PublishTally()
    tally.count(0.0, 1.0, 100 - failed, failed, "broker_timeout" if failed else None)
    assert tally.report(2.0, breaker).healthy is healthy


def test_what_is_told_can_be_written_as_json_with_the_verdict() -> None:
    tally = PublishTally()
    tally.count(0.0, 1.0, 1, 1, "broker_timeout")
    told = msgspec.json.decode(msgspec.json.encode(tally.report(2.0, "closed").told()))
    assert (told["healthy"], told["last_error"], told["breaker"]) == (False, "broker_timeout", "closed")
    assert told["last_error_at"].endswith("+00:00")
