from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from payments.ledger.database import Database, DatabasePolicy
from payments.ledger.dead_letters.choice import OPEN, Choice
from payments.ledger.dead_letters.search import Search
from tests.integration.ledger.dead_letters.letters import a_letter
from workers.embedded.postgres import Postgres

DAY = 86_400.0
KIB_64 = 65_536
PLACE = "stripe capture"

LETTERS: dict[str, dict[str, Any]] = {
    "timeout": {
        "ordering_key": "stripe:p1",
        "event_id": "evt_1",
        "payload": b'{"id":"evt_1","note":"100%_\\\\d+ of the Price","email":"Jo@Example.com"}',
        "state": "pending",
        "reason": "answer_timeout",
        "failure_type": "answer_timeout",
        "category": "unknown",
        "message": "No answer within 5 s",
        "fingerprint": "aaaaaaaaaaaaaaaa",
        "first_failed": 10 * DAY,
    },
    "refused": {"ordering_key": "stripe:p2", "event_id": "evt_2", "first_failed": 5 * DAY},
    "other provider": {
        "provider": "razorpay",
        "service": "razorpay",
        "ordering_key": "razorpay:p1",
        "reason": "answer_timeout",
        "failure_type": "answer_timeout",
        "category": "unknown",
        "fingerprint": "bbbbbbbbbbbbbbbb",
        "first_failed": 4 * DAY,
    },
    "order": {
        "provider": "paypal",
        "ordering_key": "paypal:ORD1",
        "state": "resolved",
        "resolution": "settled",
        "ended": 0.0,
        "first_failed": 3 * DAY,
    },
    "capture": {
        "provider": "paypal",
        "ordering_key": "paypal:CAP1",
        "state": "discarded",
        "ended": 0.0,
        "first_failed": 2 * DAY,
    },
    "at work": {"ordering_key": "stripe:p3", "state": "replaying", "category": "transient", "first_failed": DAY},
    "no event": {
        "origin": "intake",
        "provider": None,
        "payload": b'\xff\x00{"name":"M\xc3\xbcller"}\x00\\303\\',
        "reason": "undecodable",
        "failure_type": "undecodable",
        "service": "payferry",
        "fingerprint": "cccccccccccccccc",
        "first_failed": 60.0,
    },
}
ALL = set(LETTERS)
IN_OLD_DAYS = datetime.now(UTC) - timedelta(days=4.5)


@pytest.fixture(scope="module")
def database(postgres: Postgres) -> Iterator[Database]:
    """One database for all questions of this file that are about the same letters."""
    url = postgres.fresh_database("searched", template="template_payferry")
    opened = Database(url, DatabasePolicy(pool_size=2, connect_timeout_seconds=3, statement_timeout_ms=10_000))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def names(database: Database) -> dict[int, str]:
    """The letters' names by number, the oldest first."""
    database.run("INSERT INTO aliases (alias, ordering_key) VALUES ('paypal:CAP1', 'paypal:ORD1')")
    return {a_letter(database, **told): name for name, told in LETTERS.items()}


@pytest.fixture
def empty(emptied_database_url: str) -> Iterator[Database]:
    """A database without letters, for tests that bring their own."""
    opened = Database(
        emptied_database_url, DatabasePolicy(pool_size=2, connect_timeout_seconds=3, statement_timeout_ms=10_000)
    )
    yield opened
    opened.close()


