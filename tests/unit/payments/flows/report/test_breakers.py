"""What the changes of breakers say about a window."""

from datetime import timedelta

from payments.flows.report.breakers import KEPT_CHANGES, history
from payments.ledger.reports.window import Window
from tests.reports import SINCE, UNTIL, a_change

WINDOW = Window(since=SINCE, until=UNTIL)
HOUR = 3600.0


def test_a_breaker_is_open_from_its_opening_to_its_next_change() -> None:
    changes = [
        a_change("stripe", "half_open", "closed", 102),
        a_change("stripe", "closed", "open", 60),
        a_change("stripe", "open", "half_open", 100),
    ]
    [told] = history(WINDOW, changes).breakers
    assert (told.openings, told.open_seconds, told.half_open_seconds, told.state) == (1, 40.0, 2.0, "closed")
    assert [(span.state, span.until - span.since) for span in told.spans] == [
        ("open", timedelta(seconds=40)),
        ("half_open", timedelta(seconds=2)),
    ]


def test_one_that_opened_before_the_window_is_open_from_its_beginning() -> None:
    changes = [a_change("stripe", "closed", "open", -500), a_change("stripe", "open", "half_open", 30)]
    [told] = history(WINDOW, changes).breakers
    assert (told.openings, told.open_seconds) == (0, 30.0)
    assert told.half_open_seconds == HOUR - 30


def test_what_the_first_change_says_was_so_before_it() -> None:
    [told] = history(WINDOW, [a_change("stripe", "open", "closed", 90)]).breakers
    assert (told.openings, told.open_seconds) == (0, 90.0)


def test_what_happens_at_the_end_of_the_window_or_later_does_not_count() -> None:
    changes = [a_change("stripe", "closed", "open", HOUR), a_change("paypal", "closed", "open", HOUR - 1)]
    [told] = history(WINDOW, changes).breakers
    assert (told.breaker, told.openings, told.open_seconds, told.state) == ("paypal", 1, 1.0, "open")


def test_an_opening_at_the_beginning_of_the_window_counts() -> None:
    [told] = history(WINDOW, [a_change("stripe", "closed", "open", 0)]).breakers
    assert (told.openings, told.open_seconds) == (1, HOUR)


def test_a_breaker_that_was_closed_all_the_time_is_not_told() -> None:
    changes = [a_change("stripe", "closed", "open", -90), a_change("stripe", "open", "closed", -60)]
    assert history(WINDOW, changes).breakers == ()


def test_a_history_is_incomplete_where_redis_has_forgotten_the_beginning() -> None:
    flips = [a_change("stripe", "closed", "open", place) for place in range(1, KEPT_CHANGES + 1)]
    assert not history(WINDOW, flips).complete
    assert history(WINDOW, flips[1:]).complete
    assert history(WINDOW, [a_change("paypal", "open", "closed", -1), *flips]).complete
