import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from payments.event import Provider
from payments.failures import QueueAway
from payments.flows.desk import Desk
from payments.flows.sweep import Swept, sweep
from payments.ledger.database import Database
from payments.ledger.inbox import Inbox, Wakeup
from payments.queue.wakeups import Wakeups
from tests.builders import an_arrival, an_event
from tests.integration.flows.conftest import MakeDesk, Queue

QUEUE = "payments.stripe"


@pytest.fixture
def sweeper(make_desk: MakeDesk, wakeups: Wakeups) -> Desk:
    return make_desk(wakeups=wakeups)


def receive(database: Database, count: int, provider: Provider = Provider.STRIPE) -> list[Wakeup]:
    arrivals = [an_arrival(an_event(f"evt_{i}", payment_id=f"p{i}", provider=provider), i) for i in range(count)]
    return Inbox(database).receive(arrivals)[1]


def age(database: Database) -> None:
    """Let a minute pass for everything that is sent or due, and for the beat."""
    database.run("UPDATE inbox SET woken_at = woken_at - '60 s'::INTERVAL, due_at = due_at - '60 s'::INTERVAL")
    database.run("UPDATE beat_slots SET taken_at = taken_at - '60 s'::INTERVAL")


def sweep_later(desk: Desk, database: Database) -> Swept:
    age(database)
    swept = sweep(desk)
    assert swept is not None
    return swept


def length(client: redis.Redis, queue: str = QUEUE) -> int:
    return int(client.llen(queue))


def test_a_backlog_that_is_still_queued_is_not_doubled_by_any_number_of_sweeps(
    sweeper: Desk, wakeups: Wakeups, client: redis.Redis, database: Database
) -> None:
    wakeups.send(receive(database, 1000))
    assert [sweep_later(sweeper, database) for _ in range(5)] == [Swept(freed=0, woken=0)] * 5
    assert length(client) == 1000


def test_a_wiped_redis_gets_every_unfinished_event_back_exactly_once(
    sweeper: Desk, wakeups: Wakeups, client: redis.Redis, database: Database
) -> None:
    wakeups.send(receive(database, 300))
    client.flushall()
    assert sweep_later(sweeper, database) == Swept(freed=0, woken=300)
    assert [sweep_later(sweeper, database) for _ in range(4)] == [Swept(freed=0, woken=0)] * 4
    assert length(client) == 300


def test_only_the_messages_that_left_the_queue_are_sent_again(
    sweeper: Desk, wakeups: Wakeups, client: redis.Redis, database: Database
) -> None:
    wakeups.send(receive(database, 100))
    client.rpop(QUEUE, 30)  # taken by a worker that was killed
    assert sweep_later(sweeper, database) == Swept(freed=0, woken=30)
    assert sweep_later(sweeper, database) == Swept(freed=0, woken=0)
    assert length(client) == 100


def test_a_message_that_was_taken_a_moment_ago_is_not_lost(
    sweeper: Desk, wakeups: Wakeups, client: redis.Redis, database: Database
) -> None:
    wakeups.send(receive(database, 10))
    client.rpop(QUEUE, 5)
    assert sweep(sweeper) == Swept(freed=0, woken=0)


def test_events_that_were_stored_while_redis_was_away_are_sent(
    sweeper: Desk, client: redis.Redis, database: Database
) -> None:
    receive(database, 7, Provider.PAYPAL)
    assert sweep_later(sweeper, database) == Swept(freed=0, woken=7)
    assert length(client, "payments.paypal") == 7


def test_a_claim_of_a_dead_worker_is_freed_and_sent_in_one_sweep(
    sweeper: Desk, wakeups: Wakeups, client: redis.Redis, database: Database
) -> None:
    calls = receive(database, 3)
    wakeups.send(calls)
    client.rpop(QUEUE, 1)
    assert sweeper.claims.take(calls[0].inbox_id, 0.0) is not None
    assert sweep(sweeper) == Swept(freed=1, woken=1)
    assert length(client) == 3


def test_a_backlog_that_two_bridges_sent_in_the_other_order_is_sent_again_at_most_once(
    sweeper: Desk, wakeups: Wakeups, client: redis.Redis, database: Database
) -> None:
    calls = receive(database, 100)
    wakeups.send(calls[50:])
    wakeups.send(calls[:50])
    for _ in range(4):
        sweep_later(sweeper, database)
    assert length(client) <= 150


def test_one_of_eight_beats_sweeps(sweeper: Desk) -> None:
    together = threading.Barrier(8)

    def try_to(_number: int) -> Swept | None:
        together.wait()
        return sweep(sweeper)

    with ThreadPoolExecutor(8) as pool:
        assert [each is None for each in pool.map(try_to, range(8))].count(False) == 1


def test_what_could_not_be_sent_is_found_by_a_later_sweep(
    make_desk: MakeDesk, queue: Queue, database: Database
) -> None:
    class Away(Queue):
        def watermark(self, _queue: str) -> int | None:
            return None

    away = Away()
    desk = make_desk(wakeups=away)
    receive(database, 3)
    age(database)
    away.away = True
    with pytest.raises(QueueAway):
        sweep(desk)
    away.away = False
    assert sweep_later(desk, database) == Swept(freed=0, woken=3)
    assert queue.sent == []


def test_a_sweep_that_finds_something_says_so_and_one_that_does_not_is_silent(
    sweeper: Desk, database: Database, told: list[tuple[str, dict[str, object]]]
) -> None:
    assert sweep(sweeper) == Swept()
    assert told == []
    receive(database, 2)
    sweep_later(sweeper, database)
    assert told == [("work_swept_up", {"freed": 0, "woken": 2})]
