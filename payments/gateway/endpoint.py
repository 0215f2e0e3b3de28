"""Where a provider is, and how it is spoken to."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from re import Pattern
from typing import TypeVar
from urllib.parse import quote

import httpx
import msgspec

from payments.borders.http import failure_of_status, lost
from payments.failures import Failure
from payments.gateway.client import Call, Client, Reply

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """A provider's address and our secret there.

    `api_key` is Stripe's secret key, Razorpay's `key_id:key_secret`, PayPal's OAuth access token, or the canonical
    processor's bearer token.
    """

    base_url: str
    api_key: str = field(repr=False)


Beside = Callable[[], Mapping[str, str]]
"""Tells the headers that name what a request is about, of the work that is under way here."""


def nothing_beside() -> Mapping[str, str]:
    """Name nothing."""
    return {}


class Line:
    """The way to one provider. The address and the headers that never change are made once."""

    def __init__(
        self,
        client: Client,
        service: str,
        endpoint: Endpoint,
        headers: Mapping[str, str],
        now: Callable[[], float] = time.time,
        beside: Beside = nothing_beside,
    ) -> None:
        self._client = client
        self._service = service
        self._base = httpx.URL(endpoint.base_url.rstrip("/"))
        self._prefix = self._base.raw_path.rstrip(b"/")
        self._headers = [("Host", self._base.netloc.decode("ascii")), *_COMMON_HEADERS.items(), *headers.items()]
        self._now = now
        self._beside = beside

    def get(self, operation: str, path: str) -> Reply:
        """Ask; raises as `Client.exchange` does."""
        return self._client.exchange(Call(self._service, operation, "GET", self._url(path), self._with_beside()))

    def post(self, operation: str, path: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        """Ask for something to be done; raises as `Client.exchange` does."""
        sent = [*self._with_beside(), *headers.items(), ("Content-Length", str(len(body)))]
        return self._client.exchange(Call(self._service, operation, "POST", self._url(path), sent, body))

    def failure(self, reply: Reply, code: str | None = None, message: str | None = None) -> Failure:
        """Return what an unsuccessful reply means, by its status.

        `code` and `message` are the provider's own; the message may hold personal data, which is redacted.
        """
        return failure_of_status(reply, code, self._now(), message)

    def _with_beside(self) -> list[tuple[str, str]]:
        return [*self._headers, *self._beside().items()]

    def _url(self, path: str) -> httpx.URL:
        return self._base.copy_with(raw_path=self._prefix + path.encode("ascii"))


def read(reply: Reply, decoder: "msgspec.json.Decoder[T]") -> T:
    """Return the body of a successful reply; one that cannot be read, or not be kept, is as good as no answer."""
    if b"\\u0000" in reply.body:
        raise lost(reply.call, "the answer holds a NUL, which PostgreSQL cannot keep", "unreadable_answer")
    try:
        return decoder.decode(reply.body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise lost(reply.call, "the answer cannot be read", "unreadable_answer") from None


def read_error(reply: Reply, decoder: "msgspec.json.Decoder[T]", otherwise: T) -> T:
    """Return the body of an unsuccessful reply, or `otherwise`: a proxy in between answers in HTML."""
    try:
        return decoder.decode(reply.body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return otherwise


def segment(name: str) -> str:
    """Return a provider's id as one segment of a path, whatever is in it."""
    quoted = quote(name, safe="")
    return quoted if quoted.strip(".") else quoted.replace(".", "%2E")  # `.` and `..` would be taken for steps


def fitted(key: str, allowed: Pattern[str]) -> str:
    """Return the key if the provider allows it, and otherwise its SHA-256 in hexadecimal: equal for equal keys."""
    return key if allowed.fullmatch(key) else sha256(key.encode()).hexdigest()


_COMMON_HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "payferry"}
"""`identity`: the size cap must count the bytes that are read, and a compressed answer could grow."""
