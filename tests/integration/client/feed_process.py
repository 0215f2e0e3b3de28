"""An API in a process of its own that can be killed: it tells of the payments 1, 2, 3, … in small batches."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc

from payferry.v1 import payment_pb2 as messages
from payferry.v1.payment_pb2_grpc import PaymentServiceServicer, add_PaymentServiceServicer_to_server
from tests.integration.client.twin import batch, refuse
from workers.api.refusals import unavailable

PROJECT = Path(__file__).parents[3]
_BATCH = 7
_PACE_SECONDS = 0.005  # slow enough to be killed in the middle, and quick enough for a test
_DEADLINE_SECONDS = 20.0


class Feed:
    """The process. It listens on the same port whenever it is started."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.address = f"127.0.0.1:{port}"

    def start(self) -> None:
        command = [sys.executable, "-m", "tests.integration.client.feed_process", str(self._port)]
        self._process = subprocess.Popen(command, cwd=PROJECT)

    def kill(self) -> None:
        """As the kernel does it where memory runs out."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """As a supervisor does it before a new version."""
        self._end(signal.SIGTERM)

    def freeze(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def _end(self, number: signal.Signals) -> None:
        self._process.send_signal(number)
        self._process.wait(_DEADLINE_SECONDS)


class _Service(PaymentServiceServicer):
    def __init__(self) -> None:
        self.ending = threading.Event()

    def StreamPayments(  # noqa: N802 - the name in the proto
        self, request: messages.StreamPaymentsRequest, context: grpc.ServicerContext
    ) -> Iterator[messages.StreamPaymentsResponse]:
        number = int(request.cursor or 0)
        while not self.ending.wait(_PACE_SECONDS):
            yield batch(*range(number + 1, number + _BATCH + 1))
            number += _BATCH
        refuse(context, unavailable("going_down", "this server is ending", 0.0, cursor=str(number)))


def _serve(port: int) -> None:
    service = _Service()
    server = grpc.server(ThreadPoolExecutor(8), options=[("grpc.so_reuseport", 0)])
    add_PaymentServiceServicer_to_server(service, server)
    server.add_insecure_port(f"127.0.0.1:{port}")
    signal.signal(signal.SIGTERM, lambda *_told: threading.Thread(target=service.ending.set).start())
    server.start()
    service.ending.wait()
    server.stop(grace=2.0).wait()


def wait_until_up(feed: Feed) -> None:
    with grpc.insecure_channel(feed.address) as channel:
        grpc.channel_ready_future(channel).result(timeout=_DEADLINE_SECONDS)


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
