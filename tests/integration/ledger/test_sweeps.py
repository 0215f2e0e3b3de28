import threading
from concurrent.futures import ThreadPoolExecutor

from payments.event import Kind, Provider
from payments.failures import Unavailable
from payments.ledger.claims import Claim, Claims
from payments.ledger.database import Database
from payments.ledger.dead_letters.burial import Burial
from payments.ledger.inbox import Inbox, Wakeup
from payments.ledger.settlements import Settlements
from payments.ledger.state import State
from payments.ledger.sweeps import Sweeps
from tests.builders import an_arrival, an_event

STRIPE = Provider.STRIPE
FAILURE = Unavailable("not now", code="http_503")
BURIAL = Burial(reason="http_503", failure=FAILURE, replays=3)
LIMIT = 100


def receive(inbox: Inbox, count: int) -> list[Wakeup]:
    """Return the wake-ups of so many payments with an event each."""
    return inbox.receive([an_arrival(an_event(f"evt_{i}", payment_id=f"p{i}"), i) for i in range(count)])[1]


def age(database: Database, seconds: float = 60) -> None:
    """Let all messages have been sent, and all rows have been due, that much longer ago."""
    database.run(
        """
        UPDATE inbox
           SET woken_at = woken_at - make_interval(secs => %(seconds)s),
               due_at = due_at - make_interval(secs => %(seconds)s)
        """,
        {"seconds": seconds},
    )


def take(claims: Claims, call: Wakeup, lease_seconds: float = 60.0) -> Claim:
    claim = claims.take(call.inbox_id, lease_seconds)
    assert claim is not None
    return claim


# -- leases ------------------------------------------------------------------------------------------------------------


def test_only_a_lease_that_has_ended_is_freed(inbox: Inbox, claims: Claims, sweeps: Sweeps, database: Database) -> None:
    calls = receive(inbox, 3)
    take(claims, calls[0])
    take(claims, calls[1])
    database.run("UPDATE inbox SET lease_until = now() - '1 ms'::INTERVAL WHERE id = %(id)s", {"id": calls[1].inbox_id})
    assert sweeps.free_expired() == 1
    assert sweeps.free_expired() == 0
    assert [claims.state(call.inbox_id) for call in calls] == ["processing", "retrying", "received"]


def test_a_freed_event_is_due_at_once_keeps_its_attempt_and_tells_what_happened(
    inbox: Inbox, claims: Claims, sweeps: Sweeps, database: Database
) -> None:
    [call] = receive(inbox, 1)
    take(claims, call)
    database.run("UPDATE inbox SET lease_until = now() - '1 ms'::INTERVAL")
    sweeps.free_expired()
    row = database.row("SELECT failures FROM inbox")
    assert row is not None
    assert [(told["attempt"], told["code"]) for told in row[0]] == [(1, "lease_expired")]
    assert [found.inbox_id for found in sweeps.lost(STRIPE, None, 2.0, LIMIT)] == [call.inbox_id]
    assert take(claims, call).attempts == 2


# -- lost messages -----------------------------------------------------------------------------------------------------


def test_a_message_that_may_still_be_under_way_is_not_lost(inbox: Inbox, sweeps: Sweeps, database: Database) -> None:
    receive(inbox, 3)
    assert sweeps.lost(STRIPE, None, 2.0, LIMIT) == []
    age(database)
    assert len(sweeps.lost(STRIPE, None, 2.0, LIMIT)) == 3


def test_with_an_empty_queue_everything_that_is_due_is_lost_once(
    inbox: Inbox, sweeps: Sweeps, database: Database
) -> None:
    calls = receive(inbox, 5)
    age(database)
    found = sweeps.lost(STRIPE, None, 2.0, LIMIT)
    assert [each.inbox_id for each in found] == [call.inbox_id for call in calls]
    assert sweeps.lost(STRIPE, None, 2.0, LIMIT) == []


def test_only_numbers_below_the_oldest_message_have_left_the_queue(
    inbox: Inbox, sweeps: Sweeps, database: Database
) -> None:
    calls = receive(inbox, 5)
    age(database)
    found = sweeps.lost(STRIPE, calls[2].number, 2.0, LIMIT)
    assert [each.inbox_id for each in found] == [calls[0].inbox_id, calls[1].inbox_id]
    assert sweeps.lost(STRIPE, calls[2].number, 2.0, LIMIT) == []


def test_a_wakeup_that_is_sent_again_has_a_new_and_higher_number(
    inbox: Inbox, sweeps: Sweeps, database: Database
) -> None:
    calls = receive(inbox, 5)
    age(database)
    found = sweeps.lost(STRIPE, None, 2.0, LIMIT)
    assert [each.number for each in found] == sorted(each.number for each in found)
    assert min(each.number for each in found) > max(call.number for call in calls)
    assert [each.payment_id for each in found] == [call.payment_id for call in calls]


def test_a_sweep_takes_the_oldest_and_no_more_than_asked(inbox: Inbox, sweeps: Sweeps, database: Database) -> None:
    calls = receive(inbox, 5)
    age(database)
    assert [each.inbox_id for each in sweeps.lost(STRIPE, None, 2.0, 2)] == [call.inbox_id for call in calls[:2]]


