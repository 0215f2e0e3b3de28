from typing import cast

import msgspec
import pytest

from payments.event import Kind, Provider
from payments.failures import Undecodable
from payments.flows.dead_letters.editing import edit, edited_event, with_values
from payments.flows.ending import Buried, Settled
from payments.flows.process import process
from payments.ledger.database import Database
from payments.ledger.dead_letters.actor import Actor
from payments.ledger.dead_letters.changes import Changes, Edited, NotPossible, Original
from payments.queue.wakeups import Wakeups
from tests.builders import a_message, a_record
from tests.fake_gateway import FakeGateway
from tests.integration.flows.conftest import MakeDesk, Queue
from tests.integration.flows.dead_letters.letters import MOST_BYTES, REFUSED, intake_of, letters

JO = Actor("jo@desk", "the amount was mistyped")


def buried(make_desk: MakeDesk, database: Database, queue: Queue, **told: object) -> int:
    """Bury the event of a canonical message for good, and return its letter."""
    record = a_record(a_message("p1", "pending", **told), 7)
    assert intake_of(database, queue).take([record]).new == 1
    desk = make_desk(gateways={Provider.CANONICAL: FakeGateway(authorize=[REFUSED])})
    assert isinstance(process(desk, queue.sent.pop()[0]), Buried)
    return int(letters(database, "id")[-1][0])


def original_of(database: Database, letter_id: int) -> Original:
    original = Changes(database).original(letter_id)
    assert original is not None
    return original


def mend(database: Database, queue: Queue, letter_id: int, payload: bytes) -> Edited:
    original = original_of(database, letter_id)
    event = edited_event(original, payload, MOST_BYTES)
    return edit(Changes(database), cast("Wakeups", queue), original, payload, event, JO)


def test_an_edit_is_replayed_as_a_child_and_the_original_is_kept(
    make_desk: MakeDesk, database: Database, queue: Queue
) -> None:
    letter_id = buried(make_desk, database, queue)
    payload = with_values(original_of(database, letter_id).payload, [("amount", '"12.50"')])
    child = mend(database, queue, letter_id, payload)
    desk, [(inbox_id, _)] = make_desk(), queue.sent
    assert letters(database, "id, state::TEXT, resolution, parent_id, replaced_by, inbox_id") == [
        (letter_id, "resolved", "replaced", None, child.letter_id, inbox_id),
        (child.letter_id, "replaying", None, letter_id, None, inbox_id),
    ]
    assert process(desk, inbox_id) == Settled()
    assert database.row("SELECT captured_minor FROM payments") == (1250,)
    assert letters(database, "state::TEXT, resolution") == [("resolved", "replaced"), ("resolved", "settled")]
    assert b"10.00" in original_of(database, letter_id).payload


def test_an_edit_that_fails_again_is_the_childs_and_can_be_edited_again(
    make_desk: MakeDesk, database: Database, queue: Queue
) -> None:
    letter_id = buried(make_desk, database, queue)
    first = mend(database, queue, letter_id, original_of(database, letter_id).payload + b" ")
    failing = make_desk(gateways={Provider.CANONICAL: FakeGateway(authorize=[REFUSED])})
    process(failing, queue.sent.pop()[0])
    second = mend(database, queue, first.letter_id, original_of(database, letter_id).payload + b"  ")
    assert process(make_desk(), queue.sent.pop()[0]) == Settled()
    assert letters(database, "state::TEXT, resolution, replaced_by") == [
        ("resolved", "replaced", first.letter_id),
        ("resolved", "replaced", second.letter_id),
        ("resolved", "settled", None),
    ]
    assert letters(database, "replay_count, (first_failed_at = min(first_failed_at) OVER ())")[-1] == (2, True)


def test_a_record_that_was_no_event_becomes_one_by_an_edit(
    make_desk: MakeDesk, database: Database, queue: Queue
) -> None:
    bad = a_record(a_message("p1", amount="ten"), 7)
    assert intake_of(database, queue).take([bad]).dead == 1
    payload = with_values(bad.payload, [("amount", "10.00"), ("id", "p1")])
    mend(database, queue, 1, payload)
    assert process(make_desk(), queue.sent.pop()[0]) == Settled()
    assert letters(database, "state::TEXT, resolution, inbox_id IS NOT NULL") == [
        ("resolved", "replaced", True),
        ("resolved", "settled", True),
    ]
    assert intake_of(database, queue).take([bad]).new == 0
    assert len(letters(database)) == 2


