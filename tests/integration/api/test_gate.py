"""Who may call, how often, for how long, and what is told where something goes wrong."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Self

import grpc
import psycopg
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc

from payferry.v1 import payment_pb2 as pb
from payferry.v1.payment_pb2_grpc import PaymentServiceStub
from payments.failures import ConfigurationError
from payments.ledger.database import Database
from payments.resilience.policy import RatePolicy
from tests.certificate import Certificate
from tests.integration.api.conftest import ADMIN, READER, STREAMS, Running, Serve, bearer
from tests.integration.api.test_calls import detail, get, refused
from tests.integration.api.till import Till
from tests.integration.kafka import eventually
from workers.api import server as served
from workers.api.guests import BRIEF, MOST_OPEN

LIST = pb.ListPaymentsRequest()


@pytest.mark.parametrize(
    "headers",
    [
        (),
        (("authorization", "Basic abc"),),
        (("authorization", "Bearer"),),
        bearer("nobodys-token-0001"),
        bearer(READER + "x"),
        bearer(""),
    ],
    ids=["none", "basic", "bare", "unknown", "longer", "empty"],
)
def test_without_a_token_that_is_known_nothing_is_told(
    stub: PaymentServiceStub, headers: tuple[tuple[str, str], ...]
) -> None:
    for call, request in (
        (stub.GetPayment, pb.GetPaymentRequest(id="stripe:p1")),
        (stub.ListPayments, LIST),
        (stub.GetPaymentHistory, pb.GetPaymentHistoryRequest(id="stripe:p1")),
        (lambda *a, **b: list(stub.StreamPayments(*a, **b)), pb.StreamPaymentsRequest()),
    ):
        assert refused(call, request, metadata=headers).code() is grpc.StatusCode.UNAUTHENTICATED


def test_a_history_is_for_admins_only(stub: PaymentServiceStub, till: Till) -> None:
    till.captured("p1")
    request = pb.GetPaymentHistoryRequest(id="stripe:p1")
    error = refused(stub.GetPaymentHistory, request, metadata=bearer(READER))
    assert error.code() is grpc.StatusCode.PERMISSION_DENIED
    assert detail(error, error_details_pb2.ErrorInfo).metadata["grant"] == "admin"
    assert stub.GetPaymentHistory(request, metadata=bearer(ADMIN)).events


def test_a_client_that_calls_too_often_is_told_when_to_come_back_and_others_are_not(serve: Serve) -> None:
    server = serve(limit=RatePolicy(calls_per_second=2.0, burst=3))
    with grpc.insecure_channel(server.address) as channel:
        stub = PaymentServiceStub(channel)
        for _ in range(3):
            stub.ListPayments(LIST, metadata=bearer(READER))
        error = refused(stub.ListPayments, LIST, metadata=bearer(READER))
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert 0 < detail(error, error_details_pb2.RetryInfo).retry_delay.ToMilliseconds() <= 2000
        stub.ListPayments(LIST, metadata=bearer(ADMIN))


def test_a_limit_holds_over_two_servers_and_is_each_ones_own_while_redis_is_away(serve: Serve) -> None:
    limit = RatePolicy(calls_per_second=0.01, burst=4, alone_share=1.0)
    for redis, allowed in ({}, 4), ({"redis": "redis://127.0.0.1:1/0"}, 8):
        passed = 0
        for server in (serve(limit=limit, **redis), serve(limit=limit, **redis)):
            with grpc.insecure_channel(server.address) as channel:
                for _ in range(6):
                    try:
                        PaymentServiceStub(channel).ListPayments(LIST, metadata=bearer(READER))
                    except grpc.RpcError as error:
                        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED  # noqa: PT017 - which one is open
                    else:
                        passed += 1
        assert passed == allowed


@pytest.fixture
def slow_ledger(database: Database, till: Till) -> None:
    """Each payment takes two seconds to read."""
    till.captured("p1")
    database.run("ALTER TABLE payments RENAME TO all_payments")
    database.run("CREATE VIEW payments AS SELECT all_payments.* FROM all_payments, pg_sleep(2)")


@pytest.mark.usefixtures("slow_ledger")
def test_a_deadline_is_kept_whoever_names_it(serve: Serve) -> None:
    server = serve(deadline_seconds=0.5)
    with grpc.insecure_channel(server.address) as channel:
        stub = PaymentServiceStub(channel)
        for timeout in (0.2, None, 30.0):
            began = time.monotonic()
            error = refused(
                stub.GetPayment, pb.GetPaymentRequest(id="stripe:p1"), metadata=bearer(READER), timeout=timeout
            )
            assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
            assert time.monotonic() - began < 1.5


def test_what_nobody_foresaw_is_internal_and_tells_only_where_the_log_tells_more(
    server: Running, stub: PaymentServiceStub, database: Database
) -> None:
    database.run("ALTER TABLE payments RENAME COLUMN captured_minor TO something_else")
    error = refused(get, stub, "stripe:p1")
    assert error.code() is grpc.StatusCode.INTERNAL
    told = detail(error, error_details_pb2.ErrorInfo).metadata["correlation_id"]
    assert told in error.details()
    assert "something_else" not in error.details()
    assert "captured_minor" not in error.details()
    [fields] = [fields for name, fields in server.told if name == "api_failed"]
    assert fields["correlation_id"] == told
    assert "workers/api/service.py" in fields["stack"]


def test_a_request_of_four_megabytes_is_refused_and_the_server_lives(stub: PaymentServiceStub) -> None:
    for size in (100_000, 4 * 1024 * 1024):
        request = pb.GetPaymentRequest(id="stripe:" + "x" * size)
        error = refused(stub.GetPayment, request, metadata=bearer(READER))
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert stub.ListPayments(LIST, metadata=bearer(READER)).total == 0


def test_the_log_tells_of_each_call_who_and_how_it_ended_and_nothing_of_what_it_was_about(
    server: Running, stub: PaymentServiceStub, till: Till
) -> None:
    till.captured("p1", customer_email="jo@example.com", customer_reference="cus_1")
    metadata = (*bearer(READER), ("x-correlation-id", "order-7"))
    stub.GetPayment(pb.GetPaymentRequest(id="stripe:p1"), metadata=metadata)
    refused(get, stub, "stripe:other", ADMIN)
    eventually(lambda: sum(name == "api_called" for name, _ in server.told) == 2, "both are told, after their status")
    calls = [fields for name, fields in server.told if name == "api_called"]
    assert [(call["method"], call["client"], call["status"]) for call in calls] == [
        ("GetPayment", "shop", "OK"),
        ("GetPayment", "ops", "NOT_FOUND"),
    ]
    assert calls[0]["correlation_id"] == "order-7"
    everything = repr(server.told)
    for secret in ("jo@example.com", "cus_1", READER, ADMIN, "stripe:p1", "stripe:other"):
        assert secret not in everything


def test_health_says_serving_without_a_token_and_not_serving_once_the_server_ends(
    server: Running, channel: grpc.Channel
) -> None:
    health = health_pb2_grpc.HealthStub(channel)
    for service in ("", "payferry.v1.PaymentService"):
        answer = health.Check(health_pb2.HealthCheckRequest(service=service))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    statuses = health.Watch(health_pb2.HealthCheckRequest(service=""), timeout=20)
    assert next(statuses).status == health_pb2.HealthCheckResponse.SERVING
    server.stop()
    assert next(statuses).status == health_pb2.HealthCheckResponse.NOT_SERVING


def test_a_call_that_is_under_way_comes_to_its_end_when_the_server_ends(
    server: Running, stub: PaymentServiceStub, till: Till, slow_payment: Callable[[], None]
) -> None:
    till.captured("p1")
    slow_payment()
    answer = stub.GetPayment.future(pb.GetPaymentRequest(id="stripe:p1"), metadata=bearer(READER))
    time.sleep(0.3)  # so that it is under way
    server.stop()
    assert answer.result().payment.id == "stripe:p1"


@pytest.fixture
def slow_payment(database: Database) -> Callable[[], None]:
    def make() -> None:
        database.run("ALTER TABLE payments RENAME TO all_payments")
        database.run("CREATE VIEW payments AS SELECT all_payments.* FROM all_payments, pg_sleep(1)")

    return make


def trusting(certificate: Certificate, own: Certificate | None = None) -> grpc.ChannelCredentials:
    """Return what trusts this one, and shows `own`."""
    shown = (own.key.read_bytes(), own.cert.read_bytes()) if own else (None, None)
    return grpc.ssl_channel_credentials(certificate.cert.read_bytes(), *shown)


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return Certificate(tmp_path_factory.mktemp("ours"), "ours", "localhost")


@pytest.fixture(scope="module")
def strangers(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return Certificate(tmp_path_factory.mktemp("strangers"), "strangers", "localhost")


def _code(server: Running, credentials: grpc.ChannelCredentials) -> grpc.StatusCode:
    with grpc.secure_channel(f"localhost:{server.port}", credentials) as channel:
        try:
            PaymentServiceStub(channel).ListPayments(LIST, metadata=bearer(READER), timeout=10)
        except grpc.RpcError as error:
            return error.code()
    return grpc.StatusCode.OK


def test_with_tls_only_those_who_trust_us_are_served(serve: Serve, ours: Certificate, strangers: Certificate) -> None:
    server = serve(cert_file=str(ours.cert), key_file=str(ours.key))
    assert _code(server, trusting(ours)) is grpc.StatusCode.OK
    assert _code(server, trusting(strangers)) is grpc.StatusCode.UNAVAILABLE
    with grpc.insecure_channel(server.address) as channel:
        error = refused(PaymentServiceStub(channel).ListPayments, LIST, metadata=bearer(READER), timeout=10)
        assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert _code(server, trusting(ours)) is grpc.StatusCode.OK


def test_with_mutual_tls_only_clients_of_the_named_authority_are_served(
    serve: Serve, ours: Certificate, strangers: Certificate
) -> None:
    server = serve(cert_file=str(ours.cert), key_file=str(ours.key), client_ca_file=str(ours.cert))
    assert _code(server, trusting(ours, ours)) is grpc.StatusCode.OK
    for own in (None, strangers):
        assert _code(server, trusting(ours, own)) is grpc.StatusCode.UNAVAILABLE
    assert _code(server, trusting(ours, ours)) is grpc.StatusCode.OK


def test_what_keeps_it_from_listening_is_said_with_the_setting(serve: Serve, ours: Certificate) -> None:
    taken = serve()
    with pytest.raises(ConfigurationError, match="API_PORT"):
        serve(port=taken.port)
    with pytest.raises(ConfigurationError, match=r"API_TLS_KEY_FILE: .*No such file"):
        serve(cert_file=str(ours.cert), key_file="nowhere.pem")
    with pytest.raises(ConfigurationError, match="API_TLS_CERT_FILE, API_TLS_KEY_FILE: not a certificate"):
        serve(cert_file=str(ours.key), key_file=str(ours.cert))
    with pytest.raises(ConfigurationError, match="API_TLS_CLIENT_CA_FILE: holds no certificate"):
        serve(cert_file=str(ours.cert), key_file=str(ours.key), client_ca_file=str(ours.key))


@pytest.mark.parametrize("raw", [b"\x0a\xff", b"\x0a\x02\xff\xfe", b"\xff" * 50], ids=["cut", "no-utf8", "noise"])
def test_bytes_that_are_no_request_are_refused_to_those_who_may_call_and_not_read_for_others(
    server: Running, channel: grpc.Channel, raw: bytes
) -> None:
    for method in ("GetPayment", "ListPayments", "GetPaymentHistory"):
        call = channel.unary_unary(f"/payferry.v1.PaymentService/{method}")
        error = refused(call, raw, metadata=bearer(ADMIN))
        assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert detail(error, error_details_pb2.BadRequest).field_violations[0].field == "request"
        assert refused(call, raw).code() is grpc.StatusCode.UNAUTHENTICATED
    stream = channel.unary_stream("/payferry.v1.PaymentService/StreamPayments")
    assert refused(lambda: list(stream(raw, metadata=bearer(READER)))).code() is grpc.StatusCode.INVALID_ARGUMENT
    assert not [name for name, _ in server.told if name == "api_failed"]


def test_calls_that_want_no_token_cannot_use_the_server_up(
    channel: grpc.Channel, stub: PaymentServiceStub, till: Till
) -> None:
    till.captured("p1")
    health = health_pb2_grpc.HealthStub(channel)
    watching = [health.Watch(health_pb2.HealthCheckRequest()) for _ in range(300)]
    ended = [next_or_code(each) for each in watching]
    assert ended.count(grpc.StatusCode.RESOURCE_EXHAUSTED) == 300 - 32
    assert get(stub, "stripe:p1").payment.id == "stripe:p1"
    assert health.Check(health_pb2.HealthCheckRequest()).status == health_pb2.HealthCheckResponse.SERVING
    for each in watching:
        each.cancel()
    deadline = time.monotonic() + 10
    while next_or_code(health.Watch(health_pb2.HealthCheckRequest())) is not None:
        assert time.monotonic() < deadline, "their places did not come free"


class Silent:
    """The requests of a client that opens a call and never says what it wants."""

    def __init__(self) -> None:
        self._over = threading.Event()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        self._over.wait(60)
        raise StopIteration

    def end(self) -> None:
        self._over.set()


@pytest.fixture
def silent() -> Iterator[Silent]:
    requests = Silent()
    yield requests
    requests.end()


@pytest.fixture
def scant(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> Iterator[grpc.Channel]:
    """A channel to a server that has room for few calls: more than SILENT_CALLS only if none of them holds a place."""
    monkeypatch.setattr(served, "_MORE_CALLS", SILENT_CALLS - STREAMS.max_streams - MOST_OPEN)
    with grpc.insecure_channel(serve(deadline_seconds=0.5).address) as channel:
        yield channel


SILENT_CALLS = 250


@pytest.mark.parametrize("method", ["GetPayment", "StreamPayments"])
def test_who_has_no_token_is_refused_before_it_says_what_it_wants(
    scant: grpc.Channel, silent: Silent, till: Till, method: str
) -> None:
    till.captured("p1")
    call = scant.stream_stream(f"/payferry.v1.PaymentService/{method}")
    calls = [call(silent, timeout=20) for _ in range(SILENT_CALLS)]
    assert {each.code() for each in calls} == {grpc.StatusCode.UNAUTHENTICATED}
    assert get(PaymentServiceStub(scant), "stripe:p1").payment.id == "stripe:p1"


def test_who_asks_for_the_health_and_never_says_of_what_takes_no_place_of_clients_and_none_for_long(
    scant: grpc.Channel, silent: Silent, till: Till
) -> None:
    till.captured("p1")
    check = scant.stream_stream("/grpc.health.v1.Health/Check")
    calls = [check(silent, timeout=20) for _ in range(SILENT_CALLS)]
    assert get(PaymentServiceStub(scant), "stripe:p1").payment.id == "stripe:p1"
    codes = [each.code() for each in calls]
    assert codes.count(grpc.StatusCode.UNAVAILABLE) == BRIEF.most_open  # waited for as long as is good
    assert codes.count(grpc.StatusCode.RESOURCE_EXHAUSTED) == SILENT_CALLS - BRIEF.most_open
    answer = health_pb2_grpc.HealthStub(scant).Check(health_pb2.HealthCheckRequest())
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


@pytest.mark.parametrize("method", ["GetPayment", "StreamPayments"])
def test_a_client_that_never_says_what_it_wants_has_the_time_of_a_call(
    scant: grpc.Channel, silent: Silent, method: str
) -> None:
    call = scant.stream_stream(f"/payferry.v1.PaymentService/{method}")
    began = time.monotonic()
    assert call(silent, metadata=bearer(READER), timeout=10).code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert time.monotonic() - began < 5


def test_a_call_without_a_request_is_refused(channel: grpc.Channel) -> None:
    call = channel.stream_stream("/payferry.v1.PaymentService/GetPayment")
    ended = call(iter(()), metadata=bearer(READER), timeout=10)
    assert ended.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert ended.details() == "request: missing"


@pytest.mark.parametrize("method", ["Check", "Watch"])
def test_bytes_that_ask_for_no_health_are_refused(channel: grpc.Channel, method: str) -> None:
    ended = channel.stream_stream(f"/grpc.health.v1.Health/{method}")(iter((b"\xff" * 50,)))
    assert ended.code() is grpc.StatusCode.INVALID_ARGUMENT


def next_or_code(call: Iterator[object]) -> grpc.StatusCode | None:
    """Wait for a message, and return with what the call ended where none comes."""
    try:
        next(call)
    except grpc.RpcError as error:
        return error.code()
    return None


def test_whoever_tells_two_tokens_is_nobody(stub: PaymentServiceStub) -> None:
    error = refused(stub.ListPayments, LIST, metadata=(*bearer(READER), *bearer(ADMIN)))
    assert error.code() is grpc.StatusCode.UNAUTHENTICATED


def test_a_correlation_id_that_looks_like_a_card_never_reaches_the_log(
    server: Running, stub: PaymentServiceStub
) -> None:
    stub.ListPayments(LIST, metadata=(*bearer(READER), ("x-correlation-id", "4242424242424242")))
    eventually(lambda: any(name == "api_called" for name, _ in server.told), "it is told, after its status")
    assert "4242" not in repr(server.told)


def test_questions_of_clients_that_have_gone_are_not_asked_and_too_many_are_refused(
    stub: PaymentServiceStub, till: Till, database_url: str
) -> None:
    till.captured("p1")
    with psycopg.connect(database_url) as locking:
        locking.execute("LOCK TABLE payments")
        asked = [
            stub.GetPayment.future(pb.GetPaymentRequest(id=f"stripe:{n}"), metadata=bearer(READER), timeout=1.0)
            for n in range(400)
        ]
        codes = [each.code() for each in asked]
    assert set(codes) == {grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.DEADLINE_EXCEEDED}
    assert codes.count(grpc.StatusCode.DEADLINE_EXCEEDED) <= 204  # the threads, and as many as may wait for them
    assert get(stub, "stripe:p1").payment.id == "stripe:p1"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # that is what it plays
def test_a_feed_that_nobody_reads_any_more_is_no_health(server: Running, channel: grpc.Channel) -> None:
    server.end_the_feed()
    health = health_pb2_grpc.HealthStub(channel)
    deadline = time.monotonic() + 10
    while health.Check(health_pb2.HealthCheckRequest()).status != health_pb2.HealthCheckResponse.NOT_SERVING:
        assert time.monotonic() < deadline
        time.sleep(0.02)  # between two looks


def test_an_address_of_ipv6_needs_no_brackets(serve: Serve) -> None:
    with grpc.insecure_channel(f"[::1]:{serve(host='::1').port}") as channel:
        assert PaymentServiceStub(channel).ListPayments(LIST, metadata=bearer(READER)).total == 0
