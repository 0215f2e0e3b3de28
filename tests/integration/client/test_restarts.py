"""A watch over a server that is killed, told to end, frozen, and started anew, as a real process."""

from collections.abc import Callable, Iterator

import msgspec
import pytest

from payments.client import Endpoint, PaymentClient, Reconnect, Reconnecting, Watch, WatchPolicy
from tests.integration.client.conftest import taken
from tests.integration.client.feed_process import Feed, wait_until_up
from tests.integration.client.wire import Wire
from workers.embedded.port import free_port

PATIENT = WatchPolicy(silence_seconds=10.0, reconnect=Reconnect(base_seconds=0.05, cap_seconds=0.3, most_in_a_row=0))


@pytest.fixture
def feed() -> Iterator[Feed]:
    made = Feed(free_port())
    made.start()
    yield made
    made.kill()


def numbers(watch: Watch, many: int) -> list[int]:
    return [int(event.cursor) for event in taken(watch, many)]


def client_of(feed: Feed) -> PaymentClient:
    wait_until_up(feed)
    return PaymentClient(Endpoint(address=feed.address))


@pytest.mark.parametrize("end", [Feed.kill, Feed.stop], ids=["killed", "told to end"])
def test_each_event_comes_once_and_in_order_however_often_the_server_ends(
    feed: Feed, end: Callable[[Feed], None]
) -> None:
    with client_of(feed) as client, client.watch(policy=PATIENT) as watch:
        seen = numbers(watch, 10)  # in the middle of a batch
        for more in (101, 46):
            end(feed)
            feed.start()
            seen += numbers(watch, more)
        assert seen == list(range(1, 158))
        assert watch.statistics.reconnects == 2
        assert watch.cursor == "157"


def test_a_frozen_server_is_left_and_found_again_when_it_is_back(feed: Feed) -> None:
    told: list[Reconnecting] = []
    policy = msgspec.structs.replace(PATIENT, silence_seconds=0.5)

    def thaw_by_a_new_one(reconnecting: Reconnecting) -> None:
        told.append(reconnecting)
        if len(told) == 1:
            feed.kill()
            feed.start()

    with client_of(feed) as client, client.watch(policy=policy, on_reconnect=thaw_by_a_new_one) as watch:
        seen = numbers(watch, 10)
        feed.freeze()
        seen += numbers(watch, 200)
    assert seen == list(range(1, 211))
    assert told[0].failure.code == "silence"


def test_a_connection_that_is_reset_is_made_anew(feed: Feed) -> None:
    wait_until_up(feed)
    told: list[Reconnecting] = []
    with (
        Wire(feed.address) as wire,
        PaymentClient(Endpoint(address=wire.address)) as client,
        client.watch(policy=PATIENT, on_reconnect=told.append) as watch,
    ):
        seen = numbers(watch, 10)
        for more in (101, 46):
            wire.cut()
            seen += numbers(watch, more)
    assert seen == list(range(1, 158))
    assert {each.failure.code for each in told} == {"connection_reset"}
