"""Topics that rest and outages that are told, without a clock."""

from payments.streams.topics import Outage, Topics

ALERT = 600.0


def make_topics() -> Topics:
    return Topics(lambda failures: 2.0**failures, ALERT)


def test_an_outage_is_told_once_when_it_has_lasted_long_enough() -> None:
    outage = Outage()
    outage.failed(10.0)
    outage.failed(300.0)
    assert outage.alarm(609.9, ALERT) is None
    assert outage.alarm(610.0, ALERT) == 600.0
    assert outage.alarm(1000.0, ALERT) is None


def test_the_end_of_an_outage_is_told_with_its_length_where_its_beginning_was() -> None:
    outage = Outage()
    outage.failed(10.0)
    outage.alarm(700.0, ALERT)
    assert outage.succeeded(710.0) == 700.0
    assert outage.succeeded(720.0) is None


def test_a_short_outage_is_told_to_nobody() -> None:
    outage = Outage()
    outage.failed(10.0)
    assert outage.succeeded(20.0) is None
    assert outage.alarm(10_000.0, ALERT) is None


def test_each_outage_is_told_of() -> None:
    outage = Outage()
    for begin in (0.0, 5000.0):
        outage.failed(begin)
        assert outage.alarm(begin + ALERT, ALERT) == ALERT
        assert outage.succeeded(begin + 700.0) == 700.0


def test_without_a_failure_there_is_no_outage() -> None:
    outage = Outage()
    assert outage.succeeded(1.0) is None
    assert outage.alarm(10_000.0, ALERT) is None


def test_a_topic_rests_longer_with_each_failure_in_a_row() -> None:
    topics = make_topics()
    assert topics.failed("a", "unknown_topic", 0.0, 0.0) == 2.0
    assert topics.resting(1.9) == ("a",)
    assert topics.resting(2.0) == ()
    assert topics.failed("a", "unknown_topic", 2.0, 2.0) == 4.0
    topics.succeeded("a", 6.0)
    assert topics.failed("a", "unknown_topic", 7.0, 7.0) == 2.0


def test_a_topic_rests_at_least_as_long_as_the_breaker_is_open() -> None:
    topics = make_topics()
    assert topics.failed("a", "circuit_open", 0.0, 0.0, at_least_seconds=30.0) == 30.0
    assert topics.resting(29.0) == ("a",)


def test_topics_rest_and_are_out_each_by_itself() -> None:
    topics = make_topics()
    topics.failed("a", "unknown_topic", 0.0, 0.0)
    topics.failed("b", "broker_timeout", 500.0, 500.0)
    topics.succeeded("c", 500.0)
    assert topics.resting(501.0) == ("b",)
    assert topics.alarms(600.0) == [("a", "unknown_topic", 600.0)]
    assert topics.alarms(1100.0) == [("b", "broker_timeout", 600.0)]


def test_a_topic_for_which_nothing_waits_any_more_is_found_once_it_has_rested() -> None:
    topics = make_topics()
    topics.failed("a", "unknown_topic", 0.0, 0.0)
    assert topics.unasked([], 1.0) == ()
    assert topics.unasked(["a"], 3.0) == ()
    assert topics.unasked(["b"], 3.0) == ("a",)
