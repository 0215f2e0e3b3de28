"""A twin of the API that plays what a test has written: one scene a stream."""

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

import grpc

from payferry.v1 import payment_pb2 as messages
from payferry.v1.payment_pb2_grpc import PaymentServiceServicer, add_PaymentServiceServicer_to_server
from workers.api.refusals import Refusal, not_found

Scene = Callable[[messages.StreamPaymentsRequest, grpc.ServicerContext], Iterator[messages.StreamPaymentsResponse]]
"""What is said on one stream."""


def a_payment(number: int = 1, **told: Any) -> messages.Payment:  # noqa: ANN401 - any field
    fields: dict[str, Any] = {
        "id": f"stripe:pi_{number}",
        "provider": messages.PROVIDER_STRIPE,
        "payment_id": f"pi_{number}",
        "status": messages.PAYMENT_STATUS_COMPLETED,
        "currency": "EUR",
        "amount_minor": 1250,
        "decimals": 2,
        "revision": 1,
    }
    payment = messages.Payment(**(fields | told))
    payment.updated_at.FromSeconds(1_767_225_600 + number)
    return payment


def batch(*numbers: int, existing: bool = False, cursor: str = "") -> messages.StreamPaymentsResponse:
    """Events by their numbers, each with its number as the cursor; none: a sign of life."""
    events = (messages.PaymentEvent(cursor=str(each), payment=a_payment(each), existing=existing) for each in numbers)
    return messages.StreamPaymentsResponse(events=events, cursor=cursor or str(numbers[-1]), live=not existing)


def alive(cursor: str) -> messages.StreamPaymentsResponse:
    return messages.StreamPaymentsResponse(cursor=cursor, live=True)


def refuse(context: grpc.ServicerContext, refusal: Refusal) -> None:
    """End the call as the API does."""
    context.set_trailing_metadata((("grpc-status-details-bin", refusal.details_bin()),))
    context.abort(refusal.status, refusal.message)


def scene(*said: messages.StreamPaymentsResponse | Refusal | grpc.StatusCode, then_hangs: bool = False) -> Scene:
    """Say these things one after the other; a refusal or a bare status ends the stream."""

    def play(_request: object, context: grpc.ServicerContext) -> Iterator[messages.StreamPaymentsResponse]:
        for each in said:
            match each:
                case Refusal():
                    refuse(context, each)
                case grpc.StatusCode():
                    context.abort(each, "as the scene wants it")
                case _:
                    yield each
        if then_hangs:
            hang(context)

    return play


def hang(context: grpc.ServicerContext) -> None:
    """Say nothing until the client goes."""
    gone = threading.Event()
    if context.add_callback(gone.set):
        gone.wait(30)


class Twin(PaymentServiceServicer):
    """The server. The last scene is played again where there are more streams than scenes."""

    def __init__(self) -> None:
        self.scenes: list[Scene] = []
        self.asked: list[messages.StreamPaymentsRequest] = []
        self.tokens: list[str] = []
        self.payments: list[messages.Payment] = []
        self.history = messages.GetPaymentHistoryResponse()
        self.is_stale = False
        self._server = grpc.server(ThreadPoolExecutor(8))
        self.joins(self._server)
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.stop(0)

    def joins(self, server: grpc.Server) -> None:
        """Be served by it."""
        add_PaymentServiceServicer_to_server(self, server)  # type: ignore[no-untyped-call]  # generated

    def plays(self, *scenes: Scene) -> None:
        self.scenes = list(scenes)

    @property
    def cursors(self) -> list[str]:
        """What each stream was asked to go on after."""
        return [request.cursor for request in self.asked]

    def StreamPayments(  # noqa: N802 - the name in the proto
        self, request: messages.StreamPaymentsRequest, context: grpc.ServicerContext
    ) -> Iterator[messages.StreamPaymentsResponse]:
        self.asked.append(request)
        self.tokens.append(dict(context.invocation_metadata()).get("authorization", ""))
        yield from self.scenes[min(len(self.asked), len(self.scenes)) - 1](request, context)

    def GetPayment(self, request: messages.GetPaymentRequest, context: grpc.ServicerContext) -> Any:  # noqa: ANN401, N802 - one of several
        found = [each for each in self.payments if each.id == request.id]
        if not found:
            refuse(context, not_found(request.id))
        return messages.GetPaymentResponse(payment=found[0], stale=self.is_stale, age_seconds=3.0 * self.is_stale)

    def ListPayments(self, request: messages.ListPaymentsRequest, _context: object) -> Any:  # noqa: ANN401, N802 - likewise
        begin, limit = int(request.page_token or 0), request.limit or 10
        page: Iterable[messages.Payment] = self.payments[begin : begin + limit]
        following = str(begin + limit) if begin + limit < len(self.payments) else ""
        return messages.ListPaymentsResponse(payments=page, next_page_token=following, total=len(self.payments))

    def GetPaymentHistory(self, _request: object, _context: object) -> Any:  # noqa: ANN401, N802 - likewise
        return self.history
