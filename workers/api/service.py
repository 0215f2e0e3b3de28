"""The calls of PaymentService: what is asked for, checked, and what the ledger says."""

from functools import partial

import msgspec

from payferry.v1 import payment_pb2 as pb
from payments.flows.reading import PaymentReader, Reading
from payments.ledger.feed import Position
from payments.ledger.history import Histories
from payments.ledger.views import PaymentViews
from payments.view import PaymentFilter, PaymentView
from workers.api.callers import caller, sees_emails
from workers.api.cursors import PageToken, StreamCursor, digest_of_filter, page_token, stream_cursor
from workers.api.hub import Hub
from workers.api.messages import history_message, payment_message
from workers.api.refusals import not_found
from workers.api.requests import checked_filter, checked_id, checked_limit
from workers.api.single_flight import SingleFlight
from workers.api.subscription import Source, Subscription, Wanted, Write, from_now
from workers.api.threads import Threads


class Library(msgspec.Struct, frozen=True):
    """What single payments and pages are read from, and the threads in which that is done."""

    reader: PaymentReader
    views: PaymentViews
    histories: Histories
    threads: Threads


class PaymentService:
    """Each call returns its answer, or raises Refusal or a Failure; who may call was found out before."""

    def __init__(self, library: Library, source: Source, hub: Hub, epoch: str) -> None:
        self._library = library
        self._source = source
        self._hub = hub
        self._epoch = epoch
        self._flights: SingleFlight[Reading] = SingleFlight()

    async def get_payment(self, request: pb.GetPaymentRequest) -> pb.GetPaymentResponse:
        """Return one payment as it stands."""
        name, whole = checked_id(request.id), sees_emails()
        read = partial(self._library.reader.read, name, whole=whole)
        reading = await self._flights.of((name, whole), lambda: self._library.threads.ask(read))
        if reading.payment is None:
            raise not_found(name)
        message = payment_message(reading.payment, whole=whole)
        return pb.GetPaymentResponse(payment=message, stale=reading.stale, age_seconds=reading.age_seconds)

    async def list_payments(self, request: pb.ListPaymentsRequest) -> pb.ListPaymentsResponse:
        """Return a page of payments, newest first."""
        limit, wanted = checked_limit(request.limit), checked_filter(request.filter)
        token = page_token(request.page_token, wanted) if request.page_token else None
        views, total = await self._library.threads.ask(lambda: self._page(wanted, limit + 1, token))
        shown = views[:limit]
        is_more = len(views) > limit
        return pb.ListPaymentsResponse(
            payments=[payment_message(view, whole=sees_emails()) for view in shown],
            next_page_token=_token_after(shown[-1], total, wanted) if is_more else "",
            total=total,
        )

    async def get_payment_history(self, request: pb.GetPaymentHistoryRequest) -> pb.GetPaymentHistoryResponse:
        """Return one payment with everything that happened to it."""
        name = checked_id(request.id)
        return await self._library.threads.ask(partial(self._history, name, whole=sees_emails()))

    async def stream_payments(self, request: pb.StreamPaymentsRequest, write: Write) -> None:
        """Write payments as they change, until the client goes."""
        wanted = Wanted(
            filter=checked_filter(request.filter),
            begin=await self._begin(request),
            whole=sees_emails(),
            client=caller.get().name,
        )
        await Subscription(self._hub, self._source, wanted).run(write)

    async def _begin(self, request: pb.StreamPaymentsRequest) -> StreamCursor:
        if request.cursor:
            return stream_cursor(request.cursor, self._epoch)
        position: Position = await self._source.threads.ask(self._source.feed.end)
        return from_now(self._epoch, position, existing=request.include_existing)

    def _history(self, name: str, *, whole: bool) -> pb.GetPaymentHistoryResponse:
        view, history = self._library.views.find(name), self._library.histories.of(name)
        if view is None and not history.events and not history.dead_letters:
            raise not_found(name)
        return history_message(view, history, whole=whole)

    def _page(self, wanted: PaymentFilter, limit: int, token: PageToken | None) -> tuple[list[PaymentView], int]:
        views = self._library.views.page(wanted, limit, token.place if token else None)
        return views, token.total if token else self._library.views.count(wanted)


def _token_after(view: PaymentView, total: int, wanted: PaymentFilter) -> str:
    return PageToken(view.created_at, view.id, total, digest_of_filter(wanted)).text()
