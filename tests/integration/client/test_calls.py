"""The calls that are no streams, and the way to the server."""

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest

from payferry.v1 import payment_pb2 as messages
from payments.client import CallPolicy, Endpoint, Filter, PaymentClient
from payments.failures import (
    BadRequest,
    ConnectionAborted,
    ConnectionRefused,
    ConnectTimeout,
    DnsFailed,
    NotFound,
    TlsFailed,
)
from tests.certificate import Certificate
from tests.integration.client.twin import Twin, a_payment

HASTY = CallPolicy(connect_seconds=0.3, deadline_seconds=0.3)


def test_one_payment_is_read_with_how_old_the_answer_is(twin: Twin, client: PaymentClient) -> None:
    twin.payments = [a_payment(1, amount_minor=1250, currency="KWD", decimals=3, customer_email="j***@***.com")]
    reading = client.get("stripe:pi_1")
    assert (reading.payment.amount, reading.payment.currency, reading.stale) == ("1.250", "KWD", False)
    assert (reading.payment.customer_email, reading.payment.customer_reference) == ("j***@***.com", None)
    twin.is_stale = True
    assert (client.get("stripe:pi_1").stale, client.get("stripe:pi_1").age_seconds) == (True, 3.0)


def test_a_payment_that_nobody_has_heard_of_is_not_found(client: PaymentClient) -> None:
    with pytest.raises(NotFound) as raised:
        client.get("stripe:nobody")
    assert (raised.value.code, raised.value.operation) == ("not_found", "GetPayment")


def test_pages_follow_each_other_and_all_of_them_can_be_had_as_one(twin: Twin, client: PaymentClient) -> None:
    twin.payments = [a_payment(number) for number in range(250)]
    first = client.list(limit=20)
    assert (len(first.payments), first.next_page_token, first.total) == (20, "20", 250)
    second = client.list(limit=20, page_token=first.next_page_token)
    assert second.payments[0].id == "stripe:pi_20"
    assert [payment.id for payment in client.list_all()] == [f"stripe:pi_{number}" for number in range(250)]


def test_a_filter_that_nobody_knows_is_refused_before_anything_is_sent(client: PaymentClient) -> None:
    with pytest.raises(BadRequest, match="did you mean stripe"):
        client.list(Filter(providers=("strype",)))


def test_a_reference_that_is_empty_is_not_taken_for_everybody(twin: Twin, client: PaymentClient) -> None:
    twin.payments = [a_payment(1)]
    with pytest.raises(BadRequest, match="customer_reference is empty"):
        client.list(Filter(customer_reference=""))


def test_a_history_tells_every_part(twin: Twin, client: PaymentClient) -> None:
    event = messages.HistoryEvent(event_id="evt_1", kind="requested", state="settled", attempts=2)
    event.steps.add(step="capture", mark="done", reference_id="ch_1").at.FromSeconds(1)
    event.failures.add(attempt=1, kind="unanswered", code="http_500", message="the provider failed")
    twin.history = messages.GetPaymentHistoryResponse(
        payment=a_payment(1),
        events=[event],
        entries=[messages.Entry(leg="capture/debit", account="provider", amount_minor=-50, currency="EUR")],
        dead_letters=[messages.DeadLetter(id=7, state="parked", reason="http_400")],
        declines=[messages.Decline(kind="card_declined", code="do_not_honor")],
        truncated=True,
    )
    found = client.history("stripe:pi_1")
    assert found.payment is not None
    [told] = found.events
    assert (told.attempts, told.steps[0].reference_id, told.failures[0].code) == (2, "ch_1", "http_500")
    assert (found.entries[0].amount, found.dead_letters[0].resolution, found.truncated) == ("-0.50", None, True)
    assert found.declines[0].kind == "card_declined"


def test_a_payment_without_a_booking_has_a_history_all_the_same(twin: Twin, client: PaymentClient) -> None:
    twin.history = messages.GetPaymentHistoryResponse(events=[messages.HistoryEvent(event_id="evt_1")])
    assert client.history("stripe:pi_1").payment is None


def test_one_client_serves_many_threads(twin: Twin, client: PaymentClient) -> None:
    twin.payments = [a_payment(number) for number in range(8)]
    with ThreadPoolExecutor(8) as threads:
        found = threads.map(client.get, [f"stripe:pi_{number % 8}" for number in range(64)])
        assert [reading.payment.id for reading in found] == [f"stripe:pi_{number % 8}" for number in range(64)]


def test_an_address_where_nobody_listens_is_told_within_the_time_to_connect() -> None:
    with socket.socket() as bound:  # and does not listen
        bound.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{bound.getsockname()[1]}"
        began = time.monotonic()
        with pytest.raises(ConnectionRefused) as raised, PaymentClient(Endpoint(address=address), HASTY):
            pass
    assert time.monotonic() - began < 5
    assert raised.value.message == (
        f"no connection to {address} within 0.3 s: "
        "nobody listens there; is PAYFERRY_API right, and is `payferry api` up?"
    )


def test_a_name_without_an_address_is_told() -> None:
    with pytest.raises(DnsFailed, match=r"nobody\.invalid:50051"):
        PaymentClient(Endpoint(address="nobody.invalid:50051"), HASTY).connect()


def test_a_server_that_takes_the_connection_and_says_nothing_is_left_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        address = f"127.0.0.1:{mute.getsockname()[1]}"
        with pytest.raises(ConnectTimeout, match="nobody answers"):
            PaymentClient(Endpoint(address=address), HASTY).connect()


def test_an_address_that_does_not_speak_tls_is_told(twin: Twin) -> None:
    with pytest.raises(TlsFailed, match="does it speak TLS"):
        PaymentClient(Endpoint(address=twin.address, tls=True), HASTY).connect()


@pytest.fixture
def secured(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """A server with TLS: its address, and the file with its certificate."""
    certificate = Certificate(tmp_path, "localhost", "localhost")
    server = grpc.server(ThreadPoolExecutor(2))
    twin = Twin()
    twin.payments = [a_payment(1)]
    twin.joins(server)
    credentials = grpc.ssl_server_credentials([(certificate.key.read_bytes(), certificate.cert.read_bytes())])
    port = server.add_secure_port("localhost:0", credentials)
    server.start()
    yield f"localhost:{port}", str(certificate.cert)
    server.stop(0)


def test_a_certificate_that_is_trusted_lets_us_in(secured: tuple[str, str]) -> None:
    address, certificate = secured
    with PaymentClient(Endpoint(address=address, tls=True, ca_file=certificate)) as client:
        assert client.get("stripe:pi_1").payment.id == "stripe:pi_1"


def test_a_certificate_that_nobody_trusts_keeps_us_out(secured: tuple[str, str]) -> None:
    with pytest.raises(TlsFailed, match="PAYFERRY_API_CA_FILE"):
        PaymentClient(Endpoint(address=secured[0], tls=True), HASTY).connect()


def test_a_server_that_wants_tls_is_not_spoken_to_without(secured: tuple[str, str]) -> None:
    with pytest.raises(ConnectionAborted, match="PAYFERRY_API_TLS=true"):
        PaymentClient(Endpoint(address=secured[0]), HASTY).connect()
