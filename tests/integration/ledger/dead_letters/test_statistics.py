from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from payments.ledger.database import Database
from payments.ledger.dead_letters.choice import Choice
from payments.ledger.dead_letters.statistics import DeadLetterStatistics, Rates, Statistics
from tests.integration.ledger.dead_letters.letters import a_letter

AWAY: dict[str, Any] = {"reason": "answer_timeout", "failure_type": "answer_timeout", "category": "unknown"}
BUSY: dict[str, Any] = {"reason": "http_503", "failure_type": "service_unavailable", "category": "transient"}


@pytest.fixture
def numbers(database: Database) -> Statistics:
    """The numbers of letters of every kind."""
    a_letter(database, **AWAY, state="pending", replay_count=2, first_failed=1000.0, criticality="amount_over_limit")
    a_letter(database, provider="paypal", service="paypal", replay_count=3, first_failed=50.0)
    a_letter(database, **BUSY, state="replaying", replay_count=1, first_failed=7200.0)
    a_letter(database, state="resolved", resolution="settled", replay_count=1, first_failed=500.0, ended=100.0)
    a_letter(database, state="resolved", resolution="superseded", replay_count=3, first_failed=300.0, ended=100.0)
    a_letter(
        database, state="discarded", replay_count=1, first_failed=5000.0, ended=30.0, criticality="amount_over_limit"
    )
    edited(database)
    return DeadLetterStatistics(database).read()


def edited(database: Database) -> None:
    """Bury a letter, and the child that took its place: both tell the parent's one replay."""
    told = {"provider": None, "service": "payferry", "first_failed": 4000.0}
    child = a_letter(database, **told, origin="edit", replay_count=2, created=2000.0)
    a_letter(database, **told, state="resolved", resolution="replaced", replaced_by=child, replay_count=1, ended=2000.0)


def test_letters_are_counted_by_state_and_by_how_they_were_resolved(numbers: Statistics) -> None:
    assert (numbers.total, numbers.open) == (8, 4)
    assert numbers.by_state == {"pending": 1, "replaying": 1, "parked": 2, "resolved": 3, "discarded": 1}
    assert numbers.by_resolution == {"settled": 1, "superseded": 1, "replaced": 1}


def test_the_depths_are_those_of_open_letters(numbers: Statistics) -> None:
    assert numbers.by_failure_type == {"answer_timeout": 1, "service_unavailable": 1, "validation_failed": 2}
    assert numbers.by_category == {"unknown": 1, "transient": 1, "permanent": 2}
    assert numbers.by_reason == {"answer_timeout": 1, "http_503": 1, "validation_failed": 2}
    assert numbers.by_service == {"stripe": 2, "paypal": 1, "payferry": 1}
    assert numbers.by_provider == {"stripe": 2, "paypal": 1, "unknown": 1}
    assert numbers.critical == 1


def test_the_oldest_is_the_oldest_of_the_open_ones(numbers: Statistics) -> None:
    assert numbers.oldest_open_seconds == pytest.approx(7200.0, abs=10.0)
    assert numbers.oldest_open_at is not None
    assert abs(datetime.now(UTC) - timedelta(hours=2) - numbers.oldest_open_at) < timedelta(seconds=10)


def test_a_replay_under_way_has_neither_succeeded_nor_failed_and_an_edit_counts_no_replay_twice(
    numbers: Statistics,
) -> None:
    assert (numbers.replays, numbers.replays_succeeded, numbers.replays_failed) == (13, 2, 10)
    assert numbers.replay_success_rate == round(2 / 12, 4)


def test_the_time_to_resolution_is_the_mean_of_what_a_replay_resolved(numbers: Statistics) -> None:
    assert numbers.mttr_seconds == (400.0 + 200.0) / 2


def test_rates_count_what_came_in_and_went_out_within_their_time(numbers: Statistics) -> None:
    assert numbers.last_minute == Rates(
        seconds=60, came_in=1, went_out=1, in_per_second=round(1 / 60, 4), out_per_second=round(1 / 60, 4)
    )
    assert numbers.last_hour == Rates(
        seconds=3600, came_in=5, went_out=4, in_per_second=round(5 / 3600, 4), out_per_second=round(4 / 3600, 4)
    )


@pytest.mark.usefixtures("numbers")
def test_the_numbers_of_a_choice_are_those_of_its_letters_alone(database: Database) -> None:
    statistics = DeadLetterStatistics(database)
    stripe = statistics.read(Choice(provider="stripe"))
    assert (stripe.total, stripe.open, stripe.by_provider) == (5, 2, {"stripe": 2})
    assert (stripe.replays, stripe.replays_succeeded, stripe.replays_failed) == (8, 2, 5)
    found = statistics.read(Choice(contains="request is wrong", states=("pending",)))
    assert (found.total, found.by_reason) == (1, {"answer_timeout": 1})


def test_an_empty_graveyard_has_no_rate_no_time_and_no_oldest(database: Database) -> None:
    nothing = DeadLetterStatistics(database).read()
    assert (nothing.total, nothing.open, nothing.by_state, nothing.by_reason) == (0, 0, {}, {})
    assert (nothing.replay_success_rate, nothing.mttr_seconds) == (None, None)
    assert (nothing.oldest_open_at, nothing.oldest_open_seconds) == (None, 0.0)
    assert (nothing.last_hour.came_in, nothing.last_hour.out_per_second) == (0, 0.0)


def test_where_no_replay_has_ended_there_is_no_rate(database: Database) -> None:
    a_letter(database, state="replaying", replay_count=1)
    statistics = DeadLetterStatistics(database).read()
    assert (statistics.replays, statistics.replays_failed, statistics.replay_success_rate) == (1, 0, None)
