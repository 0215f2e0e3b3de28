"""The server: our service, health and reflection on one port, and its end without a call cut short."""

import asyncio
import signal
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import msgspec
from google.protobuf.message import Message
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from config.settings import ApiClient, Grant
from payferry.v1 import payment_pb2 as pb
from payments.failures import ConfigurationError, Failure
from payments.ledger.bell import Ringer
from payments.ledger.feed import Feed, Position
from payments.log_events import Tell
from payments.resilience.rate_limit import RateLimits
from workers.api.callers import Callers
from workers.api.descriptors import allow_all_descriptors
from workers.api.follower import Follower
from workers.api.gate import Gate
from workers.api.guests import MOST_OPEN
from workers.api.hub import Hub, StreamPolicy
from workers.api.service import Library, PaymentService
from workers.api.subscription import Source
from workers.api.threads import Threads
from workers.api.wire import request_of
from workers.pulse.pulse import DATABASE_AWAY, Notes

_LARGEST_REQUEST_BYTES = 64 * 1024
_LARGEST_ANSWER_BYTES = 4 * 1024 * 1024
_MORE_CALLS = 512
_AGAIN_SECONDS = 1.0

_OPTIONS = (
    ("grpc.so_reuseport", 0),  # a second server on the port is an error, and not a secret sharer of its calls
    ("grpc.max_receive_message_length", _LARGEST_REQUEST_BYTES),
    ("grpc.max_send_message_length", _LARGEST_ANSWER_BYTES),
    ("grpc.max_metadata_size", 16 * 1024),
    ("grpc.keepalive_time_ms", 30_000),  # a client that is gone without a word is noticed
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),  # clients may do the same
    ("grpc.server_handshake_timeout_ms", 10_000),  # a connection that says nothing is no client
)


class ServerPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Where the server listens, how it proves who it is, and its bounds. Empty files: no TLS."""

    host: str
    port: int
    streams: StreamPolicy
    deadline_seconds: float
    drain_seconds: float
    cert_file: str | None = None
    key_file: str | None = None
    client_ca_file: str | None = None


class Edges(msgspec.Struct, frozen=True):
    """What the server reads from and tells to."""

    library: Library
    source: Source
    bell: Ringer
    callers: Callers
    limits: RateLimits
    tell: Tell


class ApiServer:
    """One server in this process' event loop."""

    def __init__(self, policy: ServerPolicy, edges: Edges) -> None:
        self._policy = policy
        self._edges = edges
        self._hub = Hub(policy.streams, edges.tell)
        self._follower = Follower(edges.source.feed, edges.bell, edges.tell, self._hub.count)
        self._health = health.aio.HealthServicer()
        self._limiting = Threads(2)  # apart from those that wait for the ledger
        self._server: Any = None
        self._has_no_news = False

    async def run(self, ready: Callable[[int], None]) -> None:
        """Serve until SIGTERM or SIGINT; `ready` is told the port once calls are taken. Raises ConfigurationError."""
        allow_all_descriptors()
        stopping = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stopping.set)
        starting, stopped = asyncio.ensure_future(self.start()), asyncio.ensure_future(stopping.wait())
        await asyncio.wait((starting, stopped), return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():  # it was still waiting for the ledger
            starting.cancel()
            return
        ready(starting.result())
        await stopped
        await self.stop()

    async def start(self) -> int:
        """Take calls, and return on which port. Waits for the ledger, if that is away. Raises ConfigurationError."""
        epoch, position = await self._feed_begin(self._edges.source.feed)
        self._hub.begin(position)
        self._follower.start(epoch, position, self._hub.take, self._no_more_news)
        self._watch = asyncio.ensure_future(self._hub.watch())
        self._server = self._built(PaymentService(self._edges.library, self._edges.source, self._hub, epoch))
        port = self._bound()
        await self._server.start()
        await self._say(health_pb2.HealthCheckResponse.SERVING)
        self._edges.tell("api_started", host=self._policy.host, port=port, tls=bool(self._policy.cert_file))
        return port

    async def stop(self) -> None:
        """Tell that it ends, end the streams, let other calls come to their end, and stop."""
        await self._health.enter_graceful_shutdown()
        self._hub.close()
        await self._server.stop(self._policy.drain_seconds)
        self._watch.cancel()
        self._follower.stop()
        self._edges.source.threads.close()
        self._edges.library.threads.close()
        self._limiting.close()
        self._edges.tell("api_stopped")

    def report(self) -> Notes:
        """Return what is in its way. May be asked from any thread."""
        troubles = [DATABASE_AWAY] if self._follower.is_cut_off else []
        stuck = "it reads no changes of payments any more" if self._has_no_news else ""
        return Notes(troubles=troubles, numbers={"streams": self._hub.count()}, stuck=stuck)

    def _no_more_news(self) -> None:
        """Say that nobody should come here: streams would be silent for good."""
        self._has_no_news = True
        self._saying = asyncio.ensure_future(self._say(health_pb2.HealthCheckResponse.NOT_SERVING))

    async def _say(self, status: Any) -> None:  # noqa: ANN401 - a member of an enum without types
        for name in (health.OVERALL_HEALTH, _SERVICE):
            await self._health.set(name, status)

    async def _feed_begin(self, feed: Feed) -> tuple[str, Position]:
        while True:
            try:
                return await self._edges.source.threads.ask(lambda: (feed.epoch(), feed.end()))
            except Failure as failure:
                self._edges.tell("feed_unread", code=failure.code)
                await asyncio.sleep(_AGAIN_SECONDS)  # until the ledger is asked again

    def _built(self, service: PaymentService) -> Any:  # noqa: ANN401 - grpc has no types
        gate = Gate(self._edges.callers, self._take, GRANTS, self._policy.deadline_seconds, self._edges.tell)
        most = self._policy.streams.max_streams + MOST_OPEN + _MORE_CALLS
        server = grpc.aio.server(interceptors=[gate], options=_OPTIONS, maximum_concurrent_rpcs=most)
        server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(_SERVICE, _handlers(service))])
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        reflection.enable_server_reflection((_SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME), server)
        return server

    def _bound(self) -> int:
        host = self._policy.host
        address = (
            f"[{host}]:{self._policy.port}"
            if ":" in host and not host.startswith("[")
            else f"{host}:{self._policy.port}"
        )
        try:
            if self._policy.cert_file:
                return int(self._server.add_secure_port(address, credentials(self._policy)))
            return int(self._server.add_insecure_port(address))
        except RuntimeError:
            problem = f"API_HOST, API_PORT: cannot listen on {address}; is something else there?"
        raise ConfigurationError(problem, service="api")

    async def _take(self, client: ApiClient) -> None:
        await self._limiting.ask(lambda: self._edges.limits.take(limit_name(client.name)))


