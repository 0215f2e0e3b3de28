import pickle
from collections.abc import Callable, Iterator

import httpx
import pytest

from payments.failures import Failure, OutcomeUnknown, Refused, Unavailable, Unreachable
from payments.gateway.client import Call, Client, ClientPolicy
from payments.gateway.endpoint import Endpoint

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
        (httpx.ConnectTimeout, Unreachable, "connect_timeout"),
        (httpx.PoolTimeout, Unreachable, "connect_timeout"),
        (httpx.ReadTimeout, OutcomeUnknown, "timeout"),
        (httpx.WriteTimeout, OutcomeUnknown, "timeout"),
        (httpx.ReadError, OutcomeUnknown, "connection_lost"),
        (httpx.WriteError, OutcomeUnknown, "connection_lost"),
        (httpx.CloseError, OutcomeUnknown, "connection_lost"),
        (httpx.RemoteProtocolError, OutcomeUnknown, "connection_lost"),
        (httpx.LocalProtocolError, Refused, "unsendable"),
        (httpx.UnsupportedProtocol, Refused, "unsendable"),
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
    with pytest.raises(Unavailable):
        client_failing_with(error).exchange(call("GET"))


def test_a_failure_quotes_nothing_and_survives_pickling() -> None:
    with pytest.raises(OutcomeUnknown) as caught:
        client_failing_with(httpx.ReadError).exchange(call())
    revived = pickle.loads(pickle.dumps(caught.value))  # noqa: S301  # our own bytes
    for text in (str(caught.value), repr(revived), repr(revived.__dict__)):
        assert "secret" not in text
        assert "payer@example.com" not in text
    assert revived.code == "connection_lost"


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
    with pytest.raises(OutcomeUnknown) as caught:
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
    with pytest.raises(OutcomeUnknown) as caught:
        client.exchange(call())
    assert caught.value.code == "timeout"


def test_the_key_of_an_endpoint_is_not_shown() -> None:
    assert "sk_live_1" not in repr(Endpoint(base_url="https://provider.test", api_key="sk_live_1"))
