import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis
from celery import Celery
from celery.app.task import Context
from kombu.message import Message

from config.celery import PROCESS_TASK
from payments.failures import QueueAway
from payments.ledger.inbox import Wakeup
from payments.queue.wakeups import NUMBER_HEADER, Wakeups
from tests.celery_app import queue_app
from workers.embedded.valkey import Valkey

QUEUE = "payments.stripe"


def a_call(number: int = 7, provider: str = "stripe") -> Wakeup:
    return Wakeup(inbox_id=100 + number, number=number, provider=provider, payment_id=f"p{number}")


def received(app: Celery, queue: str = QUEUE) -> Message:
    """Take the next message as a worker does."""
    with app.connection_for_read() as connection, connection.SimpleQueue(app.amqp.queues[queue]) as simple:
        message = simple.get(block=True, timeout=5)
        message.ack()
        return message


def test_a_wakeup_is_a_task_message_that_a_worker_understands(app: Celery, wakeups: Wakeups) -> None:
    wakeups.send([a_call(7)])
    message = received(app)
    args, kwargs, _embedded = message.payload
    assert (args, kwargs) == ([], {"inbox_id": 107, "provider": "stripe", "payment_id": "p7"})
    assert message.headers["task"] == PROCESS_TASK
    assert message.headers["id"] == message.properties["correlation_id"] == "107-7"
    assert message.headers["eta"] is None
    assert message.content_type == "application/json"


def test_flower_is_shown_the_row_the_provider_and_the_payment_and_nothing_else(app: Celery, wakeups: Wakeups) -> None:
    wakeups.send([a_call(7)])
    headers = received(app).headers
    assert headers["kwargsrepr"] == "{'inbox_id': 107, 'provider': 'stripe', 'payment_id': 'p7'}"
    assert headers["argsrepr"] == "()"


def test_every_provider_has_a_queue_of_its_own_and_its_order_is_kept(app: Celery, wakeups: Wakeups) -> None:
    wakeups.send([a_call(1), a_call(2, "paypal"), a_call(3), a_call(4, "razorpay"), a_call(5, "canonical")])
    assert [received(app).headers[NUMBER_HEADER] for _ in range(2)] == [1, 3]
    assert [
        received(app, f"payments.{name}").headers[NUMBER_HEADER] for name in ("paypal", "razorpay", "canonical")
    ] == [
        *(2, 4, 5),
    ]


def test_more_than_one_round_trip_holds_are_sent_whole_and_in_order(client: redis.Redis, wakeups: Wakeups) -> None:
    wakeups.send([a_call(number) for number in range(1, 1202)])
    sent = [json.loads(each)["headers"][NUMBER_HEADER] for each in reversed(lrange(client, 0, -1))]
    assert sent == list(range(1, 1202))


def test_a_batch_takes_a_few_round_trips_and_not_one_a_message(client: redis.Redis, wakeups: Wakeups) -> None:
    wakeups.send([a_call(0)])
    before = reads(client)
    wakeups.send([a_call(number) for number in range(1, 401)])
    assert reads(client) - before < 60


def test_a_wakeup_may_be_for_later(app: Celery, wakeups: Wakeups) -> None:
    wakeups.send([a_call()], delay_seconds=30.0)
    wait = datetime.fromisoformat(received(app).headers["eta"]) - datetime.now(UTC)
    assert timedelta(seconds=20) < wait <= timedelta(seconds=30)


def test_nothing_to_send_is_nothing_sent(client: redis.Redis, wakeups: Wakeups) -> None:
    wakeups.send([])
    assert client.dbsize() == 0


def test_celerys_own_retry_keeps_the_number(app: Celery, wakeups: Wakeups) -> None:
    """Otherwise a queue full of retries would look like one that holds none of ours, and be doubled by the sweeper."""
    wakeups.send([a_call(7)])
    message = received(app)
    args, kwargs, _embedded = message.payload

    def work(**_told: object) -> None:
        raise NotImplementedError

    task = app.task(work, name=PROCESS_TASK, shared=False)
    request = Context(message.headers, args=args, kwargs=kwargs, called_directly=False)
    task.signature_from_request(request, args, kwargs, countdown=1.0).apply_async(queue=QUEUE)
    assert wakeups.watermark(QUEUE) == 7


