"""What a call is answered where it cannot be served: a status code, words for a person, and details of google.rpc.

The codes are used as https://grpc.io/docs/guides/status-codes says, the details as https://google.aip.dev/193 does.
"""

from collections.abc import Mapping

import grpc
from google.protobuf import any_pb2
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

DOMAIN = "payferry"


class Refusal(Exception):
    """Ends a call with a status. `code` is for machines and stable; the message holds no inner detail."""

    def __init__(
        self, status: grpc.StatusCode, code: str, message: str, *details: Message, told: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self._details = (error_details_pb2.ErrorInfo(reason=code, domain=DOMAIN, metadata=told or {}), *details)

    def details_bin(self) -> bytes:
        """Return all of it as the value of the trailer `grpc-status-details-bin`."""
        packed = [any_pb2.Any() for _ in self._details]
        for each, detail in zip(packed, self._details, strict=True):
            each.Pack(detail)
        whole = status_pb2.Status(code=self.status.value[0], message=self.message, details=packed)
        told: bytes = whole.SerializeToString()
        return told


def invalid_argument(field: str, problem: str) -> Refusal:
    """Return that `field` of the request is wrong, and what would be right."""
    violation = error_details_pb2.BadRequest.FieldViolation(field=field, description=problem)
    detail = error_details_pb2.BadRequest(field_violations=[violation])
    return Refusal(grpc.StatusCode.INVALID_ARGUMENT, "invalid_argument", f"{field}: {problem}", detail)


def not_found(payment_id: str) -> Refusal:
    """Return that nobody has heard of this payment."""
    detail = error_details_pb2.ResourceInfo(resource_type="payment", resource_name=payment_id)
    return Refusal(grpc.StatusCode.NOT_FOUND, "not_found", "nobody has heard of this payment", detail)


def cursor_lost(why: str) -> Refusal:
    """Return that a stream cannot go on where its cursor says; it must begin anew."""
    violation = error_details_pb2.PreconditionFailure.Violation(
        type="CURSOR", subject="cursor", description=f"{why}; begin anew without it, with include_existing"
    )
    detail = error_details_pb2.PreconditionFailure(violations=[violation])
    return Refusal(grpc.StatusCode.FAILED_PRECONDITION, "cursor_lost", why, detail)


def unauthenticated(problem: str) -> Refusal:
    """Return that nobody knows who is calling."""
    return Refusal(grpc.StatusCode.UNAUTHENTICATED, "unauthenticated", problem)


def permission_denied(grant: str) -> Refusal:
    """Return that whoever is calling may not do this."""
    message = f"this token lacks the grant {grant}"
    return Refusal(grpc.StatusCode.PERMISSION_DENIED, "permission_denied", message, told={"grant": grant})


def exhausted(code: str, message: str, retry_seconds: float, **told: str) -> Refusal:
    """Return that something is used up for now, and when to come back."""
    return Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, code, message, _retry(retry_seconds), told=told)


def unavailable(code: str, message: str, retry_seconds: float, **told: str) -> Refusal:
    """Return that this cannot be served now, and when to come back."""
    return Refusal(grpc.StatusCode.UNAVAILABLE, code, message, _retry(retry_seconds), told=told)


def deadline_exceeded() -> Refusal:
    """Return that the time for the call is over."""
    return Refusal(grpc.StatusCode.DEADLINE_EXCEEDED, "deadline_exceeded", "the time for this call is over")


def internal(correlation_id: str) -> Refusal:
    """Return that it is our fault, and under which id the log tells why. Nothing else is told."""
    message = f"something went wrong here; the log tells what, under {correlation_id}"
    return Refusal(grpc.StatusCode.INTERNAL, "internal", message, told={"correlation_id": correlation_id})


def _retry(seconds: float) -> Message:
    delay = Duration()
    delay.FromMilliseconds(max(0, round(seconds * 1000)))
    told: Message = error_details_pb2.RetryInfo(retry_delay=delay)
    return told
