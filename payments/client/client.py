"""The public client of the gRPC API."""

from collections.abc import Callable, Iterator
from typing import Any, Self

import grpc
import msgspec

from payferry.v1 import payment_pb2 as messages
from payments.borders.grpc import failure_of_answer
from payments.borders.grpc_status import status_of
from payments.client.channel import SERVICE, connect, open_channel, stub_of
from payments.client.endpoint import Endpoint
from payments.client.filter import Filter
from payments.client.history import History, history_of
from payments.client.values import Page, Payment, Reading, page_of, reading_of
from payments.client.watch import Reconnecting, Watch, WatchPolicy

_PAGE = 100  # the server returns no more at once
_EVERYTHING = Filter()


class CallPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How long it may take to connect, and to answer a call that is no stream."""

    connect_seconds: float = 5.0
    deadline_seconds: float = 10.0


class PaymentClient:
    """Reads payments. Several threads may share one.

    Make it after a fork, in each process its own. grpcio hands a client on to a child only where no thread is within a
    call when the process forks, and a watch is one all the time; an open watch belongs to the process that opened it.

    Each call raises a Failure of `payments.failures` where it fails: NotFound for a payment that nobody has heard of,
    Unauthorized and Forbidden for what our token may not do, BadRequest that names the field, RateLimited and
    ServiceUnavailable with the pause that the server asks for, Unanswered where no answer came.
    """

    def __init__(self, endpoint: Endpoint, policy: CallPolicy = CallPolicy()) -> None:  # noqa: B008 - it is frozen
        self._endpoint = endpoint
        self._policy = policy
        self._channel = open_channel(endpoint, policy.connect_seconds)
        self._stub = stub_of(self._channel)

    def __enter__(self) -> Self:
        self.connect()
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def connect(self) -> None:
        """Wait for a connection, so that a wrong address is told at once. Raises an Unreachable."""
        connect(self._channel, self._endpoint, self._policy.connect_seconds)

    def close(self) -> None:
        """Close the connection of the calls; a watch has one of its own."""
        self._channel.close()

    def get(self, payment: str) -> Reading:
        """Return one payment by `provider:id`, with any id that it goes by."""
        return reading_of(self._ask("GetPayment", messages.GetPaymentRequest(id=payment)))

    def list(self, meant: Filter = _EVERYTHING, *, limit: int = 0, page_token: str | None = None) -> Page:
        """Return a page of payments, newest first: at most `limit`, 10 where it is 0, and never more than 100.

        The next page is `next_page_token`'s, with the same filter.
        """
        request = messages.ListPaymentsRequest(filter=meant.message(), limit=limit, page_token=page_token or "")
        return page_of(self._ask("ListPayments", request))

    def list_all(self, meant: Filter = _EVERYTHING) -> Iterator[Payment]:
        """Yield all payments, newest first, a page at a time."""
        page = self.list(meant, limit=_PAGE)
        yield from page.payments
        while page.next_page_token is not None:
            page = self.list(meant, limit=_PAGE, page_token=page.next_page_token)
            yield from page.payments

    def history(self, payment: str) -> History:
        """Return one payment with everything that happened to it. The token needs the grant admin."""
        return history_of(self._ask("GetPaymentHistory", messages.GetPaymentHistoryRequest(id=payment)))

    def watch(
        self,
        meant: Filter = _EVERYTHING,
        *,
        include_existing: bool = False,
        cursor: str | None = None,
        policy: WatchPolicy = WatchPolicy(),  # noqa: B008 - it is frozen
        on_reconnect: Callable[[Reconnecting], object] | None = None,
    ) -> Watch:
        """Return an iterator over payments as they change, from now on or after `cursor`.

        With `include_existing` and no cursor, each payment that there is comes first, as it stands. An event fits the
        filter by the status that it brought about. `on_reconnect` is called before each wait for another stream.
        """
        request = messages.StreamPaymentsRequest(
            filter=meant.message(), include_existing=include_existing, cursor=cursor or ""
        )
        return Watch(self._endpoint, request, policy, on_reconnect)

    def _ask(self, operation: str, request: object) -> Any:  # noqa: ANN401 - the answer to that request
        limits = {"timeout": self._policy.deadline_seconds, "wait_for_ready": True}
        try:
            return getattr(self._stub, operation)(request, metadata=self._endpoint.credentials, **limits)
        except grpc.RpcError as error:
            raise failure_of_answer(status_of(error), SERVICE, operation) from None