CASES: list[tuple[dict[str, Any], set[str]]] = [
    ({}, ALL),
    ({"provider": "stripe"}, {"timeout", "refused", "at work"}),
    ({"provider": "unknown"}, {"no event"}),
    ({"provider": "canonical"}, set()),
    ({"reason": "answer_timeout"}, {"timeout", "other provider"}),
    ({"reason": "answer"}, set()),
    ({"category": "transient"}, {"at work"}),
    ({"category": "permanent"}, ALL - {"timeout", "other provider", "at work"}),
    ({"states": ("pending",)}, {"timeout"}),
    ({"states": ("replaying",)}, {"at work"}),
    ({"states": ("resolved",)}, {"order"}),
    ({"states": ("discarded",)}, {"capture"}),
    ({"states": OPEN}, {"timeout", "refused", "other provider", "no event"}),
    ({"payment": "stripe:p1"}, {"timeout"}),
    ({"payment": "p1"}, {"timeout", "other provider"}),
    ({"payment": "paypal:ORD1"}, {"order", "capture"}),
    ({"payment": "CAP1"}, {"order", "capture"}),
    ({"payment": "p"}, set()),
    ({"since": IN_OLD_DAYS}, ALL - {"timeout", "refused"}),
    ({"until": IN_OLD_DAYS}, {"timeout", "refused"}),
    ({"since": IN_OLD_DAYS, "until": IN_OLD_DAYS + timedelta(days=2)}, {"other provider", "order"}),
    ({"older_than_seconds": 2.5 * DAY}, {"timeout", "refused", "other provider", "order"}),
    ({"fingerprint": "0123456789abcdef"}, {"refused", "order", "capture", "at work"}),
    ({"fingerprint": "0123"}, set()),
    ({"service": "razorpay"}, {"other provider"}),
    ({"but_category": "permanent"}, {"timeout", "other provider", "at work"}),
    ({"provider": "stripe", "states": OPEN, "category": "permanent"}, {"refused"}),
    ({"provider": "stripe", "reason": "answer_timeout", "older_than_seconds": 9 * DAY}, {"timeout"}),
    ({"provider": "razorpay", "payment": "p1"}, {"other provider"}),
    ({"payment": "ORD1", "states": ("discarded",)}, {"capture"}),
    ({"fingerprint": "0123456789abcdef", "until": IN_OLD_DAYS}, {"refused"}),
    ({"reason": "answer_timeout", "since": IN_OLD_DAYS, "states": ("pending",)}, set()),
]


@pytest.mark.parametrize(
    ("told", "expected"), CASES, ids=[f"{place}-{'+'.join(told)}" for place, (told, _) in enumerate(CASES)]
)
def test_every_filter_that_is_told_must_hold(
    database: Database, names: dict[int, str], told: dict[str, Any], expected: set[str]
) -> None:
    search = Search(database)
    page = search.page(Choice(**told), 50)
    assert {names[letter.id] for letter in page.letters} == expected
    assert (page.after, search.count(Choice(**told))) == (None, len(expected))
    assert sum(group.count for group in search.groups(Choice(**told), 50)) == len(expected)


WORDS: list[tuple[str, set[str]]] = [
    ("evt_1", {"timeout"}),
    ("EVT_1", {"timeout"}),
    ("jo@example.com", {"timeout"}),
    ("JO@EXAMPLE", {"timeout"}),
    ("of the price", {"timeout"}),
    ("no answer within 5 s", {"timeout"}),
    ('"note":"100%_\\\\d+ of', {"timeout"}),
    ("100%", {"timeout"}),
    ("1%0", set()),
    ("1_0", set()),
    (".*", set()),
    ("\\d+", {"timeout"}),
    ("within 5 s\n{", {"timeout"}),
    ("request is WRONG", ALL - {"timeout"}),
    ("q", {"refused", "other provider", "order", "capture", "at work", "no event"}),
    ("zzz", set()),
    ("Müller", {"no event"}),
    ("ller", {"no event"}),
    ("\udcff", {"no event"}),
    ("303", {"no event"}),
    ("\\303\\", {"no event"}),
    ("274", set()),
    ("", ALL),
]


@pytest.mark.parametrize(("words", "expected"), WORDS)
def test_words_are_found_in_payload_and_message_wherever_they_stand(
    database: Database, names: dict[int, str], words: str, expected: set[str]
) -> None:
    search = Search(database)
    assert {names[letter.id] for letter in search.page(Choice(contains=words), 50).letters} == expected
    assert search.count(Choice(contains=words)) == len(expected)


