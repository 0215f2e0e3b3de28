"""A watch that goes on for long takes no more and no more of its process, and one that is broken off leaves nothing."""

import gc
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import grpc
import msgspec
import pytest

from payferry.v1 import payment_pb2 as messages
from payments.client import PaymentClient, Reconnect
from tests.integration.client.conftest import QUICK, taken
from tests.integration.client.twin import Twin, alive, batch, hang, scene
from tests.integration.kafka import eventually
from workers.api.refusals import unavailable

AT_ONCE = msgspec.structs.replace(QUICK, reconnect=Reconnect(base_seconds=0.001, cap_seconds=0.001))
SLACK = 4
"""Threads and files of streams that have just ended, and of the twin's own pool."""


def threads() -> int:
    """Count those of Python and those of grpcio."""
    return len(list(Path("/proc/self/task").iterdir()))


def files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def channels() -> int:
    gc.collect()
    return sum(isinstance(each, grpc.Channel) for each in gc.get_objects())


def test_sixty_reconnects_leave_no_thread_no_file_and_no_channel_behind(twin: Twin, client: PaymentClient) -> None:
    twin.plays(scene(batch(1), unavailable("going_down", "this server is ending", 0.0)))
    with client.watch(policy=AT_ONCE) as watch:
        assert len(taken(watch, 20)) == 20  # what is made once is made by now
        before = threads(), files(), channels()
        assert len(taken(watch, 60)) == 60
        after = threads(), files(), channels()
        assert watch.statistics.reconnects == 79
    assert all(now <= then + SLACK for now, then in zip(after, before, strict=True)), (before, after)


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Heed SIGINT as at a terminal: a shell has what it runs in the background ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_a_watch_that_is_interrupted_in_its_middle_leaves_no_thread_behind(twin: Twin, client: PaymentClient) -> None:
    def until_interrupted(_request: object, context: grpc.ServicerContext) -> Iterator[messages.StreamPaymentsResponse]:
        yield batch(1)
        yield alive("1")
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
        hang(context)

    twin.plays(until_interrupted)
    before = set(threading.enumerate())
    watch = client.watch(policy=QUICK)
    with pytest.raises(KeyboardInterrupt), watch:
        list(watch)
    assert watch.cursor == "1"
    eventually(lambda: not any(map(_is_ours, set(threading.enumerate()) - before)), "its threads end")


def _is_ours(thread: threading.Thread) -> bool:
    """Whether it is not one of the twin's, which stay for its next call."""
    return not thread.name.startswith("ThreadPoolExecutor")
