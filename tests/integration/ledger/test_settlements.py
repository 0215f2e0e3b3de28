import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from psycopg import errors

from payments.event import Event, Kind
from payments.failures import Unavailable
from payments.ledger.claims import Claim, Claims
from payments.ledger.database import Database
from payments.ledger.dead_letters.burial import Burial, Corpse, DeadLetters
from payments.ledger.inbox import Inbox
from payments.ledger.settlements import Booking, Ended, Settlements
from payments.ledger.state import State
from payments.lifecycle import Apply, completed, decide
from payments.payment import Status
from tests.builders import NEWS, a_payment, an_arrival, an_event

FAILURE = Unavailable("not now", code="http_503", service="stripe", operation="capture")
BURIAL = Burial(reason="http_503", failure=FAILURE, replays=3)


def claimed(inbox: Inbox, claims: Claims, event: Event) -> Claim:
    [call] = inbox.receive([an_arrival(event)])[1]
    claim = claims.take(call.inbox_id, 60.0)
    assert claim is not None
    return claim


def book(settlements: Settlements, claim: Claim, apply: Apply) -> Ended | None:
    return settlements.book(claim, State.SETTLED, Booking(apply.payment, apply.entries), NEWS)


def test_a_booking_writes_the_end_the_payment_the_entries_and_the_news(
    inbox: Inbox, claims: Claims, settlements: Settlements, database: Database
) -> None:
    claim = claimed(inbox, claims, an_event(payment_id="p1"))
    assert book(settlements, claim, completed(a_payment(), 1000, "c1")) == Ended(successor_id=None)
    assert database.row("SELECT state, lease_until, finished_at <= now() FROM inbox") == ("settled", None, True)
    assert database.row("SELECT ordering_key, status, captured_minor, capture_id, version FROM payments") == (
        *("stripe:p1", "completed", 1000, "c1", 1),
    )
    assert database.rows("SELECT leg, account, amount_minor, currency, inbox_id FROM entries ORDER BY leg") == [
        ("capture/credit", "merchant", -1000, "EUR", claim.inbox_id),
        ("capture/debit", "provider:stripe", 1000, "EUR", claim.inbox_id),
    ]
    assert database.rows("SELECT topic, key, payload FROM outbox") == [("payments.events", "stripe:p1", {"version": 1})]


def test_a_claim_books_once(inbox: Inbox, claims: Claims, settlements: Settlements, database: Database) -> None:
    claim = claimed(inbox, claims, an_event())
    assert book(settlements, claim, completed(a_payment(), 1000)) is not None
    assert book(settlements, claim, completed(a_payment(), 1000)) is None
    assert database.row("SELECT count(*) FROM outbox") == (1,)


def test_one_of_many_that_book_the_same_claim_at_once_does(
    inbox: Inbox, claims: Claims, settlements: Settlements, database: Database
) -> None:
    claim = claimed(inbox, claims, an_event())
    together = threading.Barrier(5)

    def try_to(_number: int) -> Ended | None:
        together.wait()
        return book(settlements, claim, completed(a_payment(), 1000))

    with ThreadPoolExecutor(5) as pool:
        assert [bool(each) for each in pool.map(try_to, range(5))].count(True) == 1
    assert database.row("SELECT count(*) FROM entries") == (2,)


def test_a_leg_that_is_booked_already_rolls_the_whole_booking_back(
    inbox: Inbox, claims: Claims, settlements: Settlements, database: Database
) -> None:
    book(settlements, claimed(inbox, claims, an_event("evt_1")), completed(a_payment(), 1000))
    second = claimed(inbox, claims, an_event("evt_2"))
    before = [database.rows(f"SELECT * FROM {each}") for each in ("inbox", "payments", "entries", "outbox")]  # noqa: S608
    with pytest.raises(errors.UniqueViolation):
        book(settlements, second, completed(second.payment or a_payment(), 2000))
    assert [database.rows(f"SELECT * FROM {each}") for each in ("inbox", "payments", "entries", "outbox")] == before  # noqa: S608
    assert claims.retry_later(second, 0.0, FAILURE, State.RETRYING)


def test_a_booking_on_a_payment_that_has_moved_on_since_it_was_read_changes_nothing(
    inbox: Inbox, claims: Claims, settlements: Settlements, database: Database
) -> None:
    book(settlements, claimed(inbox, claims, an_event("evt_1")), completed(a_payment(), 1000))
    refund = claimed(inbox, claims, an_event("evt_2", Kind.REFUNDED, amount_minor=300, reference_id="r1"))
    decision = decide(refund.payment, refund.event)
    assert isinstance(decision, Apply)
    database.run("UPDATE payments SET version = version + 1")
    before = [database.rows(f"SELECT * FROM {each}") for each in ("inbox", "payments", "entries", "outbox")]  # noqa: S608
    assert settlements.book(refund, State.SETTLED, Booking(decision.payment, decision.entries), NEWS) is None
    assert [database.rows(f"SELECT * FROM {each}") for each in ("inbox", "payments", "entries", "outbox")] == before  # noqa: S608


