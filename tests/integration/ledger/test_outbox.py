from concurrent.futures import ThreadPoolExecutor

import pytest

from payments.ledger.database import Database
from payments.ledger.outbox import Outbox


def write(database: Database, count: int) -> None:
    database.run(
        """
        INSERT INTO outbox (topic, key, payload)
        SELECT 'events', 'k' || n, jsonb_build_object('n', n) FROM generate_series(1, %(count)s) AS told (n)
        """,
        {"count": count},
    )


def test_what_waits_is_told_oldest_first_and_no_more_than_asked(database: Database) -> None:
    write(database, 5)
    letters = Outbox(database).waiting(3)
    assert [letter.key for letter in letters] == ["k1", "k2", "k3"]
    assert letters[0].payload == b'{"n": 1}'


def test_only_what_was_sent_is_forgotten(database: Database) -> None:
    write(database, 5)
    outbox = Outbox(database)
    outbox.sent(outbox.waiting(2))
    assert [letter.key for letter in outbox.waiting(10)] == ["k3", "k4", "k5"]
    outbox.sent([])
    assert len(outbox.waiting(10)) == 3


def test_the_turn_is_held_by_one_and_given_back(database: Database) -> None:
    first, second = Outbox(database), Outbox(database)
    with first.turn() as mine:
        assert mine()
        with second.turn() as theirs:
            assert not theirs()
    with second.turn() as theirs:
        assert theirs()


def test_the_turn_is_given_back_when_the_work_fails(database: Database) -> None:
    outbox = Outbox(database)
    with pytest.raises(ZeroDivisionError), outbox.turn():
        raise ZeroDivisionError
    with outbox.turn() as mine:
        assert mine()


def test_one_of_many_has_the_turn(database: Database) -> None:
    outbox = Outbox(database)

    def try_to(_number: int) -> bool:
        with outbox.turn() as mine:
            return mine()

    with outbox.turn() as mine, ThreadPoolExecutor(3) as pool:
        assert mine()
        assert not any(pool.map(try_to, range(6)))
