"""How long nobody has attended to the dead letters."""

import pytest

from payments.ledger.database import Database
from payments.ledger.dead_letters.actor import Actor
from payments.ledger.dead_letters.attention import Attention, DeadLetterAttention
from payments.ledger.dead_letters.changes import Changes
from payments.ledger.dead_letters.choice import Choice
from tests.integration.ledger.dead_letters.letters import a_letter


@pytest.fixture
def attention(database: Database) -> DeadLetterAttention:
    return DeadLetterAttention(database)


def about(seconds: float) -> object:
    return pytest.approx(seconds, abs=10.0)


def test_without_a_letter_nothing_waits_for_attention(attention: DeadLetterAttention) -> None:
    none = {"succeeded": 0, "failed": 0}
    assert attention.read() == Attention(parked_unseen_seconds=0.0, last_processed_seconds=None, replays_lately=none)


def test_the_parked_letter_that_was_touched_longest_ago_counts(
    database: Database, attention: DeadLetterAttention
) -> None:
    a_letter(database, state="pending", first_failed=9000.0)
    a_letter(database, state="parked", first_failed=8000.0, created=500.0)
    a_letter(database, state="parked", first_failed=300.0)
    assert attention.read().parked_unseen_seconds == about(500.0)


def test_what_a_person_has_just_parked_was_seen(database: Database, attention: DeadLetterAttention) -> None:
    a_letter(database, state="pending", first_failed=90_000.0)
    assert Changes(database).park(Choice(), Actor(who="jo@box", why=None)) == 1
    assert attention.read().parked_unseen_seconds == about(0.0)


def test_before_anything_was_processed_the_time_since_the_first_burial_counts(
    database: Database, attention: DeadLetterAttention
) -> None:
    a_letter(database, first_failed=700.0)
    a_letter(database, first_failed=200.0)
    assert attention.read().last_processed_seconds == about(700.0)
    a_letter(database, state="discarded", first_failed=9000.0, ended=60.0)
    assert attention.read().last_processed_seconds == about(60.0)


def test_what_was_sent_back_was_processed_then(database: Database, attention: DeadLetterAttention) -> None:
    sent_back(database, a_letter(database, state="replaying", replay_count=1, first_failed=9000.0), "sent", 40)
    assert attention.read().last_processed_seconds == about(40.0)


def test_replays_of_the_last_hour_are_counted_by_how_they_ended(
    database: Database, attention: DeadLetterAttention
) -> None:
    a_letter(database, state="resolved", resolution="settled", replay_count=1, first_failed=9000.0, ended=60.0)
    a_letter(database, state="resolved", resolution="settled", replay_count=1, first_failed=9000.0, ended=3700.0)
    a_letter(database, state="resolved", resolution="replaced", replay_count=1, first_failed=9000.0, ended=60.0)
    again = a_letter(database, state="parked", replay_count=2, first_failed=60.0)
    for mark, ago in (("failed", 3700), ("sent", 100), ("failed", 90)):
        sent_back(database, again, mark, ago)
    assert attention.read().replays_lately == {"succeeded": 1, "failed": 1}


def sent_back(database: Database, letter: int, mark: str, ago_seconds: int) -> None:
    """Add a line to the replays of a letter."""
    database.run(
        """
        UPDATE dead_letters
           SET replays = replays || jsonb_build_array(jsonb_build_object(
                   'mark', %(mark)s::TEXT, 'at', now() - make_interval(secs => %(ago)s)))
         WHERE id = %(id)s
        """,
        {"id": letter, "mark": mark, "ago": ago_seconds},
    )
