"""A machine that lacks something, and a pool that ends a task."""

from collections.abc import Callable
from pathlib import Path

import pytest

from payments.borders.grpc import failure_of_grpc
from payments.borders.unforeseen import failure_of
from payments.failures import Failure
from tests.failure_stages.network import Staged


def raised_by(work: Callable[[], object]) -> Staged:
    """Return a stage: what `work` raises, named where nobody else has named it."""

    def staged(_request: pytest.FixtureRequest) -> Failure:
        with pytest.raises(BaseException) as caught:  # noqa: PT011 - whatever it is, it is to get a name
            work()
        return failure_of(caught.value, "process")

    return staged


def raising(error: BaseException) -> Staged:
    """Return a stage: this error."""
    return lambda _request: failure_of(error, "process")


def grpc(name: str) -> Staged:
    """Return a stage: a gRPC server's status."""
    return lambda _request: failure_of_grpc(name, "processor", "capture")


def fill_the_disk() -> None:
    Path("/dev/full").write_bytes(b"x" * 100_000)


def want_too_much_memory() -> object:
    return bytearray(1 << 60)