def credentials(policy: ServerPolicy) -> grpc.ServerCredentials:
    """Return how the server proves who it is, and whether clients must. Raises ConfigurationError."""
    chain = _content("API_TLS_CERT_FILE", policy.cert_file)
    key = _content("API_TLS_KEY_FILE", policy.key_file)
    client_ca = _content("API_TLS_CLIENT_CA_FILE", policy.client_ca_file) if policy.client_ca_file else None
    _check_pair(policy)
    return grpc.ssl_server_credentials([(key, chain)], client_ca, require_client_auth=client_ca is not None)


def _check_pair(policy: ServerPolicy) -> None:
    """Find out what gRPC would only log: that the files are not what they should be."""
    trial = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    wrong = "API_TLS_CERT_FILE, API_TLS_KEY_FILE: not a certificate (PEM) and its private key"
    try:
        trial.load_cert_chain(policy.cert_file or "", policy.key_file)
        wrong = "API_TLS_CLIENT_CA_FILE: holds no certificate (PEM)"
        if policy.client_ca_file:
            trial.load_verify_locations(policy.client_ca_file)
    except ssl.SSLError:
        pass
    else:
        return
    raise ConfigurationError(wrong, service="api")


def limit_name(client: str) -> str:
    """Return the name of a client's rate limit."""
    return f"api:{client}"


def _content(variable: str, file: str | None) -> bytes:
    try:
        return Path(file or "").read_bytes()
    except OSError as error:
        problem = f"{variable}: {file}: {error.strerror}"
    raise ConfigurationError(problem, service="api")


def _handlers(service: PaymentService) -> dict[str, Any]:
    """Return the calls by their names. What a stream writes was written out before: the same for many clients."""
    unary, streaming = grpc.unary_unary_rpc_method_handler, grpc.unary_stream_rpc_method_handler
    get, page = _of(service.get_payment, pb.GetPaymentRequest), _of(service.list_payments, pb.ListPaymentsRequest)
    history = _of(service.get_payment_history, pb.GetPaymentHistoryRequest)

    async def stream(raw: bytes, context: Any) -> None:  # noqa: ANN401 - grpc has no types
        await service.stream_payments(request_of(pb.StreamPaymentsRequest.FromString, raw), context.write)

    return {
        "GetPayment": unary(get, None, pb.GetPaymentResponse.SerializeToString),
        "ListPayments": unary(page, None, pb.ListPaymentsResponse.SerializeToString),
        "GetPaymentHistory": unary(history, None, pb.GetPaymentHistoryResponse.SerializeToString),
        "StreamPayments": streaming(stream, None, bytes),
    }


def _of(call: Callable[[Any], Any], kind: type[Message]) -> Callable[[bytes, Any], Any]:
    """Return a handler for a call that is answered once."""

    async def handler(raw: bytes, _context: Any) -> Any:  # noqa: ANN401 - grpc has no types
        return await call(request_of(kind.FromString, raw))

    return handler


_SERVICE: str = pb.DESCRIPTOR.services_by_name["PaymentService"].full_name

GRANTS = {
    f"/{_SERVICE}/GetPayment": Grant.READ,
    f"/{_SERVICE}/ListPayments": Grant.READ,
    f"/{_SERVICE}/StreamPayments": Grant.READ,
    f"/{_SERVICE}/GetPaymentHistory": Grant.ADMIN,
}
"""What each call wants of its client."""
