import httpx
import pytest

from payments.failures import Failure, OutcomeUnknown, RateLimited, Refused, Unavailable
from payments.gateway.client import Call, Reply
from payments.gateway.status import DEFAULT_RETRY_AFTER_SECONDS, failure_of_status, retry_after_seconds

NOW = 1_800_000_000.0


def reply_with(status: int, method: str = "POST", headers: dict[str, str] | None = None) -> Reply:
    call = Call("stripe", "capture", method, httpx.URL("http://provider.test/x"), [])
    return Reply(call, status, httpx.Headers(headers or {}), b'{"email":"payer@example.com"}')


@pytest.mark.parametrize(
    ("status", "method", "kind"),
    [
        (301, "POST", Refused),
        (400, "POST", Refused),
        (401, "POST", Refused),
        (403, "POST", Refused),
        (404, "POST", Refused),
        (422, "POST", Refused),
        (408, "POST", Unavailable),
        (409, "POST", Unavailable),
        (429, "POST", RateLimited),
        (503, "POST", Unavailable),
        (500, "POST", OutcomeUnknown),
        (502, "POST", OutcomeUnknown),
        (504, "POST", OutcomeUnknown),
        (599, "POST", OutcomeUnknown),
        (500, "GET", Unavailable),
        (504, "GET", Unavailable),
    ],
)
def test_every_status_has_its_failure(status: int, method: str, kind: type[Failure]) -> None:
    failure = failure_of_status(reply_with(status, method), None, NOW)
    assert type(failure) is kind
    assert failure.code == f"http_{status}"
    assert (failure.service, failure.operation) == ("stripe", "capture")


def test_a_failure_carries_the_providers_code_and_nothing_of_the_body() -> None:
    failure = failure_of_status(reply_with(400), "resource_missing", NOW)
    assert failure.code == "resource_missing"
    assert "payer@example.com" not in f"{failure} {failure!r}"


@pytest.mark.parametrize("code", ["payer@example.com", "No such card: 4242", "", "x" * 65, "schlüssel"])
def test_free_text_in_place_of_a_code_is_left_out(code: str) -> None:
    assert failure_of_status(reply_with(400), code, NOW).code == "http_400"


def test_a_429_carries_the_pause_asked_for() -> None:
    failure = failure_of_status(reply_with(429, headers={"Retry-After": "7"}), None, NOW)
    assert isinstance(failure, RateLimited)
    assert failure.retry_after_seconds == 7


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        ("999999999", 3600),
        ("Fri, 15 Jan 2027 08:00:30 GMT", 30),
        ("Fri, 15 Jan 2027 07:00:00 GMT", 0),
        ("soon", DEFAULT_RETRY_AFTER_SECONDS),
        ("-5", DEFAULT_RETRY_AFTER_SECONDS),
        ("", DEFAULT_RETRY_AFTER_SECONDS),
        (None, DEFAULT_RETRY_AFTER_SECONDS),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(header: str | None, seconds: float) -> None:
    assert retry_after_seconds(header, NOW) == seconds
