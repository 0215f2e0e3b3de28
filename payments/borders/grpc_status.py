"""How a gRPC call ended: its status, and the details of google.rpc that a server added; grpcio is not imported.

Source: google/rpc/error_details.proto, and the header `grpc-status-details-bin` of grpc.io/docs/guides/error.
"""

import re
from collections.abc import Iterable
from types import MappingProxyType
from typing import Protocol

import msgspec
from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, PreconditionFailure, RetryInfo
from google.rpc.status_pb2 import Status

from payments.borders.retry_after import MAX_RETRY_AFTER_SECONDS

_DETAILS = "grpc-status-details-bin"


class EndedCall(Protocol):
    """What grpcio raises: a call that has ended with a status other than OK."""

    def code(self) -> "NamedCode": ...  # noqa: D102 - see the class
    def details(self) -> str | None: ...  # noqa: D102
    def trailing_metadata(self) -> Iterable[tuple[str, str | bytes]] | None: ...  # noqa: D102


class NamedCode(Protocol):
    """A member of grpcio's StatusCode."""

    @property
    def name(self) -> str: ...  # noqa: D102 - see the class


class GrpcStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A status other than OK. `name` is that of the code, such as `UNAVAILABLE`.

    `reason` and `metadata` are those of ErrorInfo; a reason that does not look like a code is empty. Where there is no
    ErrorInfo, `text` is not our server's: the transport wrote it. `violations` are the fields that BadRequest names, or
    the subjects that PreconditionFailure does, each with what is wrong with it.
    """

    name: str
    text: str = ""
    reason: str | None = None
    metadata: dict[str, str] = msgspec.field(default_factory=dict)
    retry_after_seconds: float | None = None
    violations: tuple[tuple[str, str], ...] = ()


def status_of(call: EndedCall) -> GrpcStatus:
    """Return how the call ended. Details that cannot be read are as good as none."""
    status = GrpcStatus(name=call.code().name, text=call.details() or "")
    raw = next((value for key, value in call.trailing_metadata() or () if key == _DETAILS), b"")
    try:
        details = Status.FromString(raw if isinstance(raw, bytes) else raw.encode()).details
        for detail in details:
            read = _READ.get(detail.TypeName())
            status = read(status, detail.value) if read else status
    except DecodeError:
        pass
    return status


def _with_info(status: GrpcStatus, value: bytes) -> GrpcStatus:
    info = ErrorInfo.FromString(value)
    reason = info.reason if _CODE.fullmatch(info.reason) else ""
    return msgspec.structs.replace(status, reason=reason, metadata=dict(info.metadata))


def _with_pause(status: GrpcStatus, value: bytes) -> GrpcStatus:
    told_seconds = RetryInfo.FromString(value).retry_delay.ToNanoseconds() / 1e9
    return msgspec.structs.replace(status, retry_after_seconds=min(max(told_seconds, 0.0), MAX_RETRY_AFTER_SECONDS))


def _with_violations(status: GrpcStatus, value: bytes) -> GrpcStatus:
    told = BadRequest.FromString(value).field_violations
    return msgspec.structs.replace(status, violations=tuple((each.field, each.description) for each in told))


def _with_preconditions(status: GrpcStatus, value: bytes) -> GrpcStatus:
    told = PreconditionFailure.FromString(value).violations
    return msgspec.structs.replace(status, violations=tuple((each.subject, each.description) for each in told))


_READ = MappingProxyType(
    {
        "google.rpc.ErrorInfo": _with_info,
        "google.rpc.RetryInfo": _with_pause,
        "google.rpc.BadRequest": _with_violations,
        "google.rpc.PreconditionFailure": _with_preconditions,
    }
)

_CODE = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)
"""What looks like a code: no free text gets into a failure's code."""
