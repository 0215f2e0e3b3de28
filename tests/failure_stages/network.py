"""Servers that go wrong below HTTP, and what our client makes of them."""

import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import httpx
import pytest

from payments.failures import Failure
from payments.gateway.client import Call, Client, ClientPolicy, pooled_client
from tests.certificate import Certificate

Behaviour = Callable[[socket.socket], None]
Staged = Callable[[pytest.FixtureRequest], Failure]

HASTY = ClientPolicy(
    connect_timeout_seconds=0.3, read_timeout_seconds=0.3, total_timeout_seconds=0.6, max_response_bytes=1000
)


def at(url: str, policy: ClientPolicy = HASTY) -> Staged:
    """Return a stage: a call to an address."""
    return lambda _request: failure_at(url, policy)


def on(behaviour: Behaviour, scheme: str = "http", method: str = "POST") -> Staged:
    """Return a stage: a call to a server that behaves like this to whoever connects."""

    def staged(_request: pytest.FixtureRequest) -> Failure:
        with serving(behaviour) as address:
            return failure_at(f"{scheme}://{address}/v1/x", method=method)

    return staged


def failure_at(url: str, policy: ClientPolicy = HASTY, method: str = "POST", client: Client | None = None) -> Failure:
    """Call and return how it failed; `client` is closed."""
    with closing(client or pooled_client(policy, secure=url.startswith("https"))) as sender:
        with pytest.raises(Failure) as caught:
            sender.exchange(a_call(url, method))
        return caught.value


def a_call(url: str, method: str = "POST", headers: list[tuple[str, str]] | None = None) -> Call:
    return Call("stripe", "capture", method, httpx.URL(url), headers or [("Host", "provider.test")])


@contextmanager
def serving(behaviour: Behaviour) -> Iterator[str]:
    """Serve on loopback, each connection in its turn, and yield the address."""

    def serve(server: socket.socket) -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:  # closed: the stage is over
                return
            with connection:
                try:
                    behaviour(connection)
                except OSError:  # the client has gone, or did not understand
                    continue

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, args=(server,), daemon=True).start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)


def resets(connection: socket.socket) -> None:
    """Break the connection off hard, once something has come."""
    connection.recv(65_536)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def hangs_up(connection: socket.socket) -> None:
    """Close the connection, once something has come."""
    connection.recv(65_536)


def says_nothing(connection: socket.socket) -> None:
    """Take all and answer nothing, until the client goes."""
    while connection.recv(65_536):
        pass


def says(*parts: bytes) -> Behaviour:
    """Return a behaviour: to answer with these bytes, whatever is asked."""

    def behave(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(b"".join(parts))

    return behave


def refused(_request: pytest.FixtureRequest) -> Failure:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound and not listening: nobody else can have the port
        return failure_at(f"http://127.0.0.1:{closed.getsockname()[1]}/")


def self_signed(request: pytest.FixtureRequest) -> Failure:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate = Certificate(request.getfixturevalue("tmp_path"), "provider.test")  # which only its maker trusts
    context.load_cert_chain(certificate.cert, certificate.key)
    return on(lambda connection: _handshake(context, connection), "https")(request)


def pool_exhausted(_request: pytest.FixtureRequest) -> Failure:
    policy = ClientPolicy(connect_timeout_seconds=0.1, total_timeout_seconds=5, max_connections=1)
    taken = threading.Event()

    def holds(connection: socket.socket) -> None:
        taken.set()
        says_nothing(connection)

    with serving(holds) as address:
        client = pooled_client(policy, secure=False)
        first = threading.Thread(target=lambda: _ignored(client, f"http://{address}/"), daemon=True)
        first.start()
        assert taken.wait(5)
        return failure_at(f"http://{address}/", client=client)


def unsendable(_request: pytest.FixtureRequest) -> Failure:
    with serving(says_nothing) as address, closing(pooled_client(HASTY, secure=False)) as client:
        with pytest.raises(Failure) as caught:
            client.exchange(a_call(f"http://{address}/", headers=[("Host", "x"), ("Key", "two\r\nlines")]))
        return caught.value


def _ignored(client: Client, url: str) -> None:
    with pytest.raises(Failure):
        client.exchange(a_call(url))


def _handshake(context: ssl.SSLContext, connection: socket.socket) -> None:
    with context.wrap_socket(connection, server_side=True) as secured:
        secured.recv(65_536)
