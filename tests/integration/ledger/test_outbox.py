import pytest

from payments.failures import MessageTooLarge
from payments.ledger.database import Database
from payments.ledger.lanes import ALL_LANES
from payments.ledger.outbox import Letter, Outbox


def write(database: Database, count: int, topic: str = "events") -> None:
    database.run(
        """
        INSERT INTO outbox (topic, key, payload)
        SELECT %(topic)s, 'k' || n, jsonb_build_object('n', n) FROM generate_series(1, %(count)s) AS told (n)
        """,
        {"topic": topic, "count": count},
    )


def keys(letters: list[Letter]) -> list[str]:
    return [letter.key for letter in letters]


def test_what_waits_is_told_oldest_first_and_no_more_than_asked(database: Database) -> None:
    write(database, 5)
    letters = Outbox(database).waiting(3)
    assert keys(letters) == ["k1", "k2", "k3"]
    assert letters[0].payload == b'{"n": 1}'


def test_only_what_was_sent_is_forgotten(database: Database) -> None:
    write(database, 5)
    outbox = Outbox(database)
    outbox.sent(outbox.waiting(2))
    assert keys(outbox.waiting(10)) == ["k3", "k4", "k5"]
    outbox.sent([])
    assert len(outbox.waiting(10)) == 3


def test_the_lanes_have_every_letter_once_and_all_of_a_key_are_in_one(database: Database) -> None:
    for _ in range(2):
        write(database, 100)
    outbox = Outbox(database)
    lanes = [keys(outbox.waiting(500, [lane])) for lane in ALL_LANES]
    assert sorted(key for lane in lanes for key in lane) == sorted(f"k{n}" for n in range(1, 101) for _ in range(2))
    assert sum(len(set(lane)) for lane in lanes) == 100
    assert min(len(lane) for lane in lanes) > 0


def test_the_oldest_of_several_lanes_come_first(database: Database) -> None:
    write(database, 100)
    outbox = Outbox(database)
    some = outbox.waiting(500, [3, 9])
    assert [letter.letter_id for letter in some] == sorted(letter.letter_id for letter in some)
    assert outbox.waiting(5, [3, 9]) == some[:5]
    assert outbox.waiting(5, []) == []


def test_topics_that_rest_are_left_out(database: Database) -> None:
    for topic in ("a", "b", "c"):
        write(database, 3, topic)
    letters = Outbox(database).waiting(5, resting=["a", "c"])
    assert [letter.topic for letter in letters] == ["b", "b", "b"]


def test_what_tells_of_a_dead_letter_is_set_aside_and_makes_none_of_its_own(database: Database) -> None:
    write(database, 1, "payments.raw.dlq")
    outbox = Outbox(database)
    [letter] = outbox.waiting(10)
    assert outbox.refused(letter, MessageTooLarge("MSG_SIZE_TOO_LARGE", service="kafka")) is None
    assert outbox.waiting(10) == []
    assert database.row("SELECT refused, (SELECT count(*) FROM dead_letters) FROM outbox") == ("MSG_SIZE_TOO_LARGE", 0)


def test_a_letter_that_was_sent_meanwhile_is_not_buried(database: Database) -> None:
    write(database, 1)
    outbox = Outbox(database)
    [letter] = outbox.waiting(10)
    outbox.sent([letter])
    assert outbox.refused(letter, MessageTooLarge("MSG_SIZE_TOO_LARGE", service="kafka")) is None
    assert database.row("SELECT count(*) FROM dead_letters") == (0,)


@pytest.mark.parametrize("count", [1, 30_000])
def test_a_backlog_of_a_topic_that_rests_is_not_walked_through(database: Database, count: int) -> None:
    write(database, count, "away")
    write(database, 1, "there")
    database.run("ANALYZE outbox")
    plan = "\n".join(row[0] for row in database.rows(f"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF) {_waiting()}", _TOLD))
    blocks = int(plan.split("Buffers: shared hit=")[1].split()[0])
    assert blocks < 200, plan


_TOLD = {"limit": 500, "lanes": list(ALL_LANES), "resting": ["away"]}


def _waiting() -> str:
    from payments.ledger import outbox  # noqa: PLC0415 - its statement is looked at here alone

    return outbox._WAITING  # noqa: SLF001 - likewise
