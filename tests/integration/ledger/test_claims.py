import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from payments.event import Event, Kind
from payments.failures import OutcomeUnknown, Unavailable
from payments.ledger.claims import Claim, Claims
from payments.ledger.database import Database
from payments.ledger.dead_letters.burial import Burial
from payments.ledger.inbox import Inbox
from payments.ledger.settlements import Booking, Settlements
from payments.ledger.state import State
from payments.ledger.sweeps import Sweeps
from tests.builders import NEWS, a_payment, an_arrival, an_event

LEASE_SECONDS = 60.0
FAILURE = Unavailable("not now", code="http_503", service="stripe", operation="capture")
BURIAL = Burial(reason="http_503", failure=FAILURE, replays=3)


def receive(inbox: Inbox, *events: Event) -> list[int]:
    return [call.inbox_id for call in inbox.receive([an_arrival(event, i) for i, event in enumerate(events)])[1]]


def take(claims: Claims, inbox_id: int) -> Claim:
    claim = claims.take(inbox_id, LEASE_SECONDS)
    assert claim is not None
    return claim


def test_a_claim_holds_the_event_its_payment_and_a_token(inbox: Inbox, claims: Claims) -> None:
    [inbox_id] = receive(inbox, an_event(metadata={"order": "7"}))
    claim = take(claims, inbox_id)
    assert claim.event == an_event(metadata={"order": "7"})
    assert (claim.payment, claim.attempts, claim.token, claim.yielding_seconds) == (None, 1, 1, 0.0)
    assert claims.state(inbox_id) is State.PROCESSING


def test_a_payment_comes_with_its_claim_as_it_was_booked(
    inbox: Inbox, claims: Claims, settlements: Settlements
) -> None:
    first, second = receive(inbox, an_event("evt_1"), an_event("evt_2"))
    booked = a_payment(refunds={"r1": 3}, disputes={"d1": 4}, authorization_id="a", capture_id="c")
    settlements.book(take(claims, first), State.SETTLED, Booking(booked), NEWS)
    known = take(claims, second).payment
    assert known is not None
    assert known.version == 1
    assert known == a_payment(refunds={"r1": 3}, disputes={"d1": 4}, authorization_id="a", capture_id="c", version=1)


def test_what_is_claimed_ended_or_unknown_cannot_be_claimed(
    inbox: Inbox, claims: Claims, settlements: Settlements
) -> None:
    [inbox_id] = receive(inbox, an_event())
    claim = take(claims, inbox_id)
    assert claims.take(inbox_id, LEASE_SECONDS) is None
    settlements.close(claim, State.SUPERSEDED)
    assert claims.take(inbox_id, LEASE_SECONDS) is None
    assert claims.take(inbox_id + 1, LEASE_SECONDS) is None
    assert claims.state(inbox_id + 1) is None


def test_an_event_waits_for_the_earlier_ones_of_its_payment_and_for_no_other(
    inbox: Inbox, claims: Claims, settlements: Settlements
) -> None:
    first, second, other = receive(
        inbox, an_event("evt_1"), an_event("evt_2", Kind.REFUNDED), an_event("evt_3", payment_id="p2")
    )
    assert claims.take(second, LEASE_SECONDS) is None
    assert take(claims, other).attempts == 1
    claim = take(claims, first)
    assert claims.take(second, LEASE_SECONDS) is None
    settlements.close(claim, State.SUPERSEDED)
    assert take(claims, second).attempts == 1


@pytest.mark.parametrize("state", [State.RETRYING, State.VERIFYING])
def test_an_event_waits_behind_one_that_is_to_be_tried_again(inbox: Inbox, claims: Claims, state: State) -> None:
    first, second = receive(inbox, an_event("evt_1"), an_event("evt_2"))
    claims.retry_later(take(claims, first), 60.0, FAILURE, state)
    assert claims.take(second, LEASE_SECONDS) is None


def test_a_dead_event_blocks_nobody(inbox: Inbox, claims: Claims, settlements: Settlements) -> None:
    first, second = receive(inbox, an_event("evt_1"), an_event("evt_2"))
    settlements.bury(take(claims, first), BURIAL)
    assert take(claims, second).attempts == 1


