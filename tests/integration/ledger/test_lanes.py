"""Who may send which part of the outbox: fair shares, one holder for each, and nothing held by the dead."""

from collections.abc import Iterator
from contextlib import ExitStack, suppress
from itertools import pairwise

import pytest

from payments.failures import DatabaseAway
from payments.ledger.database import Database, DatabasePolicy
from payments.ledger.lanes import ALL_LANES, LANES, Lanes, Share, share_of

A_LOOK = 1.0
"""Seconds after which a share is looked at again."""


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database(
        database_url, DatabasePolicy(pool_size=20, connect_timeout_seconds=3, statement_timeout_ms=10_000)
    )
    yield opened
    opened.close()


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


class Fleet:
    """Relays that look in turn, on a clock of their own."""

    def __init__(self, database: Database, stack: ExitStack, count: int) -> None:
        self.now = 0.0
        self.shares = [stack.enter_context(Lanes(database).shared()) for _ in range(count)]

    def settle(self, shares: list[Share] | None = None) -> list[list[int]]:
        """Let each look twice: once to give back, once to take."""
        for _ in range(2):
            self.now += A_LOOK
            held = [share.lanes(self.now) for share in shares or self.shares]
        return held


def assert_shared_out(held: list[list[int]]) -> None:
    assert sorted(lane for lanes in held for lane in lanes) == list(ALL_LANES)
    sizes = [len(lanes) for lanes in held]
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("relays", range(1, 20))
def test_shares_sum_to_all_lanes_and_differ_by_one_at_most(relays: int) -> None:
    shares = [share_of(relays, before) for before in range(relays)]
    assert sum(shares) == LANES
    assert max(shares) - min(shares) <= 1


def test_a_relay_that_is_alone_has_all_lanes(database: Database, stack: ExitStack) -> None:
    assert Fleet(database, stack, 1).settle() == [list(ALL_LANES)]


@pytest.mark.parametrize("count", [2, 5, 17])
def test_relays_share_the_lanes_evenly_and_each_lane_has_one(database: Database, stack: ExitStack, count: int) -> None:
    assert_shared_out(Fleet(database, stack, count).settle())


def test_a_newcomer_gets_its_share_and_who_leaves_gives_it_back(database: Database) -> None:
    with ExitStack() as first:
        fleet = Fleet(database, first, 2)
        fleet.settle()
        with ExitStack() as later:
            fleet.shares.append(later.enter_context(Lanes(database).shared()))
            assert_shared_out(fleet.settle())
            fleet.shares.pop()
        assert_shared_out(fleet.settle())


def test_at_no_moment_do_two_relays_hold_one_lane(database: Database, stack: ExitStack) -> None:
    fleet = Fleet(database, stack, 1)
    for _ in range(4):
        fleet.shares.append(stack.enter_context(Lanes(database).shared()))
        for _ in range(2):
            fleet.now += A_LOOK
            for share in fleet.shares:
                share.lanes(fleet.now)
                held = sorted(lane for each in fleet.shares for lane in each.lanes(fleet.now))
                assert all(one < other for one, other in pairwise(held))


def test_between_two_looks_a_share_stays_as_it_is(database: Database, stack: ExitStack) -> None:
    fleet = Fleet(database, stack, 2)
    fleet.shares[0].lanes(1.0)
    before = fleet.shares[0].lanes(1.5)
    fleet.shares[1].lanes(1.5)
    assert fleet.shares[0].lanes(1.9) == before


def test_a_relay_whose_connection_is_gone_has_no_lanes_and_hears_of_it(database: Database, stack: ExitStack) -> None:
    survivor = Fleet(database, stack, 1)

    def be_cut_off() -> None:
        with Lanes(database).shared() as share:
            assert_shared_out([*survivor.settle(), share.lanes(0.0)])
            database.rows(_END_THE_YOUNGEST)
            assert_shared_out(survivor.settle())
            share.lanes(0.1)

    with pytest.raises(DatabaseAway):
        be_cut_off()


def test_work_that_fails_gives_the_lanes_back(database: Database, stack: ExitStack) -> None:
    with suppress(ZeroDivisionError), Lanes(database).shared() as share:
        share.lanes(0.0)
        raise ZeroDivisionError
    assert Fleet(database, stack, 1).settle() == [list(ALL_LANES)]


_END_THE_YOUNGEST = """
SELECT pg_terminate_backend(pid)
  FROM pg_stat_activity
 WHERE pid = (SELECT pid
                FROM pg_locks
                JOIN pg_stat_activity USING (pid)
               WHERE locktype = 'advisory'
                 AND datname = current_database()
               ORDER BY backend_start DESC
               LIMIT 1)
"""
