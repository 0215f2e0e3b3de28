import threading
from collections.abc import Iterator
from itertools import islice

import pytest

from payments.client import CallPolicy, Endpoint, Event, PaymentClient, Reconnect, Watch, WatchPolicy
from tests.integration.client.twin import Twin

QUICK = WatchPolicy(connect_seconds=5.0, silence_seconds=10.0, reconnect=Reconnect(base_seconds=0.02, cap_seconds=0.1))
"""As long as ever before silence is one, and hardly any wait after a failure."""

_DEADLINE_SECONDS = 30.0


def taken(watch: Watch, many: int) -> list[Event]:
    """Return so many events, or as many as come within the deadline."""
    closing = threading.Timer(_DEADLINE_SECONDS, watch.close)
    closing.start()
    try:
        return list(islice(watch, many))
    finally:
        closing.cancel()


@pytest.fixture
def twin() -> Iterator[Twin]:
    with Twin() as server:
        yield server


@pytest.fixture
def client(twin: Twin) -> Iterator[PaymentClient]:
    endpoint = Endpoint(address=twin.address, token="a-token-for-tests")  # noqa: S106 - of a twin
    with PaymentClient(endpoint, CallPolicy(connect_seconds=5.0, deadline_seconds=5.0)) as opened:
        yield opened