def test_an_event_that_is_not_due_is_refused_until_it_is(inbox: Inbox, claims: Claims, database: Database) -> None:
    [inbox_id] = receive(inbox, an_event())
    claims.retry_later(take(claims, inbox_id), 60.0, FAILURE, State.RETRYING)
    assert claims.take(inbox_id, LEASE_SECONDS) is None
    database.run("UPDATE inbox SET due_at = now()")
    assert take(claims, inbox_id).attempts == 2


def test_every_claim_counts_as_an_attempt_and_has_a_token_of_its_own(inbox: Inbox, claims: Claims) -> None:
    [inbox_id] = receive(inbox, an_event())
    for number in range(1, 5):
        claim = take(claims, inbox_id)
        assert (claim.attempts, claim.token) == (number, number)
        assert claims.retry_later(claim, 0.0, FAILURE, State.RETRYING)


def test_a_retry_leaves_its_failure_in_the_history_and_the_earlier_ones_with_it(
    inbox: Inbox, claims: Claims, database: Database
) -> None:
    [inbox_id] = receive(inbox, an_event())
    claims.retry_later(take(claims, inbox_id), 0.0, FAILURE, State.RETRYING)
    lost = OutcomeUnknown("no answer came", code="timeout", service="stripe", operation="capture")
    claims.retry_later(take(claims, inbox_id), 30.0, lost, State.VERIFYING)
    row = database.row("SELECT state, failures, due_at - now() BETWEEN '25 s' AND '30 s', lease_until FROM inbox")
    assert row is not None
    assert row[0] == "verifying"
    assert [(told["attempt"], told["kind"], told["code"]) for told in row[1]] == [
        (1, "unavailable", "http_503"),
        (2, "outcome_unknown", "timeout"),
    ]
    assert row[2:] == (True, None)


@pytest.mark.parametrize("round_number", range(5))
def test_two_events_of_one_payment_are_never_claimed_at_once(
    inbox: Inbox, claims: Claims, database: Database, round_number: int
) -> None:
    """The first one yields, so that by the order of the line both may be taken."""
    key = f"p{round_number}"
    first, second = receive(inbox, an_event("evt_1", payment_id=key), an_event("evt_2", payment_id=key))
    claims.yield_turn(take(claims, first), 0.0)
    together = threading.Barrier(4)

    def claim(inbox_id: int) -> Claim | None:
        together.wait()
        return claims.take(inbox_id, LEASE_SECONDS)

    with ThreadPoolExecutor(4) as pool:
        got = [each for each in pool.map(claim, [first, second, first, second]) if each]
    assert len(got) == 1
    assert database.row("SELECT count(*) FROM inbox WHERE state = 'processing'") == (1,)


def test_one_event_is_claimed_by_one_of_many(inbox: Inbox, claims: Claims) -> None:
    [inbox_id] = receive(inbox, an_event())
    together = threading.Barrier(5)

    def claim(_number: int) -> Claim | None:
        together.wait()
        return claims.take(inbox_id, LEASE_SECONDS)

    with ThreadPoolExecutor(5) as pool:
        got = [each for each in pool.map(claim, range(5)) if each]
    assert [each.token for each in got] == [1]


# -- keeping -----------------------------------------------------------------------------------------------------------


def test_a_claim_that_is_kept_has_its_whole_lease_again(inbox: Inbox, claims: Claims, database: Database) -> None:
    [inbox_id] = receive(inbox, an_event())
    claim = claims.take(inbox_id, 1.0)
    assert claim is not None
    assert claims.keep(claim, LEASE_SECONDS, ())
    assert database.row("SELECT lease_until > now() + '50 s' FROM inbox") == (True,)
    assert database.row("SELECT count(*) FROM aliases") == (0,)


def test_a_name_that_is_learnt_twice_is_no_error(inbox: Inbox, claims: Claims, database: Database) -> None:
    [inbox_id] = receive(inbox, an_event())
    claim = take(claims, inbox_id)
    assert claims.keep(claim, LEASE_SECONDS, (), "stripe:auth-1")
    assert claims.keep(claim, LEASE_SECONDS, (), "stripe:auth-1")
    assert database.rows("SELECT * FROM aliases") == [("stripe:auth-1", "stripe:p1")]


# -- yielding ----------------------------------------------------------------------------------------------------------


def test_an_event_that_yields_lets_the_later_ones_go_first_and_spends_no_attempt(
    inbox: Inbox, claims: Claims, database: Database
) -> None:
    refund, capture = receive(inbox, an_event("evt_1", Kind.REFUNDED), an_event("evt_2"))
    assert claims.yield_turn(take(claims, refund), 60.0) == (True, capture)
    assert database.row("SELECT state, attempts FROM inbox WHERE id = %(id)s", {"id": refund}) == ("waiting", 0)
    assert take(claims, capture).attempts == 1


