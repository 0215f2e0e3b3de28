import errno
import socket

import pytest

from payments.borders.system import failure_of_machine, failure_of_system
from payments.failures import (
    AnswerTimeout,
    ConnectionRefused,
    ConnectionReset,
    DiskFull,
    DnsFailed,
    Failure,
    MachineFault,
    NetworkUnreachable,
    OutOfMemory,
)


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        (MemoryError(), OutOfMemory, "out_of_memory"),
        (OSError(errno.ENOMEM, ""), OutOfMemory, "out_of_memory"),
        (OSError(errno.ENOSPC, ""), DiskFull, "disk_full"),
        (OSError(errno.EDQUOT, ""), DiskFull, "disk_full"),
        (OSError(errno.EMFILE, ""), MachineFault, "emfile"),
        (OSError(errno.ENOBUFS, ""), MachineFault, "enobufs"),
        (OSError(errno.ECONNREFUSED, ""), ConnectionRefused, "connection_refused"),
        (OSError(errno.ECONNRESET, ""), ConnectionReset, "connection_reset"),
        (OSError(errno.EPIPE, ""), ConnectionReset, "connection_reset"),
        (OSError(errno.ETIMEDOUT, ""), AnswerTimeout, "answer_timeout"),
        (TimeoutError("timed out"), AnswerTimeout, "answer_timeout"),
        (OSError(errno.ENETUNREACH, ""), NetworkUnreachable, "network_unreachable"),
        (OSError(errno.EHOSTUNREACH, ""), NetworkUnreachable, "network_unreachable"),
        (socket.gaierror(socket.EAI_NONAME, ""), DnsFailed, "dns_failed"),
    ],
)
def test_every_error_of_the_system_has_its_failure(error: BaseException, kind: type[Failure], code: str) -> None:
    failure = failure_of_system(error, operation="process")
    assert failure is not None
    assert (type(failure), failure.code, failure.operation) == (kind, code, "process")


@pytest.mark.parametrize("error", [OSError(errno.EPERM, ""), OSError("no number"), ValueError(), KeyboardInterrupt()])
def test_what_is_not_in_the_table_has_no_name_here(error: BaseException) -> None:
    assert failure_of_system(error) is None


def test_only_what_a_machine_lacks_is_its_fault() -> None:
    assert failure_of_machine(OSError(errno.ECONNREFUSED, "")) is None
    assert failure_of_machine(MemoryError()) is not None


def test_the_text_of_an_error_is_not_quoted() -> None:
    failure = failure_of_system(OSError(errno.ENOSPC, "No space", "/home/payer@example.com"))
    assert failure is not None
    assert "payer" not in f"{failure}{vars(failure)}"
    assert "ENOSPC" in failure.message
