"""The pool of connections, with a limit on the time of a whole exchange and not only of one wait.

httpx bounds each wait for bytes, so a server that sends one byte a second is never late. Here every wait is also cut
to what is left until the end of the exchange, while the answer's headers arrive as well as its body.
"""

import ssl
import time
from collections.abc import Iterable, Iterator
from typing import Any

import httpcore
import httpx

_IDLE_SECONDS = 20.0
"""How long an unused connection is kept: shorter than the minute after which load balancers usually close theirs."""


class Limit(float):
    """The seconds that one wait may take; `ends_at` is the `time.monotonic` at which the exchange must be over."""

    __slots__ = ("ends_at",)
    ends_at: float

    @classmethod
    def of(cls, seconds: float, ends_at: float) -> "Limit":
        """Return a limit of `seconds` for each wait, and of `ends_at` for all of them together."""
        limit = cls(seconds)
        limit.ends_at = ends_at
        return limit


def remaining(timeout: float | None) -> float | None:
    """Return the seconds that a wait may take from now on: zero or less once the exchange must be over."""
    if isinstance(timeout, Limit):
        return min(float(timeout), timeout.ends_at - time.monotonic())
    return timeout


class LimitedStream(httpcore.NetworkStream):
    """A connection whose every wait ends with its exchange."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Return the bytes that are there; raises httpcore.ReadTimeout."""
        left = remaining(timeout)
        if left is not None and left <= 0:
            raise httpcore.ReadTimeout("the exchange took too long")
        return self._stream.read(max_bytes, left)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send all of `buffer`; raises httpcore.WriteTimeout."""
        left = remaining(timeout)
        if left is not None and left <= 0:
            raise httpcore.WriteTimeout("the exchange took too long")
        self._stream.write(buffer, left)

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """Return the same connection, encrypted; raises httpcore.ConnectTimeout."""
        return LimitedStream(self._stream.start_tls(ssl_context, server_hostname, _to_connect(timeout)))

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401  # as httpcore declares it
        """Return what the connection knows of itself."""
        return self._stream.get_extra_info(info)


class LimitedBackend(httpcore.NetworkBackend):
    """Makes connections on plain blocking sockets, which gevent can patch."""

    def __init__(self) -> None:
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Return a new connection; raises httpcore.ConnectError and httpcore.ConnectTimeout."""
        options = None if socket_options is None else list(socket_options)
        return LimitedStream(self._sockets.connect_tcp(host, port, _to_connect(timeout), local_address, options))


class PooledTransport(httpx.BaseTransport):
    """Connections kept for the next request: HTTP/1.1, no retries, no redirects, no proxy from the environment."""

    def __init__(self, max_connections: int, ssl_context: ssl.SSLContext | None = None) -> None:
        self._pool = httpcore.ConnectionPool(
            ssl_context=ssl_context,
            max_connections=max_connections,
            keepalive_expiry=_IDLE_SECONDS,
            network_backend=LimitedBackend(),
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Return the answer with its body yet to be read; raises httpx.TransportError."""
        try:
            response = self._pool.handle_request(_wire(request))
        except _RAISED as error:
            raise _named(error) from error
        return httpx.Response(response.status, headers=response.headers, stream=_Body(response))

    def close(self) -> None:
        """Close every connection."""
        self._pool.close()


class _Body(httpx.SyncByteStream):
    """The answer's bytes as they come."""

    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._response.iter_stream()
        except _RAISED as error:
            raise _named(error) from error

    def close(self) -> None:
        self._response.close()


def _wire(request: httpx.Request) -> httpcore.Request:
    """Return the request as httpcore wants it."""
    url = request.url
    target = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
    return httpcore.Request(
        request.method,
        target,
        headers=request.headers.raw,
        content=request.content,
        extensions=request.extensions,
    )


def _to_connect(timeout: float | None) -> float | None:
    """Return the seconds left to connect; raises httpcore.ConnectTimeout where none is."""
    left = remaining(timeout)
    if left is not None and left <= 0:
        raise httpcore.ConnectTimeout("the exchange took too long")
    return left


def _named(error: Exception) -> httpx.TransportError:
    """Return httpx's failure of the same name, or the plain one for a name that is new to us."""
    kind = _NAMES.get(type(error), httpx.ReadError)
    return kind(str(error))


_RAISED = (
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.ProxyError,
    httpcore.UnsupportedProtocol,
    httpcore.ConnectionNotAvailable,
)

_NAMES: dict[type[Exception], type[httpx.TransportError]] = {
    httpcore.ConnectError: httpx.ConnectError,
    httpcore.ConnectTimeout: httpx.ConnectTimeout,
    httpcore.PoolTimeout: httpx.PoolTimeout,
    httpcore.ProxyError: httpx.ProxyError,
    httpcore.UnsupportedProtocol: httpx.UnsupportedProtocol,
    httpcore.LocalProtocolError: httpx.LocalProtocolError,
    httpcore.RemoteProtocolError: httpx.RemoteProtocolError,
    httpcore.ReadTimeout: httpx.ReadTimeout,
    httpcore.ReadError: httpx.ReadError,
    httpcore.WriteTimeout: httpx.WriteTimeout,
    httpcore.WriteError: httpx.WriteError,
}