def test_an_event_that_yields_comes_back_at_once_when_it_is_asked_for(
    inbox: Inbox, claims: Claims, settlements: Settlements
) -> None:
    refund, capture = receive(inbox, an_event("evt_1", Kind.REFUNDED), an_event("evt_2"))
    claims.yield_turn(take(claims, refund), 60.0)
    ended = settlements.close(take(claims, capture), State.SETTLED)
    assert ended is not None
    assert ended.successor_id == refund
    claim = take(claims, refund)
    assert claim.attempts == 1
    assert claim.yielding_seconds > 0


def test_the_time_of_yielding_counts_from_the_first_turn_that_was_yielded(
    inbox: Inbox, claims: Claims, database: Database
) -> None:
    [inbox_id] = receive(inbox, an_event())
    claims.yield_turn(take(claims, inbox_id), 0.0)
    database.run("UPDATE inbox SET yielding_since = yielding_since - '20 s'::INTERVAL")
    claims.yield_turn(take(claims, inbox_id), 0.0)
    assert 20 <= take(claims, inbox_id).yielding_seconds < 30


def test_two_that_yield_do_not_wait_for_each_other(inbox: Inbox, claims: Claims) -> None:
    first, second, third = receive(inbox, *(an_event(f"evt_{i}") for i in range(3)))
    assert claims.yield_turn(take(claims, first), 60.0) == (True, second)
    assert claims.yield_turn(take(claims, second), 60.0) == (True, third)
    assert claims.yield_turn(take(claims, third), 60.0) == (True, None)


# -- fencing -----------------------------------------------------------------------------------------------------------


def everything(database: Database) -> dict[str, object]:
    tables = ("inbox", "aliases", "payments", "entries", "outbox", "dead_letters")
    # as JSON, since a time of -infinity has no Python value
    return {each: database.rows(f"SELECT to_jsonb({each}) FROM {each} ORDER BY 1") for each in tables}  # noqa: S608 - constants


@pytest.fixture
def fenced_out(inbox: Inbox, claims: Claims, sweeps: Sweeps, database: Database) -> Claim:
    """Return a claim whose lease was freed, and whose row another worker has."""
    [inbox_id] = receive(inbox, an_event())
    old = take(claims, inbox_id)
    database.run("UPDATE inbox SET lease_until = now() - '1 s'::INTERVAL")
    assert sweeps.free_expired() == 1
    assert take(claims, inbox_id).token > old.token
    return old


@pytest.fixture
def freed(inbox: Inbox, claims: Claims, sweeps: Sweeps, database: Database) -> Claim:
    """Return a claim whose lease was freed, and whose row nobody has taken yet."""
    [inbox_id] = receive(inbox, an_event())
    old = take(claims, inbox_id)
    database.run("UPDATE inbox SET lease_until = now() - '1 s'::INTERVAL")
    assert sweeps.free_expired() == 1
    return old


@pytest.mark.parametrize("how", ["fenced_out", "freed"])
def test_a_worker_that_lost_its_claim_writes_nothing_at_all(
    how: str, request: pytest.FixtureRequest, claims: Claims, settlements: Settlements, database: Database
) -> None:
    old: Claim = request.getfixturevalue(how)
    payment = a_payment()
    before = everything(database)
    assert settlements.book(old, State.SETTLED, Booking(payment), NEWS) is None
    assert settlements.close(old, State.SUPERSEDED) is None
    assert settlements.bury(old, BURIAL) is None
    assert not claims.retry_later(old, 0.0, FAILURE, State.RETRYING)
    assert not claims.keep(old, LEASE_SECONDS, (), "stripe:other")
    assert claims.yield_turn(old, 0.0) == (False, None)
    assert everything(database) == before


def test_a_lease_that_ended_but_was_not_freed_yet_is_still_good(
    inbox: Inbox, claims: Claims, settlements: Settlements, database: Database
) -> None:
    [inbox_id] = receive(inbox, an_event())
    claim = take(claims, inbox_id)
    database.run("UPDATE inbox SET lease_until = now() - '1 s'::INTERVAL")
    assert settlements.close(claim, State.SETTLED) is not None
