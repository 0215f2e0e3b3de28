import pytest

from payments.event import Event, Kind, Provider
from payments.failures import Unavailable
from payments.ledger.claims import Claims
from payments.ledger.database import Database
from payments.ledger.inbox import Arrival, Inbox
from payments.ledger.settlements import Booking, Settlements
from payments.ledger.state import State
from payments.lifecycle import Apply, decide
from tests.builders import NEWS, a_record, an_arrival, an_event, an_ignored_event

LEASE_SECONDS = 60.0
FAILURE = Unavailable("not now", code="http_503")


def lines(database: Database) -> dict[str, str]:
    return dict(database.rows("SELECT event_id, ordering_key FROM inbox"))


def test_a_batch_is_numbered_in_the_order_in_which_it_came(inbox: Inbox, database: Database) -> None:
    names = [f"evt_{(7 * i) % 101}" for i in range(101)]
    new, calls = inbox.receive([an_arrival(an_event(name, payment_id=name), i) for i, name in enumerate(names)])
    assert new == 101
    assert [call.payment_id for call in calls] == names
    assert [call.inbox_id for call in calls] == sorted(call.inbox_id for call in calls)
    assert [call.number for call in calls] == sorted(call.number for call in calls)
    assert [row[0] for row in database.rows("SELECT event_id FROM inbox ORDER BY id")] == names


def test_the_order_is_kept_where_some_of_the_batch_are_known_by_other_names(inbox: Inbox, database: Database) -> None:
    inbox.receive([an_arrival(paypal("w0", "CAP5", root="ORD5"))])
    names = [f"CAP{i}" for i in range(10)]
    inbox.receive([an_arrival(paypal(f"w-{name}", name)) for name in names])
    told = [row[0] for row in database.rows("SELECT event_id FROM inbox ORDER BY id")]
    assert told == ["w0", *(f"w-{name}" for name in names)]


def test_the_record_is_kept_byte_by_byte(inbox: Inbox, database: Database) -> None:
    record = a_record(b"\x00\xff{", 7, partition=3, key=None, headers=[("h", b"\x00\xff")])
    inbox.receive([Arrival(record, an_event())])
    row = database.row('SELECT topic, partition, "offset", key, headers, payload FROM inbox')
    assert row == (record.topic, 3, 7, None, [["h", "AP8="]], b"\x00\xff{")


def test_an_event_that_comes_twice_in_one_batch_is_stored_once_as_it_came_first(
    inbox: Inbox, database: Database
) -> None:
    new, calls = inbox.receive([an_arrival(an_event(), 1), an_arrival(an_event(), 2), an_arrival(an_event("evt_2"), 3)])
    assert (new, len(calls)) == (2, 2)
    assert database.rows('SELECT "offset" FROM inbox ORDER BY id') == [(1,), (3,)]


def test_an_event_that_comes_again_is_known_and_left_as_it_is(inbox: Inbox, database: Database) -> None:
    inbox.receive([an_arrival(an_event(), 1)])
    before = database.rows("SELECT * FROM inbox")
    assert inbox.receive([an_arrival(an_event(amount_minor=5), 2)]) == (0, [])
    assert database.rows("SELECT * FROM inbox") == before


def test_the_same_id_at_two_providers_is_two_events(inbox: Inbox) -> None:
    assert inbox.receive([an_arrival(an_event(provider=each)) for each in Provider])[0] == len(Provider)


def test_an_ignored_event_ends_at_once_and_wakes_nobody(inbox: Inbox, database: Database) -> None:
    new, calls = inbox.receive([an_arrival(an_ignored_event()), an_arrival(an_event("evt_2"))])
    assert (new, len(calls)) == (2, 1)
    assert database.rows("SELECT state, finished_at IS NULL FROM inbox ORDER BY id") == [
        ("ignored", False),
        ("received", True),
    ]
    assert inbox.unfinished(10) == 1


def test_what_is_known_is_told_as_it_was_stored(inbox: Inbox) -> None:
    event = an_event(metadata={"order": "7", "ümlaut": "✓"}, reference_id="r1", kind=Kind.REFUNDED)
    inbox.receive([an_arrival(event)])
    assert inbox.known([event, an_event("evt_never")]) == {("stripe", "evt_1"): event}