def test_every_part_of_a_payload_is_found(database: Database, names: dict[int, str]) -> None:
    search = Search(database)
    [letter_id] = (number for number, name in names.items() if name == "timeout")
    text = LETTERS["timeout"]["payload"].decode()
    for length in (1, 2, 3, 7):
        for begin in range(len(text) - length + 1):
            found = search.page(Choice(contains=text[begin : begin + length]), 50).letters
            assert letter_id in {letter.id for letter in found}, text[begin : begin + length]


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"contains": "wrong", "provider": "paypal"}, {"order", "capture"}),
        ({"contains": "wrong", "states": OPEN}, {"refused", "other provider", "no event"}),
        ({"contains": "wrong", "payment": "p2"}, {"refused"}),
        ({"contains": "wrong", "payment": "p1"}, {"other provider"}),
        ({"contains": "wrong", "fingerprint": "cccccccccccccccc"}, {"no event"}),
        ({"contains": "wrong", "until": IN_OLD_DAYS}, {"refused"}),
        ({"contains": "evt_1", "reason": "undecodable"}, set()),
    ],
)
def test_words_go_together_with_other_filters(
    database: Database, names: dict[int, str], told: dict[str, Any], expected: set[str]
) -> None:
    found = Search(database).page(Choice(**told), 50).letters
    assert {names[letter.id] for letter in found} == expected


def test_letters_are_chosen_by_their_numbers(database: Database, names: dict[int, str]) -> None:
    first, *_, last = names
    search = Search(database)
    assert [letter.id for letter in search.page(Choice(ids=(first, last, 999_999)), 50).letters] == [last, first]
    assert search.count(Choice(ids=(first, last), provider="stripe")) == 1
    assert search.count(Choice(ids=(first, last), contains="evt_1")) == 1


def test_a_line_of_a_listing_says_what_the_letter_is(database: Database, names: dict[int, str]) -> None:
    [brief] = Search(database).page(Choice(payment="stripe:p1"), 50).letters
    assert (names[brief.id], brief.state, brief.provider, brief.payment) == (
        "timeout",
        "pending",
        "stripe",
        "stripe:p1",
    )
    assert (brief.reason, brief.category, brief.event_id) == ("answer_timeout", "unknown", "evt_1")
    assert (brief.message, brief.service, brief.replay_count) == ("No answer within 5 s", "stripe", 0)
    assert brief.first_failed_at < brief.next_replay_at < datetime.now(UTC)  # type: ignore[operator] - it is pending


@pytest.mark.parametrize("told", [{}, {"contains": "wrong"}, {"states": OPEN}])
@pytest.mark.parametrize("limit", [1, 2, 3, 7, 50])
def test_pages_leave_no_letter_out_and_tell_none_twice(
    database: Database, names: dict[int, str], told: dict[str, Any], limit: int
) -> None:
    search, choice = Search(database), Choice(**told)
    seen, after = [], None
    while (page := search.page(choice, limit, after)).after is not None:
        assert len(page.letters) == limit
        seen += page.letters
        after = page.after
    seen += page.letters
    numbers = [letter.id for letter in seen]
    assert numbers == sorted(numbers, reverse=True)
    assert set(numbers) == {letter.id for letter in search.page(choice, 1000).letters}
    assert set(numbers) <= set(names)


def test_a_letter_that_comes_between_two_pages_shifts_nothing(empty: Database) -> None:
    search = Search(empty)
    numbers = [a_letter(empty) for _ in range(4)]
    first = search.page(Choice(), 2)
    a_letter(empty)
    second = search.page(Choice(), 2, first.after)
    assert [letter.id for letter in (*first.letters, *second.letters)] == numbers[::-1]
    assert second.after is None


