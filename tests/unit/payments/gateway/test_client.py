import pickle
from collections.abc import Callable, Iterator

import httpx
import pytest

from payments.failures import (
    AnswerTimeout,
    AnswerUnreadable,
    BadRequest,
    ConnectionReset,
    ConnectTimeout,
    Failure,
    OutcomeUnknown,
    PoolExhausted,
    Unanswered,
    Unreachable,
)
from payments.gateway.client import Call, Client, ClientPolicy
from payments.gateway.endpoint import Endpoint
from payments.log_events import LOG_EVENTS

Answering = Callable[[httpx.Request], httpx.Response]

URL = httpx.URL("http://provider.test/v1/payments/pay_1/capture")


def call(method: str = "POST") -> Call:
    return Call("razorpay", "capture", method, URL, [("Authorization", "Basic c2VjcmV0")], b"email=payer@example.com")


def client_that(
    answer: Answering, policy: ClientPolicy | None = None, monotonic: Callable[[], float] = lambda: 0.0
) -> Client:
    return Client(policy or ClientPolicy(), httpx.MockTransport(answer), monotonic)


def client_failing_with(error: type[httpx.TransportError]) -> Client:
    def answer(request: httpx.Request) -> httpx.Response:
        raise error(f"{request.url} secret payer@example.com")

    return client_that(answer)


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        (httpx.ConnectError, Unreachable, "unreachable"),
        (httpx.ProxyError, Unreachable, "unreachable"),
        (httpx.ConnectTimeout, ConnectTimeout, "connect_timeout"),
        (httpx.PoolTimeout, PoolExhausted, "pool_exhausted"),
        (httpx.ReadTimeout, AnswerTimeout, "answer_timeout"),
        (httpx.WriteTimeout, AnswerTimeout, "answer_timeout"),
        (httpx.ReadError, ConnectionReset, "connection_reset"),
        (httpx.WriteError, ConnectionReset, "connection_reset"),
        (httpx.CloseError, ConnectionReset, "connection_reset"),
        (httpx.RemoteProtocolError, ConnectionReset, "connection_reset"),
        (httpx.LocalProtocolError, BadRequest, "unsendable"),
        (httpx.UnsupportedProtocol, BadRequest, "unsendable"),
    ],
)
def test_every_transport_error_has_its_failure(
    error: type[httpx.TransportError], kind: type[Failure], code: str
) -> None:
    with pytest.raises(kind) as caught:
        client_failing_with(error).exchange(call())
    assert type(caught.value) is kind
    assert caught.value.code == code


@pytest.mark.parametrize("error", [httpx.ReadTimeout, httpx.ReadError, httpx.RemoteProtocolError])
def test_a_lost_answer_to_a_question_leaves_nothing_in_doubt(error: type[httpx.TransportError]) -> None:
    with pytest.raises(Unanswered) as caught:
        client_failing_with(error).exchange(call("GET"))
    assert caught.value.code == ("answer_timeout" if error is httpx.ReadTimeout else "connection_reset")


def test_a_failure_quotes_nothing_and_survives_pickling() -> None:
    with pytest.raises(OutcomeUnknown) as caught:
        client_failing_with(httpx.ReadError).exchange(call())
    revived = pickle.loads(pickle.dumps(caught.value))  # noqa: S301  # our own bytes
    for text in (str(caught.value), repr(revived), repr(revived.__dict__)):
        assert "secret" not in text
        assert "payer@example.com" not in text
    assert revived.code == "connection_reset"


def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    asked: list[httpx.URL] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url)
        return httpx.Response(302, headers={"Location": "http://elsewhere.test/"})

    assert client_that(answer).exchange(call()).status == 302
    assert asked == [URL]


@pytest.mark.parametrize("headers", [{}, {"Content-Length": "2000"}])
def test_an_answer_over_the_cap_is_not_read(headers: dict[str, str]) -> None:
    def answer(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers=headers, stream=httpx.ByteStream(b"x" * 2000))

    policy = ClientPolicy(max_response_bytes=1000)
    with pytest.raises(AnswerUnreadable) as caught:
        client_that(answer, policy).exchange(call())
    assert caught.value.code == "answer_too_large"


def test_an_answer_that_drips_ends_at_the_total_timeout() -> None:
    clock = (float(second) for second in range(100))

    class Drip(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            while True:
                yield b"."

    policy = ClientPolicy(total_timeout_seconds=5)
    client = client_that(lambda _request: httpx.Response(200, stream=Drip()), policy, lambda: next(clock))
    with pytest.raises(AnswerTimeout) as caught:
        client.exchange(call())
    assert caught.value.code == "answer_timeout"


Told = tuple[str, dict[str, object]]


def telling_client(answer: Answering) -> tuple[Client, list[Told]]:
    told: list[Told] = []
    times = [1.0]

    def clock() -> float:
        return times[-1]

    def slowly(request: httpx.Request) -> httpx.Response:
        times.append(1.25)
        return answer(request)

    client = Client(
        ClientPolicy(),
        httpx.MockTransport(slowly),
        clock,
        tell=lambda event, **fields: told.append((event, fields)),
    )
    return client, told


def test_an_answer_is_told_by_where_it_came_from_and_how_long_it_took_and_nothing_of_what_was_said() -> None:
    client, told = telling_client(lambda _request: httpx.Response(402, stream=httpx.ByteStream(b"")))
    client.exchange(call())
    fields = {"service": "razorpay", "operation": "capture", "method": "POST", "status": 402, "duration_ms": 250.0}
    assert told == [("gateway_answered", fields)]


def test_a_failure_is_told_by_its_kind() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout(f"{request.url} payer@example.com")

    client, told = telling_client(answer)
    with pytest.raises(AnswerTimeout):
        client.exchange(call())
    ended = {"kind": "answer_timeout", "code": "answer_timeout", "duration_ms": 250.0}
    assert told == [("gateway_failed", {"service": "razorpay", "operation": "capture", **ended})]


def test_what_a_client_tells_is_in_the_catalogue() -> None:
    assert {"gateway_answered", "gateway_failed"} <= LOG_EVENTS.keys()


def test_the_key_of_an_endpoint_is_not_shown() -> None:
    assert "sk_live_1" not in repr(Endpoint(base_url="https://provider.test", api_key="sk_live_1"))
