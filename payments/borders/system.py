"""Errors of the operating system and of the interpreter (errno(3)), where no other border knows more about them."""

import errno
import socket
from collections.abc import Mapping

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


def failure_of_system(error: BaseException, service: str = "payferry", operation: str = "") -> Failure | None:
    """Return what an error of the system means; None where it is none, or one that is not listed here.

    Nobody knows here what had been sent before, so a broken connection and a timeout leave the outcome open.
    """
    machine = failure_of_machine(error, service, operation)
    if machine is not None or not isinstance(error, OSError):
        return machine
    kind = _kind(error)
    return kind(f"the system says {_name(error)}", service=service, operation=operation) if kind else None


def failure_of_machine(error: BaseException, service: str = "payferry", operation: str = "") -> MachineFault | None:
    """Return what this machine lacks, if that is what the error says: memory, disk, or handles and ports."""
    kind: type[MachineFault] | None = OutOfMemory if isinstance(error, MemoryError) else None
    if isinstance(error, OSError):
        kind = _MACHINE.get(error.errno or 0)
    if kind is None:
        return None
    return kind(f"the system says {_name(error)}", code=_code(kind, error), service=service, operation=operation)


def _kind(error: OSError) -> type[Failure] | None:
    if isinstance(error, socket.gaierror):
        return DnsFailed
    if isinstance(error, TimeoutError):  # with or without a number
        return AnswerTimeout
    return _NETWORK.get(error.errno or 0)


def _name(error: BaseException) -> str:
    """Return the error's name and never its text, which may name a file or an address."""
    number = error.errno if isinstance(error, OSError) else None
    return errno.errorcode.get(number or 0, type(error).__name__)


def _code(kind: type[Failure], error: BaseException) -> str:
    """Return the kind, or the name of the error where the kind is as wide as MachineFault."""
    return _name(error).lower() if kind is MachineFault else kind.kind


_MACHINE: Mapping[int, type[MachineFault]] = {
    errno.ENOMEM: OutOfMemory,
    errno.ENOSPC: DiskFull,
    errno.EDQUOT: DiskFull,
    errno.EMFILE: MachineFault,
    errno.ENFILE: MachineFault,
    errno.ENOBUFS: MachineFault,
    errno.EADDRNOTAVAIL: MachineFault,  # every local port to that address is in use
}

_NETWORK: Mapping[int, type[Failure]] = {
    errno.ECONNREFUSED: ConnectionRefused,
    errno.ENETUNREACH: NetworkUnreachable,
    errno.EHOSTUNREACH: NetworkUnreachable,
    errno.ENETDOWN: NetworkUnreachable,
    errno.EHOSTDOWN: NetworkUnreachable,
    errno.ECONNRESET: ConnectionReset,
    errno.ECONNABORTED: ConnectionReset,
    errno.EPIPE: ConnectionReset,
    errno.ETIMEDOUT: AnswerTimeout,
}