def test_an_empty_listing_is_the_last_page(empty: Database) -> None:
    page = Search(empty).page(Choice(contains="x"), 10)
    assert (page.letters, page.after) == ((), None)
    assert Search(empty).groups(Choice(), 10) == []


def test_words_are_found_up_to_the_end_of_the_first_64_kib(empty: Database) -> None:
    a_letter(empty, payload=b"x" * (KIB_64 - 3) + b"abcdef", message="m" * 500)
    search = Search(empty)
    assert search.count(Choice(contains="xabc")) == 1
    assert search.count(Choice(contains="abcd")) == 0


def test_words_of_a_message_are_those_of_the_latest_failure(empty: Database) -> None:
    letter_id = a_letter(empty, message="it was away", payload=b"kept")
    empty.run("UPDATE dead_letters SET message = 'Nobody answered' WHERE id = %(id)s", {"id": letter_id})
    search = Search(empty)
    assert search.count(Choice(contains="was away")) == 0
    assert search.count(Choice(contains="nobody")) == 1
    assert search.count(Choice(contains="kept")) == 1


def test_letters_that_died_of_the_same_make_a_group(empty: Database) -> None:
    told = {"fingerprint": "a" * 16, "reason": "answer_timeout", "failure_type": "answer_timeout"}
    a_letter(empty, **told, state="pending", first_failed=300.0, created=200.0)
    a_letter(empty, **told, provider="paypal", first_failed=100.0)
    a_letter(empty, **told, provider=None, first_failed=100.0)
    latest = a_letter(empty, **told, message="the latest", first_failed=100.0, created=50.0)
    a_letter(empty, fingerprint="b" * 16)
    group, other = Search(empty).groups(Choice(), 10)
    assert (group.fingerprint, group.count, group.states) == ("a" * 16, 4, {"pending": 1, "parked": 3})
    assert (group.reason, group.failure_type, group.category) == ("answer_timeout", "answer_timeout", "permanent")
    assert (group.providers, f"{group.service} {group.operation}") == (["paypal", "stripe", "unknown"], PLACE)
    assert (group.example_id, group.message) == (latest, "the latest")
    assert (group.last_failed_at - group.first_failed_at).total_seconds() == pytest.approx(250.0, abs=5.0)
    assert (other.fingerprint, other.count) == ("b" * 16, 1)


def test_the_largest_groups_come_first_and_equals_by_their_fingerprints(empty: Database) -> None:
    for mark, number in (("c", 1), ("b", 3), ("a", 1)):
        for _ in range(number):
            a_letter(empty, fingerprint=mark * 16)
    search = Search(empty)
    assert [group.fingerprint[0] for group in search.groups(Choice(), 10)] == ["b", "a", "c"]
    assert [group.fingerprint[0] for group in search.groups(Choice(), 1)] == ["b"]
    assert [group.count for group in search.groups(Choice(fingerprint="c" * 16), 10)] == [1]


def test_a_letter_is_told_whole_and_unknown_numbers_are_none(empty: Database) -> None:
    letter_id = a_letter(empty, payload=b"\x00\xff", message="why")
    search = Search(empty)
    record = search.record(letter_id)
    assert record is not None
    assert (record["id"], record["message"], record["payload"]) == (letter_id, "why", "AP8=")
    assert search.payload(letter_id) == b"\x00\xff"
    assert (search.record(99), search.payload(99), search.audit(99)) == (None, None, [])


def test_all_letters_are_told_whole_the_oldest_first_however_few_are_read_at_once(empty: Database) -> None:
    numbers = [a_letter(empty, provider=provider) for provider in ("stripe", "paypal", "stripe", "stripe")]
    told = list(Search(empty).whole(Choice(provider="stripe"), size=2))
    assert [f'"id": {number},' in line for number, line in zip(numbers[:1] + numbers[2:], told, strict=True)] == [
        True,
        True,
        True,
    ]
