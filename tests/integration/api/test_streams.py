"""Streams: every change once, in order, from where the client was; bounded where it does not read."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator

import grpc
import msgspec
import psycopg
import pytest
from google.rpc import error_details_pb2

from payferry.v1 import payment_pb2 as pb
from payferry.v1.payment_pb2_grpc import PaymentServiceStub
from payments.ledger.database import Database
from payments.ledger.feed import Feed
from tests.integration.api.conftest import READER, SEER, STREAMS, Running, Serve, bearer
from tests.integration.api.test_calls import detail
from tests.integration.api.till import Till
from workers.api.cursors import StreamCursor


class Watcher:
    """One stream, read in a thread: the events so far, the latest cursor, and how it ended."""

    def __init__(
        self, address: str, token: str = READER, options: Iterable[tuple[str, int]] = (), **asked: object
    ) -> None:
        self.events: list[pb.PaymentEvent] = []
        self.begun = ""
        """The first cursor: where in the feed the stream began."""
        self.cursor = ""
        self.live = False
        self.signs = 0
        self.error: grpc.RpcError | None = None
        self._channel = grpc.insecure_channel(address, options)
        request = pb.StreamPaymentsRequest(**asked)
        self._call = PaymentServiceStub(self._channel).StreamPayments(request, metadata=bearer(token))
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            for message in self._call:
                self.begun = self.begun or message.cursor
                self.events += message.events
                self.cursor, self.live = message.cursor, message.live
                self.signs += 1
        except grpc.RpcError as error:
            self.error = error

    @property
    def told(self) -> list[tuple[str, int]]:
        """What was told: payments and their revisions."""
        return [(event.payment.id.removeprefix("stripe:"), event.payment.revision) for event in self.events]

    def until(self, condition: Callable[["Watcher"], bool], seconds: float = 15.0) -> "Watcher":
        deadline = time.monotonic() + seconds
        while not condition(self):
            assert time.monotonic() < deadline, (self.told, self.error)
            time.sleep(0.005)  # between two looks
        return self

    def ended(self) -> grpc.RpcError:
        """Return with what the stream has ended."""
        self.until(lambda watcher: watcher.error is not None)
        assert self.error is not None
        return self.error

    def close(self) -> None:
        self._call.cancel()
        self._channel.close()
        self._thread.join(10)


Watch = Callable[..., Watcher]


@pytest.fixture
def watch(server: Running) -> Iterator[Watch]:
    """Return what attaches a watcher that is live already, unless it is to end; each is closed with the test."""
    watchers: list[Watcher] = []

    def start(address: str = server.address, **asked: object) -> Watcher:
        watchers.append(Watcher(address, **asked))
        return watchers[-1].until(lambda each: each.live or each.error is not None)

    yield start
    for watcher in watchers:
        watcher.close()


def test_what_changes_is_told_once_and_in_order(watch: Watch, till: Till) -> None:
    till.captured("before")
    watcher = watch()
    till.captured("a", "b")
    till.refunded("a", "re_1")
    watcher.until(lambda each: len(each.events) == 3)
    assert watcher.told == [("a", 1), ("b", 1), ("a", 2)]
    last = watcher.events[-1]
    assert (last.event_id, last.kind, last.ending, last.existing) == ("evt_re_1", "refunded", "settled", False)
    assert last.payment.refunded_minor == 10


def test_it_is_told_at_once_and_not_at_the_next_look(watch: Watch, till: Till) -> None:
    watcher = watch()
    time.sleep(1.2)  # so that it looks only once a second by now, and is woken or is late
    began = time.monotonic()
    till.captured("a")
    watcher.until(lambda each: bool(each.events))
    assert time.monotonic() - began < 0.5


def test_existing_payments_come_first_as_they_stand_and_then_what_is_new(watch: Watch, till: Till) -> None:
    till.captured("a", "b")
    till.refunded("a", "re_1")
    watcher = watch(include_existing=True)
    assert watcher.told == [("a", 2), ("b", 1)]
    assert all(event.existing for event in watcher.events)
    till.captured("c")
    watcher.until(lambda each: len(each.events) == 3)
    assert not watcher.events[-1].existing


def test_after_any_event_a_client_goes_on_with_its_cursor_without_gap_or_double(watch: Watch, till: Till) -> None:
    till.captured("old1", "old2")
    whole = watch(include_existing=True)
    till.captured("a", "b")
    till.refunded("a", "re_1")
    whole.until(lambda each: len(each.events) == 5)
    for place, event in enumerate(whole.events):
        rest = watch(cursor=event.cursor).until(lambda each, place=place: len(each.events) == 4 - place)
        assert rest.told == whole.told[place + 1 :]
        rest.close()


def test_a_payment_that_changes_while_the_existing_ones_are_told_is_told_once_as_it_was_or_as_an_event(
    watch: Watch, till: Till
) -> None:
    till.captured("a", "b", "c")
    first = watch(include_existing=True)
    cursor = first.events[0].cursor  # only "a" was told
    till.refunded("a", "re_1")
    till.refunded("c", "re_2")
    rest = watch(cursor=cursor).until(lambda each: len(each.events) == 3)
    assert rest.told == [("b", 1), ("a", 2), ("c", 2)]


def test_a_filter_passes_only_what_fits_and_the_cursor_moves_on_all_the_same(watch: Watch, till: Till) -> None:
    watcher = watch(filter=pb.PaymentFilter(currencies=["JPY"]))
    begin = watcher.cursor
    till.captured("euro")
    till.captured("yen", currency="JPY")
    watcher.until(lambda each: bool(each.events))
    assert watcher.told == [("yen", 1)]
    till.captured("more")
    signs = watcher.signs
    watcher.until(lambda each: each.signs > signs and each.cursor not in {begin, each.events[-1].cursor})
    assert watch(cursor=watcher.cursor).events == []


def test_emails_are_masked_in_streams_too(watch: Watch, till: Till) -> None:
    till.captured("old", customer_email="jo@example.com")
    watchers = watch(include_existing=True), watch(token=SEER, include_existing=True)
    till.captured("new", customer_email="al@example.com")
    for watcher, emails in zip(
        watchers, (["j***@***.com", "a***@***.com"], ["jo@example.com", "al@example.com"]), strict=True
    ):
        watcher.until(lambda each: len(each.events) == 2)
        assert [event.payment.customer_email for event in watcher.events] == emails


def test_a_transaction_that_ends_late_is_not_passed_over(watch: Watch, till: Till, database_url: str) -> None:
    watcher = watch()
    with psycopg.connect(database_url) as slow:
        slow.execute("CREATE TABLE takes_long ()")  # it has a number now, and has not ended
        till.captured("later")
        signs = watcher.signs
        watcher.until(lambda each: each.signs >= signs + 2)
        assert watcher.events == []
        slow.execute("DROP TABLE takes_long")
    watcher.until(lambda each: bool(each.events))
    assert watcher.told == [("later", 1)]


def test_a_stream_without_events_gives_signs_of_life(watch: Watch) -> None:
    watcher = watch()
    watcher.until(lambda each: each.signs >= 3, seconds=5)


@pytest.mark.parametrize(
    "cursor", ["rubbish", "W10", "WyJub2JvZHkiLCJ4IiwwXQ", "=====", "é"], ids=["text", "empty", "typed", "pad", "utf8"]
)
def test_a_cursor_that_is_none_is_refused(watch: Watch, cursor: str) -> None:
    error = watch(cursor=cursor).ended()
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert detail(error, error_details_pb2.BadRequest).field_violations[0].field == "cursor"


@pytest.mark.parametrize(("txid", "number"), [(-1, 0), (1, -1), (2**64, 0), (1, 2**64)])
def test_a_cursor_that_was_tampered_with_so_that_it_stands_nowhere_is_refused(
    watch: Watch, database: Database, txid: int, number: int
) -> None:
    error = watch(cursor=StreamCursor(Feed(database).epoch(), txid, number).text()).ended()
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_a_cursor_of_what_is_no_longer_kept_is_refused_with_what_to_do(
    watch: Watch, serve: Serve, till: Till, database: Database
) -> None:
    early = watch()
    begin = early.cursor
    till.captured("a", "b")
    early.until(lambda each: len(each.events) == 2)
    database.run("UPDATE payment_events SET settled_at = now() - interval '8 days'")
    assert Feed(database).purge(7 * 86_400.0, 1) == 1
    later = serve().address  # one that has nothing of it in memory
    error = watch(later, cursor=begin).ended()
    assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
    violation = detail(error, error_details_pb2.PreconditionFailure).violations[0]
    assert (violation.subject, "include_existing" in violation.description) == ("cursor", True)
    assert watch(later, cursor=early.events[1].cursor).error is None


def test_a_cursor_of_another_database_is_refused(watch: Watch, database: Database, serve: Serve) -> None:
    cursor = watch().cursor
    database.run("UPDATE feed_epochs SET id = gen_random_uuid()")
    error = watch(serve().address, cursor=cursor).ended()
    assert error.code() is grpc.StatusCode.FAILED_PRECONDITION


def test_a_server_has_as_many_streams_as_it_may_and_no_more(serve: Serve, watch: Watch) -> None:
    server = serve(streams=msgspec.structs.replace(STREAMS, max_streams=2))
    first, second = watch(server.address), watch(server.address)
    error = watch(server.address).ended()
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert detail(error, error_details_pb2.RetryInfo).retry_delay.ToMilliseconds() > 0
    first.close()
    deadline = time.monotonic() + 10
    while watch(server.address).error is not None:
        assert time.monotonic() < deadline
    assert second.error is None


def test_one_client_leaves_room_for_the_others(serve: Serve, watch: Watch) -> None:
    server = serve(streams=msgspec.structs.replace(STREAMS, max_streams=4, most_per_client=2))
    own = watch(server.address), watch(server.address)
    error = watch(server.address).ended()
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert detail(error, error_details_pb2.ErrorInfo).reason == "too_many_streams_of_yours"
    assert watch(server.address, token=SEER).error is None
    assert [each.error for each in own] == [None, None]


def test_a_server_that_ends_tells_its_streams_so_with_their_cursor(serve: Serve, watch: Watch, till: Till) -> None:
    server = serve()
    watcher = watch(server.address)
    till.captured("a")
    watcher.until(lambda each: bool(each.events))
    server.stop()
    error = watcher.ended()
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert detail(error, error_details_pb2.ErrorInfo).metadata["cursor"] == watcher.cursor


def read_to_its_end(call: Iterable[pb.StreamPaymentsResponse]) -> tuple[list[pb.PaymentEvent], grpc.RpcError]:
    """Return all that a stream still tells, and with what it ends."""
    events: list[pb.PaymentEvent] = []
    try:
        for message in call:
            events += message.events
    except grpc.RpcError as error:
        return events, error
    raise AssertionError("a stream does not end by itself")


def was_cut_off(server: Running) -> bool:
    return any(fields.get("code") == "too_slow" for name, fields in server.told if name == "api_called")


def test_a_client_that_does_not_read_is_cut_off_with_its_cursor_and_loses_nothing(
    serve: Serve, watch: Watch, till: Till
) -> None:
    server = serve(streams=msgspec.structs.replace(STREAMS, buffer_events=50))
    reading = watch(server.address)
    narrow = [("grpc.http2.lookahead_bytes", 1024), ("grpc.http2.bdp_probe", 0)]
    with grpc.insecure_channel(server.address, options=narrow) as channel:
        idle = PaymentServiceStub(channel).StreamPayments(pb.StreamPaymentsRequest(), metadata=bearer(READER))
        next(idle)
        made = 0
        deadline = time.monotonic() + 60
        while not was_cut_off(server):
            till.captured(f"p{made}", customer_reference="x" * 255)
            made += 1
            reading.until(lambda each, made=made: len(each.events) == made)
            assert time.monotonic() < deadline, made
        received, error = read_to_its_end(idle)
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        cursor = detail(error, error_details_pb2.ErrorInfo).metadata["cursor"]
    rest = watch(server.address, cursor=cursor).until(lambda each: len(received) + len(each.events) == made)
    assert [event.payment.id for event in [*received, *rest.events]] == [f"stripe:p{n}" for n in range(made)]