def test_a_redelivery_of_what_was_edited_is_known_and_no_contradiction(
    make_desk: MakeDesk, database: Database, queue: Queue
) -> None:
    letter_id = buried(make_desk, database, queue)
    record = a_record(a_message("p1", "pending"), 7)
    mend(database, queue, letter_id, with_values(record.payload, [("amount", '"12.50"')]))
    taken = intake_of(database, queue).take([record])
    assert (taken.known, taken.dead) == (1, 0)


def test_an_edit_leaves_who_did_it_and_why(make_desk: MakeDesk, database: Database, queue: Queue) -> None:
    letter_id = buried(make_desk, database, queue)
    mend(database, queue, letter_id, original_of(database, letter_id).payload + b" ")
    rows = database.rows(
        """SELECT who, what, why, before ->> 'state', after ->> 'state' FROM dead_letter_audit
            WHERE letter_id = %(id)s ORDER BY id""",
        {"id": letter_id},
    )
    assert rows == [("jo@desk", "edit", "the amount was mistyped", "parked", "resolved")]


@pytest.mark.parametrize(
    ("payload", "word"),
    [
        (b"{", "no payment event"),
        (a_message("p1", "pending", amount="ten"), "$.amount"),
        (a_message("p2", "pending"), "must stay canonical p1:pending"),
    ],
)
def test_an_edit_that_cannot_be_says_why_and_changes_nothing(
    make_desk: MakeDesk, database: Database, queue: Queue, payload: bytes, word: str
) -> None:
    letter_id = buried(make_desk, database, queue)
    with pytest.raises(NotPossible, match=word.replace("$", r"\$")):
        mend(database, queue, letter_id, payload)
    assert letters(database, "id, state::TEXT") == [(letter_id, "parked")]


def test_what_was_settled_meanwhile_cannot_be_edited(make_desk: MakeDesk, database: Database, queue: Queue) -> None:
    letter_id = buried(make_desk, database, queue)
    original = original_of(database, letter_id)
    event = edited_event(original, original.payload, MOST_BYTES)
    mend(database, queue, letter_id, original.payload + b" ")
    with pytest.raises(NotPossible, match="resolved"):
        edit(Changes(database), cast("Wakeups", queue), original, original.payload, event, JO)


def test_an_edit_may_not_tell_of_an_event_that_is_known(database: Database, queue: Queue) -> None:
    good, bad = a_record(a_message("p1"), 6), a_record(a_message("p1", amount="ten"), 7)
    intake_of(database, queue).take([good, bad])
    with pytest.raises(NotPossible, match="already"):
        mend(database, queue, 1, good.payload)
    assert letters(database, "state::TEXT") == [("parked",)]


@pytest.mark.parametrize(
    ("path", "value", "after"),
    [
        ("a", "2", {"a": 2, "b": [{"c": "x"}]}),
        ("$.a", "two", {"a": "two", "b": [{"c": "x"}]}),
        ("b.0.c", "null", {"a": 1, "b": [{"c": None}]}),
        ("d", "{}", {"a": 1, "b": [{"c": "x"}], "d": {}}),
    ],
)
def test_a_value_is_put_at_its_path(path: str, value: str, after: object) -> None:
    assert msgspec.json.decode(with_values(b'{"a": 1, "b": [{"c": "x"}]}', [(path, value)])) == after


def test_what_is_not_named_stays_as_it_was_written() -> None:
    before = b'{"amount":12.00,"id":12345678901234567890123,"share":0.1234567890123456789,"a":1}'
    assert with_values(before, [("a", "2.50")]) == before.replace(b'"a":1', b'"a":2.50')


@pytest.mark.parametrize(("path", "word"), [("x.y", "x"), ("b.7.c", "b.7"), ("a.z", "hold 'z'"), ("b.9", "b.9")])
def test_a_path_that_leads_nowhere_is_named(path: str, word: str) -> None:
    with pytest.raises(NotPossible, match=word):
        with_values(b'{"a": 1, "b": [{"c": "x"}]}', [(path, "1")])


def test_a_payload_that_is_no_json_is_not_edited_by_paths() -> None:
    with pytest.raises(NotPossible, match="as text"):
        with_values(b"\xff{", [("a", "1")])


def test_the_kind_may_change_by_an_edit(make_desk: MakeDesk, database: Database, queue: Queue) -> None:
    letter_id = buried(make_desk, database, queue)
    original = original_of(database, letter_id)
    assert original.event is not None
    assert original.event.kind is Kind.REQUESTED
    with pytest.raises((NotPossible, Undecodable)):
        edited_event(original, with_values(original.payload, [("status", "paid")]), MOST_BYTES)