def test_a_payment_counts_its_changes_and_keeps_what_is_not_told_again(
    inbox: Inbox, claims: Claims, settlements: Settlements, database: Database
) -> None:
    book(settlements, claimed(inbox, claims, an_event("evt_1")), completed(a_payment(), 1000, "c1"))
    refund = claimed(inbox, claims, an_event("evt_2", Kind.REFUNDED, amount_minor=300, reference_id="r1"))
    decision = decide(refund.payment, refund.event)
    assert isinstance(decision, Apply)
    book(settlements, refund, decision)
    assert database.row("SELECT status, refunds, capture_id, version FROM payments") == (
        *("partially_refunded", {"r1": 300}, "c1", 2),
    )
    assert database.row("SELECT sum(amount_minor), count(*) FROM entries") == (0, 4)


def test_an_event_that_changes_no_money_has_no_entries(
    inbox: Inbox, claims: Claims, settlements: Settlements, database: Database
) -> None:
    claim = claimed(inbox, claims, an_event(kind=Kind.FAILED))
    assert book(settlements, claim, Apply(a_payment(Status.FAILED))) is not None
    assert database.row("SELECT status FROM payments") == ("failed",)
    assert database.row("SELECT count(*) FROM entries") == (0,)


def test_the_largest_amount_that_is_believed_can_be_booked(
    inbox: Inbox, claims: Claims, settlements: Settlements, database: Database
) -> None:
    claim = claimed(inbox, claims, an_event(amount_minor=10**15 - 1))
    book(settlements, claim, completed(a_payment(amount_minor=10**15 - 1), 10**15 - 1))
    assert database.row("SELECT captured_minor FROM payments") == (10**15 - 1,)


def test_an_end_names_the_next_event_of_the_payment(inbox: Inbox, claims: Claims, settlements: Settlements) -> None:
    calls = inbox.receive([an_arrival(an_event(f"evt_{i}")) for i in range(3)])[1]
    other = inbox.receive([an_arrival(an_event("evt_other", payment_id="p2"))])[1]
    for call, successor_id in zip(calls, [calls[1].inbox_id, calls[2].inbox_id, None], strict=True):
        claim = claims.take(call.inbox_id, 60.0)
        assert claim is not None
        assert settlements.close(claim, State.SUPERSEDED) == Ended(successor_id)
    assert len(other) == 1


def test_a_booking_names_the_next_in_line_also_where_the_event_opened_the_payment_by_another_name(
    inbox: Inbox, claims: Claims, settlements: Settlements, database: Database
) -> None:
    """The line is stripe:root. The event came as stripe:p1, which is an alias of it."""
    database.run("INSERT INTO aliases VALUES ('stripe:p1', 'stripe:root')")
    first, second = inbox.receive([an_arrival(an_event("evt_1")), an_arrival(an_event("evt_2"))])[1]
    claim = claims.take(first.inbox_id, 60.0)
    assert claim is not None
    decision = decide(claim.payment, claim.event)
    assert isinstance(decision, Apply)
    assert book(settlements, claim, decision) == Ended(second.inbox_id)


def test_a_burial_keeps_all_that_is_known_of_the_event(
    inbox: Inbox, claims: Claims, settlements: Settlements, database: Database
) -> None:
    claim = claimed(inbox, claims, an_event())
    assert settlements.bury(claim, BURIAL) == Ended(successor_id=None)
    row = database.row(
        """
        SELECT dead_letters.inbox_id, reason, message, dead_letters.payload = inbox.payload,
               dead_letters.key = inbox.key, dead_letters."offset", inbox.state, dead_letters.failures = inbox.failures,
               jsonb_array_length(dead_letters.failures)
          FROM dead_letters
          JOIN inbox ON inbox.id = dead_letters.inbox_id
        """
    )
    assert row == (claim.inbox_id, "http_503", "not now", True, True, 0, "dead", True, 1)
    assert database.row("SELECT count(*) FROM outbox") == (1,)


def test_a_burial_changes_no_payment(
    inbox: Inbox, claims: Claims, settlements: Settlements, database: Database
) -> None:
    settlements.bury(claimed(inbox, claims, an_event()), BURIAL)
    assert database.row("SELECT count(*) FROM payments") == (0,)


def test_an_event_can_be_buried_although_its_record_was_buried_before_it_was_taken_in(
    inbox: Inbox, claims: Claims, settlements: Settlements, database: Database
) -> None:
    arrival = an_arrival(an_event())
    DeadLetters(database).bury([Corpse(record=arrival.record, burial=BURIAL)])
    assert settlements.bury(claimed(inbox, claims, an_event()), BURIAL) is not None


def test_nothing_but_the_claims_own_line_is_touched(
    inbox: Inbox, claims: Claims, settlements: Settlements, database: Database
) -> None:
    inbox.receive([an_arrival(an_event("evt_other", payment_id="p2"))])
    book(settlements, claimed(inbox, claims, an_event()), completed(a_payment(), 1000))
    assert database.rows("SELECT event_id, state FROM inbox ORDER BY id") == [
        ("evt_other", "received"),
        ("evt_1", "settled"),
    ]