def test_a_row_behind_an_unfinished_one_of_its_payment_is_not_sent(
    inbox: Inbox, claims: Claims, settlements: Settlements, sweeps: Sweeps, database: Database
) -> None:
    first, second = inbox.receive([an_arrival(an_event("evt_1")), an_arrival(an_event("evt_2"))])[1]
    age(database)
    assert [each.inbox_id for each in sweeps.lost(STRIPE, None, 2.0, LIMIT)] == [first.inbox_id]
    claim = take(claims, first)
    age(database)
    assert sweeps.lost(STRIPE, None, 2.0, LIMIT) == []
    settlements.bury(claim, BURIAL)
    assert [each.inbox_id for each in sweeps.lost(STRIPE, None, 2.0, LIMIT)] == [second.inbox_id]


def test_a_row_behind_one_that_yields_is_sent(inbox: Inbox, claims: Claims, sweeps: Sweeps, database: Database) -> None:
    refund, capture = inbox.receive([an_arrival(an_event("evt_1", Kind.REFUNDED)), an_arrival(an_event("evt_2"))])[1]
    claims.yield_turn(take(claims, refund), 3600.0)
    age(database)
    assert [each.inbox_id for each in sweeps.lost(STRIPE, None, 2.0, LIMIT)] == [capture.inbox_id]


def test_what_is_not_due_claimed_or_ended_is_not_lost(
    inbox: Inbox, claims: Claims, settlements: Settlements, sweeps: Sweeps, database: Database
) -> None:
    calls = receive(inbox, 3)
    claims.retry_later(take(claims, calls[0]), 3600.0, FAILURE, State.RETRYING)
    take(claims, calls[1])
    settlements.close(take(claims, calls[2]), State.SUPERSEDED)
    age(database)
    assert sweeps.lost(STRIPE, None, 2.0, LIMIT) == []


def test_the_grace_begins_when_the_row_is_due_and_not_when_its_message_was_sent(
    inbox: Inbox, claims: Claims, sweeps: Sweeps, database: Database
) -> None:
    [call] = receive(inbox, 1)
    age(database)
    claims.retry_later(take(claims, call), 0.0, FAILURE, State.RETRYING)
    assert sweeps.lost(STRIPE, None, 2.0, LIMIT) == []


def test_every_provider_has_its_own_queue_and_sweep(inbox: Inbox, sweeps: Sweeps, database: Database) -> None:
    inbox.receive([an_arrival(an_event(provider=each)) for each in Provider])
    age(database)
    for each in Provider:
        assert [found.provider for found in sweeps.lost(each, None, 2.0, LIMIT)] == [each]


def test_two_sweeps_at_once_send_nothing_twice(inbox: Inbox, sweeps: Sweeps, database: Database) -> None:
    receive(inbox, 50)
    age(database)
    together = threading.Barrier(4)

    def look(_number: int) -> list[Wakeup]:
        together.wait()
        return sweeps.lost(STRIPE, None, 2.0, LIMIT)

    with ThreadPoolExecutor(4) as pool:
        found = [each.inbox_id for part in pool.map(look, range(4)) for each in part]
    assert len(found) == len(set(found)) == 50


# -- one row -----------------------------------------------------------------------------------------------------------


def test_one_unfinished_row_can_be_woken_and_no_other(
    inbox: Inbox, claims: Claims, settlements: Settlements, sweeps: Sweeps
) -> None:
    [call] = receive(inbox, 1)
    woken = sweeps.wake(call.inbox_id)
    assert woken is not None
    assert (woken.inbox_id, woken.payment_id) == (call.inbox_id, "p0")
    assert woken.number > call.number
    claim = take(claims, call)
    assert sweeps.wake(call.inbox_id) is None
    settlements.close(claim, State.SETTLED)
    assert sweeps.wake(call.inbox_id) is None


# -- slots -------------------------------------------------------------------------------------------------------------


def test_one_of_eight_beats_has_the_tick(sweeps: Sweeps, database: Database) -> None:
    for _round in range(3):
        together = threading.Barrier(8)

        def take_slot(_number: int, together: threading.Barrier = together) -> bool:
            together.wait()
            return sweeps.take_slot("sweep", 60.0)

        with ThreadPoolExecutor(8) as pool:
            taken = list(pool.map(take_slot, range(8)))
        taken += [sweeps.take_slot("sweep", 60.0) for _ in range(3)]
        assert taken.count(True) == 1
        database.run("UPDATE beat_slots SET taken_at = taken_at - '61 s'::INTERVAL")


def test_a_tick_comes_back_after_its_interval_and_others_have_their_own(sweeps: Sweeps, database: Database) -> None:
    assert sweeps.take_slot("sweep", 60.0)
    assert not sweeps.take_slot("sweep", 60.0)
    assert sweeps.take_slot("replay", 60.0)
    database.run("UPDATE beat_slots SET taken_at = taken_at - '61 s'::INTERVAL")
    assert sweeps.take_slot("sweep", 60.0)


def test_a_row_that_somebody_holds_does_not_keep_the_others_from_being_freed(
    inbox: Inbox, claims: Claims, database: Database
) -> None:
    calls = inbox.receive([an_arrival(an_event(f"evt_{n}", payment_id=f"p{n}")) for n in range(3)])[1]
    for call in calls:
        assert claims.take(call.inbox_id, 0.0)
    with database.transaction() as connection:
        connection.execute("SELECT FROM inbox WHERE id = %s FOR UPDATE", (calls[0].inbox_id,))
        assert Sweeps(database).free_expired() == 2