def test_the_unfinished_are_counted_no_further_than_asked(inbox: Inbox) -> None:
    inbox.receive([an_arrival(an_event(f"evt_{i}", payment_id=f"p{i}")) for i in range(5)])
    assert [inbox.unfinished(at_most) for at_most in (3, 5, 100)] == [3, 5, 5]


@pytest.mark.usefixtures("own_schema")
def test_one_row_that_the_database_refuses_refuses_the_whole_batch(inbox: Inbox, database: Database) -> None:
    database.run("ALTER TABLE inbox ADD CHECK (event_id <> 'evt_poison')")
    with pytest.raises(Exception, match="sqlstate_23514"):
        inbox.receive([an_arrival(an_event("evt_1")), an_arrival(an_event("evt_poison"))])
    assert database.row("SELECT count(*) FROM inbox") == (0,)


# -- the many names of one payment -------------------------------------------------------------------------------------


def paypal(event_id: str, name: str, *, root: str | None = None, kind: Kind = Kind.CAPTURED) -> Event:
    """Return an event of PayPal's object `name`, which says that it came from `root`."""
    key = f"paypal:{root or name}"
    return an_event(event_id, kind, name, provider=Provider.PAYPAL, ordering_key=key, parent_id=root)


def test_an_order_its_authorization_and_its_capture_are_one_line(inbox: Inbox, database: Database) -> None:
    inbox.receive([an_arrival(paypal("w1", "ORD1", kind=Kind.REQUESTED))])
    inbox.receive([an_arrival(paypal("w2", "AUT1", root="ORD1", kind=Kind.AUTHORIZED))])
    inbox.receive([an_arrival(paypal("w3", "CAP1", root="ORD1"))])
    inbox.receive([an_arrival(paypal("w4", "CAP1", kind=Kind.REFUNDED))])
    inbox.receive([an_arrival(paypal("w5", "AUT1", kind=Kind.VOIDED))])
    assert set(lines(database).values()) == {"paypal:ORD1"}


def test_a_batch_may_tell_a_name_and_use_it(inbox: Inbox, database: Database) -> None:
    told = [paypal("w1", "CAP1", kind=Kind.REFUNDED), paypal("w2", "CAP1", root="ORD1"), paypal("w3", "ORD1")]
    _, calls = inbox.receive([an_arrival(event) for event in told])
    assert set(lines(database).values()) == {"paypal:ORD1"}
    assert {call.payment_id for call in calls} == {"ORD1"}


def test_what_came_under_its_own_name_joins_the_line_once_the_first_name_is_told(
    inbox: Inbox, database: Database
) -> None:
    inbox.receive([an_arrival(paypal("w1", "CAP1", kind=Kind.REFUNDED))])
    inbox.receive([an_arrival(paypal("w2", "CAP1", root="ORD1"))])
    assert set(lines(database).values()) == {"paypal:ORD1"}


def test_a_payment_that_is_booked_under_its_own_name_keeps_it(
    inbox: Inbox, claims: Claims, settlements: Settlements, database: Database
) -> None:
    [call] = inbox.receive([an_arrival(paypal("w1", "CAP1"))])[1]
    settle(claims, settlements, call.inbox_id)
    inbox.receive([an_arrival(paypal("w2", "CAP1", root="ORD1", kind=Kind.DISPUTED))])
    inbox.receive([an_arrival(paypal("w3", "CAP1", kind=Kind.REFUNDED))])
    assert lines(database)["w3"] == "paypal:CAP1"


def test_names_that_were_told_link_by_link_are_one_line(inbox: Inbox, database: Database) -> None:
    inbox.receive([an_arrival(paypal("w1", "AUT1", root="ORD1", kind=Kind.AUTHORIZED))])
    inbox.receive([an_arrival(paypal("w2", "CAP1", root="AUT1"))])
    inbox.receive([an_arrival(paypal("w3", "CAP1", kind=Kind.REFUNDED))])
    assert set(lines(database).values()) == {"paypal:ORD1"}


