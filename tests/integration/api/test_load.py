"""Many connections, clients that go away and clients that stall: what the server keeps of them, and how others fare."""

import socket
import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import grpc
import msgspec
import psutil  # type: ignore[import-untyped]  # psutil ships no types
import psycopg
import pytest

from payferry.v1 import payment_pb2 as pb
from payferry.v1.payment_pb2_grpc import PaymentServiceStub
from tests.acceptance.commands import PROGRAM
from tests.acceptance.running import Running
from tests.integration.api.conftest import READER, STREAMS, Serve, bearer
from tests.integration.api.conftest import Running as Server
from tests.integration.api.test_streams import Watcher
from tests.integration.api.till import Till
from tests.integration.kafka import eventually
from workers.api import gate
from workers.embedded.port import free_port

ALL = pb.StreamPaymentsRequest()
NARROW = [("grpc.http2.lookahead_bytes", 1024), ("grpc.http2.bdp_probe", 0)]
OF_ITS_OWN = [("grpc.use_local_subchannel_pool", 1)]
"""A connection that no other channel shares."""

FEW_FILES = 512
STREAMS_AT_MOST, STREAMS_WANTED, SILENT_CONNECTIONS = 60, 100, 900
MANY = 300
"""Streams: more than questions that may wait where nothing else bounds them."""

MOST_MB_MORE = 150
ANSWER_SECONDS = 0.5


class Api:
    """`payferry api` in a process of its own."""

    def __init__(self, running: Running, port: int) -> None:
        self.port = port
        self.address = f"127.0.0.1:{port}"
        self.process = psutil.Process(running.process.pid)

    def mb(self) -> float:
        return float(self.process.memory_info().rss) / 2**20

    def connections(self) -> int:
        """Return how many there are to it, also such as their clients have left."""
        return sum(bool(each.raddr) and each.laddr.port == self.port for each in self.process.net_connections("tcp"))

    def answer_seconds(self) -> float:
        """Return how long a call takes on a connection of its own, of three the median."""
        took = []
        for _ in range(3):
            with grpc.insecure_channel(self.address, OF_ITS_OWN) as channel:
                began = time.perf_counter()
                PaymentServiceStub(channel).ListPayments(pb.ListPaymentsRequest(), metadata=bearer(READER), timeout=10)
                took.append(time.perf_counter() - began)
        return statistics.median(took)


@pytest.fixture
def streams_at_most() -> int:
    """How many streams the server has room for."""
    return STREAMS_AT_MOST


@pytest.fixture
def api(database_url: str, redis_url: str, tmp_path: Path, streams_at_most: int) -> Iterator[Api]:
    port = free_port()
    env = {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "API_PORT": str(port),
        "API_TOKENS": f"shop:read:{READER}",
        "API_MAX_SUBSCRIBERS": str(streams_at_most),
        "API_CALLS_PER_SECOND": "0",
    }
    command = ["sh", "-c", f"ulimit -S -n {FEW_FILES} && exec {PROGRAM} api"]  # as it is on many systems
    with Running(command, env, tmp_path, "api") as running:
        running.wait_for(lambda: "api_started" in running.output(), "the API serves")
        yield Api(running, port)


@pytest.mark.alone
def test_of_a_thousand_connections_each_is_served_or_refused_and_none_leaves_anything_behind(
    api: Api, till: Till
) -> None:
    api.answer_seconds()  # the first of everything
    mb = api.mb()
    with ExitStack() as connections:
        for _ in range(SILENT_CONNECTIONS):
            connections.enter_context(socket.create_connection(("127.0.0.1", api.port)))
        watchers = [Watcher(api.address, options=OF_ITS_OWN) for _ in range(STREAMS_WANTED)]
        for each in watchers:
            connections.callback(each.close)
            each.until(lambda watcher: watcher.live or watcher.error is not None)
        assert api.connections() == SILENT_CONNECTIONS + STREAMS_WANTED
        assert api.answer_seconds() < ANSWER_SECONDS
        till.captured("p1")
        refused = [each.error.code() for each in watchers if each.error is not None]
        assert refused == [grpc.StatusCode.RESOURCE_EXHAUSTED] * (STREAMS_WANTED - STREAMS_AT_MOST)
        for each in watchers:
            each.until(lambda watcher: watcher.told == [("p1", 1)] or watcher.error is not None)
        assert api.mb() < mb + MOST_MB_MORE
    eventually(lambda: api.connections() == 0, "its connections are closed")
    assert api.answer_seconds() < ANSWER_SECONDS


@pytest.mark.parametrize("streams_at_most", [MANY])
def test_all_streams_may_wait_for_the_feed_at_once_and_single_reads_do_not_wait_behind_them(
    api: Api, till: Till, database_url: str
) -> None:
    till.captured("p1")
    with grpc.insecure_channel(api.address, OF_ITS_OWN) as channel:
        stub = PaymentServiceStub(channel)
        with psycopg.connect(database_url) as locking:
            locking.execute("LOCK TABLE payment_events")
            calls = [stub.StreamPayments(ALL, metadata=bearer(READER)) for _ in range(MANY)]
            answer = stub.GetPayment(pb.GetPaymentRequest(id="stripe:p1"), metadata=bearer(READER), timeout=10)
            assert answer.payment.id == "stripe:p1"
            assert not any(call.done() for call in calls)  # all that began before it have had their turn
        assert all(next(call).live for call in calls)


@pytest.fixture
def wide(serve: Serve) -> Server:
    """A server for as many streams as a test likes."""
    return serve(streams=msgspec.structs.replace(STREAMS, max_streams=300))


def test_two_hundred_clients_that_go_at_once_in_the_middle_leave_nothing_behind(wide: Server, till: Till) -> None:
    before = wide.tasks()
    channels = [grpc.insecure_channel(wide.address, OF_ITS_OWN) for _ in range(4)]
    calls = [PaymentServiceStub(channels[n % 4]).StreamPayments(ALL, metadata=bearer(READER)) for n in range(200)]
    for call in calls:
        next(call)
    till.captured("p1")
    next(calls[0])
    assert wide.streams == 200
    for channel in channels:
        channel.close()
    eventually(lambda: wide.streams == 0, "no stream is left")
    eventually(lambda: wide.tasks() <= before, "nothing is left of them")


def test_a_client_that_never_reads_again_is_given_up_and_costs_little_until_it_goes(
    serve: Serve, till: Till, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(gate, "_LONGEST_ABORT_SECONDS", 0.5)
    server = serve(streams=msgspec.structs.replace(STREAMS, stall_seconds=0.5))
    before = server.tasks()
    with grpc.insecure_channel(server.address, NARROW) as channel:
        idle = PaymentServiceStub(channel).StreamPayments(ALL, metadata=bearer(READER))
        next(idle)
        began, made = time.monotonic(), 0
        while server.streams:
            till.captured(f"p{made}", customer_reference="x" * 255)
            made += 1
            assert time.monotonic() < began + 30
        eventually(lambda: server.tasks() <= before + 1, "its call is given up, and only its status waits for it")
    eventually(lambda: server.tasks() <= before, "nothing is left of it")
    assert [fields["code"] for name, fields in server.told if name == "api_called"] == ["too_slow"]
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []
