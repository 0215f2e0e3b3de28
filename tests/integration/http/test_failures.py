"""The middleware of our HTTP servers, on a real one."""

import asyncio
import re
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from payments.failures import CircuitOpen, ConnectionRefused, DatabaseAway, RateExceeded, Unexpected
from tests.integration.kafka import eventually
from workers.http.failures import FailureAnswers

SECRET = "jo@example.com"  # noqa: S105 - what must not be told
DEADLINE_SECONDS = 0.3
FAILURES: dict[str, Exception] = {
    "breaker": CircuitOpen("open", retry_after_seconds=7.5, service="stripe"),
    "limit": RateExceeded("more than 5 a second", retry_after_seconds=2.0),
    "gone": ConnectionRefused(SECRET, service="stripe"),
    "database": DatabaseAway(SECRET, service="postgresql"),
    "unforeseen": Unexpected(SECRET),
    "bug": ZeroDivisionError(SECRET),
    "inner_timeout": TimeoutError(SECRET),
}


async def well(_request: Request) -> Response:
    return PlainTextResponse("well")


async def fails(request: Request) -> Response:
    raise FAILURES[request.path_params["how"]]


async def sleeps(_request: Request) -> Response:
    await asyncio.sleep(60)  # longer than any deadline of these tests
    return PlainTextResponse("late")


async def stubborn(_request: Request) -> Response:
    try:
        await asyncio.sleep(60)  # longer than any deadline of these tests
    except asyncio.CancelledError:
        return PlainTextResponse("answered all the same")
    raise AssertionError("unreachable")


async def breaks_off(_request: Request) -> Response:
    async def parts() -> AsyncIterator[str]:
        yield "half of "
        raise DatabaseAway(SECRET)

    return StreamingResponse(parts(), headers={"content-length": "100"})


async def flows(_request: Request) -> Response:
    async def parts() -> AsyncIterator[str]:
        for _ in range(4):
            await asyncio.sleep(DEADLINE_SECONDS / 2)  # begun in time, and ended after it
            yield "part "

    return StreamingResponse(parts())


def afterwards() -> None:
    raise KeyError(SECRET)


async def answers_and_fails(_request: Request) -> Response:
    return PlainTextResponse("well", background=BackgroundTask(afterwards))


class Log:
    """What was told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, dict[str, Any]]] = []

    def __call__(self, name: str, **fields: object) -> None:
        self.told.append((name, fields))


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def client(log: Log) -> Iterator[httpx.Client]:
    handlers = (well, sleeps, stubborn, breaks_off, flows, answers_and_fails)
    routes = [Route(f"/{handler.__name__}", handler) for handler in handlers]
    answering = Middleware(FailureAnswers, deadline_seconds=DEADLINE_SECONDS, tell=log)
    app = Starlette(routes=[*routes, Route("/fails/{how}", fails)], middleware=[answering])
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None, timeout_graceful_shutdown=1))
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        serving = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        serving.start()
        eventually(lambda: server.started, "the server is up")
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        with httpx.Client(base_url=url, trust_env=False, timeout=10) as client:
            yield client
        server.should_exit = True
        serving.join(10)


def test_an_answer_is_passed_on_with_a_name_of_the_request(client: httpx.Client, log: Log) -> None:
    answer = client.get("/well")
    assert (answer.status_code, answer.text) == (200, "well")
    assert re.fullmatch("[0-9a-f]{32}", answer.headers["x-correlation-id"])
    assert log.told == []


@pytest.mark.parametrize("path", ["/well", "/fails/limit", "/nowhere"])
def test_the_name_that_the_client_gave_is_kept(client: httpx.Client, path: str) -> None:
    assert client.get(path, headers={"X-Correlation-Id": "cart-7"}).headers.get_list("x-correlation-id") == ["cart-7"]


@pytest.mark.parametrize("told", ["", "two words", "x" * 129, "a\tb", "é"])
def test_a_name_that_may_not_stand_in_a_log_is_replaced(client: httpx.Client, told: str) -> None:
    answer = client.get("/well", headers={"X-Correlation-Id": told.encode()})
    assert re.fullmatch("[0-9a-f]{32}", answer.headers["x-correlation-id"])


@pytest.mark.parametrize(
    ("how", "status", "code", "retry_after"),
    [
        ("breaker", 503, "circuit_open", "8"),
        ("limit", 429, "rate_exceeded", "2"),
        ("gone", 502, "connection_refused", None),
        ("database", 500, "database_away", None),
        ("unforeseen", 500, "internal", None),
        ("bug", 500, "internal", None),
    ],
)
def test_a_failure_is_answered_by_its_row(
    client: httpx.Client, how: str, status: int, code: str, retry_after: str | None
) -> None:
    answer = client.get(f"/fails/{how}", headers={"X-Correlation-Id": "cart-7"})
    assert (answer.status_code, answer.headers.get("retry-after")) == (status, retry_after)
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert (body["code"], body["correlation_id"]) == (code, "cart-7")
    assert set(body) == {"code", "message", "correlation_id"}
    assert body["message"]
    assert SECRET not in answer.text


@pytest.mark.parametrize(("how", "error"), [("bug", "ZeroDivisionError"), ("database", "DatabaseAway")])
def test_what_the_client_is_not_told_the_log_is_under_the_same_name(
    client: httpx.Client, log: Log, how: str, error: str
) -> None:
    body = client.get(f"/fails/{how}").json()
    [(name, fields)] = log.told
    assert (name, fields["error"], fields["endpoint"]) == ("http_failed", error, "fails")
    assert fields["correlation_id"] == body["correlation_id"]
    assert "test_failures.py" in fields["stack"]
    assert SECRET not in str(fields)


def test_what_is_nobody_s_bug_is_not_logged_as_one(client: httpx.Client, log: Log) -> None:
    for how in ("breaker", "limit", "gone"):
        client.get(f"/fails/{how}")
    assert log.told == []


def test_a_request_that_is_not_answered_in_time_is_told_so(client: httpx.Client) -> None:
    began = time.monotonic()
    answer = client.get("/sleeps")
    assert (answer.status_code, answer.json()["code"]) == (408, "deadline_exceeded")
    assert DEADLINE_SECONDS * 0.9 < time.monotonic() - began < 10


def test_a_client_may_want_its_answer_sooner_and_not_later(client: httpx.Client) -> None:
    sooner = client.get("/sleeps", headers={"x-request-timeout-seconds": "0.05"})
    later = client.get("/sleeps", headers={"x-request-timeout-seconds": "1e9"})
    assert [answer.json()["message"] for answer in (sooner, later)] == [
        "not answered within 0.05 s",
        "not answered within 0.3 s",
    ]


@pytest.mark.parametrize("told", ["", "soon", "0", "-1", "nan", "1,5"])
def test_a_deadline_that_is_none_is_refused_by_the_name_of_its_header(client: httpx.Client, told: str) -> None:
    answer = client.get("/well", headers={"x-request-timeout-seconds": told})
    assert answer.status_code == 400
    assert answer.json()["message"] == "x-request-timeout-seconds: must be a number of seconds above 0"


def test_a_timeout_of_the_handler_s_own_is_not_the_client_s_deadline(client: httpx.Client) -> None:
    assert client.get("/fails/inner_timeout").status_code != 408


def test_a_handler_that_answers_after_its_deadline_is_heard_once(client: httpx.Client, log: Log) -> None:
    assert client.get("/stubborn").text == "answered all the same"
    assert log.told == []


def test_an_answer_that_has_begun_in_time_may_take_longer(client: httpx.Client) -> None:
    assert client.get("/flows").text == "part " * 4


def test_an_answer_that_has_begun_is_broken_off_and_not_answered_twice(client: httpx.Client, log: Log) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        client.get("/breaks_off")
    [(name, fields)] = log.told
    assert (name, fields["error"]) == ("http_failed", "DatabaseAway")
    assert client.get("/well").text == "well"


def test_what_fails_after_the_answer_changes_nothing_in_it(client: httpx.Client, log: Log) -> None:
    assert client.get("/answers_and_fails").text == "well"
    eventually(lambda: log.told, "it is told")
    assert log.told[0][1]["error"] == "KeyError"


def test_a_request_without_a_body_in_its_answer_gets_the_headers(client: httpx.Client) -> None:
    answer = client.head("/fails/breaker")
    assert (answer.status_code, answer.headers["retry-after"], answer.text) == (503, "8", "")