def test_names_that_were_told_from_the_far_end_are_one_line(inbox: Inbox, database: Database) -> None:
    inbox.receive([an_arrival(paypal("w1", "CAP1", root="AUT1"))])
    inbox.receive([an_arrival(paypal("w2", "AUT1", root="ORD1", kind=Kind.AUTHORIZED))])
    inbox.receive([an_arrival(paypal("w3", "CAP1", kind=Kind.REFUNDED))])
    assert set(lines(database).values()) == {"paypal:ORD1"}


def test_an_event_that_was_at_work_when_its_first_name_was_told_joins_the_line_afterwards(
    inbox: Inbox, claims: Claims, database: Database
) -> None:
    [call] = inbox.receive([an_arrival(paypal("w1", "CAP1", kind=Kind.REFUNDED))])[1]
    claim = claims.take(call.inbox_id, LEASE_SECONDS)
    assert claim is not None
    inbox.receive([an_arrival(paypal("w2", "CAP1", root="ORD1"))])
    assert claims.retry_later(claim, 0.0, FAILURE, State.RETRYING)
    assert set(lines(database).values()) == {"paypal:ORD1"}


def test_a_webhook_that_was_faster_than_the_answer_joins_the_line_when_the_worker_learns_the_name(
    inbox: Inbox, claims: Claims, database: Database
) -> None:
    [call] = inbox.receive([an_arrival(paypal("w1", "ORD1", kind=Kind.REQUESTED))])[1]
    claim = claims.take(call.inbox_id, LEASE_SECONDS)
    assert claim is not None
    inbox.receive([an_arrival(paypal("w2", "AUT1", kind=Kind.AUTHORIZED))])
    assert claims.keep(claim, LEASE_SECONDS, (), "paypal:AUT1")
    assert set(lines(database).values()) == {"paypal:ORD1"}


def test_links_told_in_one_batch_are_one_line(inbox: Inbox, database: Database) -> None:
    inbox.receive(
        [
            an_arrival(paypal("w1", "CAP1", root="AUT1")),
            an_arrival(paypal("w2", "AUT1", root="ORD1", kind=Kind.AUTHORIZED)),
            an_arrival(paypal("w3", "CAP1", kind=Kind.REFUNDED)),
        ]
    )
    assert set(lines(database).values()) == {"paypal:ORD1"}


def test_names_that_lead_in_a_circle_leave_every_event_claimable(
    inbox: Inbox, claims: Claims, database: Database
) -> None:
    names = ("A", "B", "C")
    for number, (name, root) in enumerate(zip(names, names[1:] + names[:1], strict=True)):
        inbox.receive([an_arrival(paypal(f"w{number}", name, root=root))])
    inbox.receive([an_arrival(paypal("x1", "D", root="E")), an_arrival(paypal("x2", "E", root="D"))])
    assert len(set(lines(database).values())) == 2
    for (inbox_id,) in database.rows("SELECT id FROM inbox ORDER BY id"):
        claim = claims.take(inbox_id, LEASE_SECONDS)
        assert claim is not None
        database.run("UPDATE inbox SET state = 'settled', lease_until = NULL WHERE id = %(id)s", {"id": inbox_id})


def test_a_payment_is_opened_under_the_name_of_its_line(
    inbox: Inbox, claims: Claims, settlements: Settlements, database: Database
) -> None:
    inbox.receive([an_arrival(paypal("w1", "CAP1", root="ORD1", kind=Kind.DISPUTED))])
    [call] = inbox.receive([an_arrival(paypal("w2", "CAP1"))])[1]
    database.run("UPDATE inbox SET state = 'dead' WHERE event_id = 'w1'")
    settle(claims, settlements, call.inbox_id)
    assert database.row("SELECT ordering_key, payment_id FROM payments") == ("paypal:ORD1", "ORD1")


def settle(claims: Claims, settlements: Settlements, inbox_id: int) -> None:
    claim = claims.take(inbox_id, LEASE_SECONDS)
    assert claim is not None
    decision = decide(claim.payment, claim.event)
    assert isinstance(decision, Apply)
    assert settlements.book(claim, State.SETTLED, Booking(decision.payment, decision.entries), NEWS)
