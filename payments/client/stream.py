"""One stream of a watch, on a connection of its own."""

from typing import Any, Self

import grpc

from payferry.v1 import payment_pb2 as messages
from payments.borders.grpc import failure_of_answer, is_transport_reset
from payments.borders.grpc_status import GrpcStatus, status_of
from payments.client.channel import SERVICE, open_channel, stub_of
from payments.client.endpoint import Endpoint
from payments.client.watchdog import Watchdog
from payments.failures import AnswerUnreadable, Failure, ServiceUnavailable, Unanswered

_OPERATION = "StreamPayments"


class StreamEnded(Exception):
    """The stream has ended. `can_resume`: another one may go well. `cursor` is where the server says it stood."""

    def __init__(self, failure: Failure, *, can_resume: bool = True, cursor: str = "") -> None:
        super().__init__(str(failure))
        self.failure = failure
        self.can_resume = can_resume
        self.cursor = cursor


class Stream:
    """Messages of the API until it ends. A connection of its own means that each attempt is a dial of its own."""

    def __init__(
        self,
        endpoint: Endpoint,
        request: messages.StreamPaymentsRequest,
        *,
        connect_seconds: float,
        silence_seconds: float,
    ) -> None:
        """Ask for the stream. Raises ConfigurationError; whatever else is wrong is told by `receive`."""
        self._channel = open_channel(endpoint, connect_seconds)
        self._call: Any = stub_of(self._channel).StreamPayments(request, metadata=endpoint.credentials)
        self._watchdog = Watchdog(silence_seconds, self._call.cancel)
        self._silence_seconds = silence_seconds

    def __enter__(self) -> Self:
        self._watchdog.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def receive(self) -> messages.StreamPaymentsResponse:
        """Wait for the next message. Raises StreamEnded."""
        try:
            with self._watchdog.listening():
                message: messages.StreamPaymentsResponse = next(self._call)
        except StopIteration:
            told = ServiceUnavailable("the server ended the stream", service=SERVICE, operation=_OPERATION)
            raise StreamEnded(told) from None
        except grpc.RpcError as error:
            raise self._ended(status_of(error)) from None
        return message

    def close(self) -> None:
        """End the stream, and the connection. May be called again, and by any thread; who waits gets StreamEnded."""
        self._watchdog.stop()
        self._call.cancel()
        self._channel.close()

    def _ended(self, status: GrpcStatus) -> StreamEnded:
        if self._watchdog.has_barked:
            told = f"nothing was heard for {self._silence_seconds:g} s"
            return StreamEnded(Unanswered(told, code="silence", service=SERVICE, operation=_OPERATION))
        failure = failure_of_answer(status, SERVICE, _OPERATION)
        return StreamEnded(failure, can_resume=_can_resume(status, failure), cursor=status.metadata.get(CURSOR, ""))


CURSOR = "cursor"
"""The key in ErrorInfo's metadata under which the server says where the stream stood."""


def _can_resume(status: GrpcStatus, failure: Failure) -> bool:
    """Return whether another stream may go well.

    A server that is killed or told to end, and a connection that is reset, show as UNAVAILABLE or as a reset (seen with
    grpcio 1.85); CANCELLED comes from a server, or a proxy, that ends its calls, since we have not cancelled;
    DEADLINE_EXCEEDED from a proxy that lets no call live longer. The others say that the request is wrong, or that
    there is a bug, and would say so again.
    """
    if isinstance(failure, AnswerUnreadable):
        return False
    return status.name in _RESUMABLE or is_transport_reset(status)


_RESUMABLE = frozenset({"UNAVAILABLE", "RESOURCE_EXHAUSTED", "ABORTED", "CANCELLED", "DEADLINE_EXCEEDED"})
