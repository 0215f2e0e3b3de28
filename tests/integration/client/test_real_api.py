"""The client on the API itself, over a real ledger, while servers end and come back."""

import subprocess
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

import grpc
import pytest

from payments.client import Endpoint, Event, Filter, PaymentClient, Reconnect, WatchPolicy
from payments.failures import Forbidden, NotFound, Unauthorized, ValidationFailed
from payments.ledger.database import Database
from payments.ledger.feed import Feed
from tests.acceptance.commands import PROGRAM, environment
from tests.integration.api.conftest import ADMIN, READER, Running, Serve, serve, server, till  # noqa: F401 - fixtures
from tests.integration.api.till import Till
from tests.integration.client.conftest import taken
from workers.embedded.port import free_port

PATIENT = WatchPolicy(silence_seconds=10.0, reconnect=Reconnect(base_seconds=0.05, cap_seconds=0.3, most_in_a_row=0))


def client_at(address: str, token: str = READER) -> PaymentClient:
    return PaymentClient(Endpoint(address=address, token=token))


@pytest.fixture
def busy(till: Till) -> Iterator[None]:  # noqa: F811 - the fixture
    """Somebody settles payments all the while: p0, p1, p2, …"""
    is_over = threading.Event()

    def settle() -> None:
        number = 0
        while not is_over.is_set():
            till.captured(f"p{number}")
            number += 1

    settling = threading.Thread(target=settle)
    settling.start()
    yield
    is_over.set()
    settling.join()


def test_a_payment_is_read_listed_and_told_with_its_history(server: Running, till: Till) -> None:  # noqa: F811
    till.captured("p1", customer_reference="cus_1", customer_email="jo@example.com")
    till.refunded("p1", "re_1", 250)
    till.captured("p2", currency="JPY", amount_minor=700)
    with client_at(server.address) as client:
        payment = client.get("stripe:p1").payment
        assert (payment.status, payment.amount, payment.refunded) == ("partially_refunded", "10.00", "2.50")
        assert (payment.customer_reference, payment.customer_email) == ("cus_1", "j***@***.com")
        assert [each.amount for each in client.list_all()] == ["700", "10.00"]
        [yen] = client.list(Filter(currencies=("JPY",))).payments
        assert yen.id == "stripe:p2"
        with pytest.raises(NotFound):
            client.get("stripe:nobody")
        with pytest.raises(Forbidden):
            client.history("stripe:p1")
    with client_at(server.address, ADMIN) as client:
        history = client.history("stripe:p1")
    assert [event.kind for event in history.events] == ["captured", "refunded"]
    assert Counter(entry.amount for entry in history.entries) == {"10.00": 1, "-10.00": 1, "2.50": 1, "-2.50": 1}


def test_a_token_that_nobody_knows_ends_a_watch_at_once(server: Running) -> None:  # noqa: F811
    with (
        client_at(server.address, "nobodys-token-0001") as client,
        client.watch(policy=PATIENT) as watch,
        pytest.raises(Unauthorized),
    ):
        next(watch)


def test_a_cursor_that_is_no_longer_kept_says_how_to_begin_anew(
    serve: Serve,  # noqa: F811
    till: Till,  # noqa: F811
    database: Database,
) -> None:
    with client_at(serve().address) as client, client.watch(policy=PATIENT) as watch:
        settling = threading.Timer(0.2, till.captured, ("p1", "p2"))
        settling.start()
        old = taken(watch, 1)[0].cursor
        settling.join()
    database.run("UPDATE payment_events SET settled_at = now() - interval '8 days'")
    Feed(database).purge(7 * 86_400.0, 10)
    later = serve().address  # one that has nothing of it in memory
    with (
        client_at(later) as client,
        client.watch(cursor=old, policy=PATIENT) as watch,
        pytest.raises(ValidationFailed, match="include_existing"),
    ):
        next(watch)


@pytest.mark.usefixtures("busy")
def test_a_server_that_makes_way_for_another_loses_nothing_and_repeats_nothing(serve: Serve) -> None:  # noqa: F811
    port = free_port()
    running = serve(port=port)
    with client_at(running.address) as client, client.watch(policy=PATIENT) as watch:
        told = taken(watch, 50)
        for _ in range(2):
            running.stop()
            running = serve(port=port)
            told += taken(watch, 100)
        assert watch.statistics.reconnects == 2
    assert_one_after_the_other(told)


def test_a_server_that_ends_while_it_tells_what_there_is_tells_the_rest_afterwards(
    serve: Serve,  # noqa: F811
    till: Till,  # noqa: F811
) -> None:
    till.captured(*(f"p{number}" for number in range(600)))  # more than a message holds
    port = free_port()
    running = serve(port=port)
    with client_at(running.address) as client, client.watch(include_existing=True, policy=PATIENT) as watch:
        told = taken(watch, 300)
        running.stop()
        serve(port=port)
        told += taken(watch, 300)
        till.captured("p600")
        [new] = taken(watch, 1)
    assert all(event.existing for event in told)
    assert Counter(event.payment.payment_id for event in told) == Counter(f"p{number}" for number in range(600))
    assert (new.existing, new.payment.payment_id) == (False, "p600")


@pytest.mark.usefixtures("busy")
def test_a_process_that_is_killed_loses_nothing_and_repeats_nothing(database_url: str, tmp_path: Path) -> None:
    port = free_port()
    with (
        Api(port, database_url, tmp_path) as api,
        client_at(api.address) as client,
        client.watch(policy=PATIENT) as watch,
    ):
        told = taken(watch, 50)
        api.kill()
        api.start()
        told += taken(watch, 200)
        assert watch.statistics.reconnects == 1
    assert_one_after_the_other(told)


def assert_one_after_the_other(told: Sequence[Event]) -> None:
    """Assert that these are all payments from some one on, each once."""
    numbers = [int(event.payment.payment_id.removeprefix("p")) for event in told]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


class Api:
    """`payferry api` as a process, on the same port whenever it is started."""

    def __init__(self, port: int, database_url: str, folder: Path) -> None:
        self.address = f"127.0.0.1:{port}"
        self._folder = folder
        told = {"DATABASE_URL": database_url, "API_PORT": str(port), "API_TOKENS": f"shop:read:{READER}"}
        self._env = environment(told)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.kill()

    def start(self) -> None:
        self._process = subprocess.Popen([PROGRAM, "api"], env=self._env, cwd=self._folder)
        with grpc.insecure_channel(self.address) as channel:
            grpc.channel_ready_future(channel).result(timeout=30)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(10)