# -- the watermark -----------------------------------------------------------------------------------------------------


def test_the_watermark_is_the_number_of_the_oldest_message(app: Celery, wakeups: Wakeups) -> None:
    wakeups.send([a_call(number) for number in (11, 12, 13)])
    assert wakeups.watermark(QUEUE) == 11
    received(app)
    assert wakeups.watermark(QUEUE) == 12


def test_an_empty_queue_has_no_watermark(wakeups: Wakeups) -> None:
    assert wakeups.watermark(QUEUE) is None
    wakeups.send([a_call(1, "paypal")])
    assert wakeups.watermark(QUEUE) is None


GARBAGE = [
    b"",
    b"\xff\x00",
    b"null",
    b"[]",
    b"7",
    b'{"headers": 1}',
    b'{"headers": {"wakeup": "seven"}}',
    b'{"headers": {}}',
]


def test_what_is_not_ours_at_the_old_end_is_looked_past(client: redis.Redis, wakeups: Wakeups) -> None:
    wakeups.send([a_call(11), a_call(12)])
    client.rpush(QUEUE, *GARBAGE)
    assert wakeups.watermark(QUEUE) == 11


def test_behind_much_that_is_not_ours_any_number_may_be_queued(client: redis.Redis, wakeups: Wakeups) -> None:
    wakeups.send([a_call(11), a_call(12)])
    client.rpush(QUEUE, *(b'{"headers": {}}' for _ in range(25)))
    assert wakeups.watermark(QUEUE) == 0


# -- a server that is away ---------------------------------------------------------------------------------------------


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def own_valkey() -> Iterator[Valkey]:
    with Valkey() as server:
        yield server


def test_a_server_that_is_away_is_named_left_alone_for_a_moment_and_found_again(own_valkey: Valkey) -> None:
    app, clock = queue_app(own_valkey.url), Clock()
    wakeups = Wakeups(app, PROCESS_TASK, clock)
    wakeups.send([a_call(1)])
    own_valkey.kill()
    with pytest.raises(QueueAway, match="does not answer"):
        wakeups.send([a_call(2)])

    own_valkey.start()
    with pytest.raises(QueueAway, match="a moment ago"):
        wakeups.send([a_call(3)])
    clock.now += 1.1
    wakeups.send([a_call(4)])
    with redis.Redis.from_url(own_valkey.url) as client:
        newest = json.loads(client.lrange(QUEUE, 0, 0)[0])
    assert newest["headers"][NUMBER_HEADER] == 4
    app.close()


def test_looking_at_a_server_that_is_away_is_a_named_failure_too(own_valkey: Valkey) -> None:
    app = queue_app(own_valkey.url)
    wakeups = Wakeups(app, PROCESS_TASK)
    wakeups.send([a_call(1)])
    own_valkey.kill()
    with pytest.raises(QueueAway) as away:
        wakeups.watermark(QUEUE)
    assert (away.value.service, away.value.operation) == ("redis", "look")
    app.close()


def test_a_server_that_refuses_writes_is_away(own_valkey: Valkey) -> None:
    app = queue_app(own_valkey.url)
    with redis.Redis.from_url(own_valkey.url) as client:
        client.config_set("maxmemory", "1")
    with pytest.raises(QueueAway):
        Wakeups(app, PROCESS_TASK).send([a_call(1)])
    app.close()


def test_a_server_that_refuses_connections_is_known_to_be_away_at_once(own_valkey: Valkey) -> None:
    """A bridge that stands still for 6 s at every second batch neither takes in nor stops."""
    app = queue_app(own_valkey.url)
    own_valkey.kill()
    began = time.monotonic()
    with pytest.raises(QueueAway):
        Wakeups(app, PROCESS_TASK).send([a_call(1)])
    assert time.monotonic() - began < 4
    app.close()


def lrange(client: redis.Redis, start: int, end: int) -> list[Any]:
    return list(client.lrange(QUEUE, start, end))


def reads(client: redis.Redis) -> int:
    return int(client.info("stats")["total_reads_processed"])
