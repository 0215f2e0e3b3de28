"""A connection to the API."""

from collections.abc import Mapping
from typing import Any

import grpc

from payferry.v1.payment_pb2_grpc import PaymentServiceStub
from payments.borders.grpc import failure_of_answer
from payments.borders.grpc_status import GrpcStatus, status_of
from payments.client.endpoint import Endpoint
from payments.failures import (
    ConnectionAborted,
    ConnectionRefused,
    ConnectTimeout,
    DnsFailed,
    Failure,
    TlsFailed,
    Unreachable,
)

SERVICE = "api"
_MOST_BYTES = 16 << 20
_PROBE_SECONDS = 0.5  # the reason is known by now, or there is none: nobody answers
_OPTIONS = (
    ("grpc.max_receive_message_length", _MOST_BYTES),
    # a connection that nobody has closed and nobody serves, as after a power cut, ends within 40 s
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    # dialled anew at least this often while somebody waits for it: the default is up to 120 s
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    # channels that are made one after the other would share what the first one has learned of a dead server
    ("grpc.use_local_subchannel_pool", 1),
)


def open_channel(endpoint: Endpoint, connect_seconds: float) -> Any:  # noqa: ANN401 - grpcio ships no types
    """Return a channel; nothing is dialled yet, and one dial takes no longer than this."""
    options = (*_OPTIONS, ("grpc.min_reconnect_backoff_ms", int(connect_seconds * 1000)))
    if not endpoint.tls:
        return grpc.insecure_channel(endpoint.address, options)
    credentials = grpc.ssl_channel_credentials(
        root_certificates=endpoint.file(endpoint.ca_file),
        private_key=endpoint.file(endpoint.key_file),
        certificate_chain=endpoint.file(endpoint.cert_file),
    )
    return grpc.secure_channel(endpoint.address, credentials, options)


def stub_of(channel: Any) -> Any:  # noqa: ANN401 - likewise
    """Return what the calls are made with."""
    return PaymentServiceStub(channel)  # type: ignore[no-untyped-call]  # generated


def connect(channel: Any, endpoint: Endpoint, seconds: float) -> None:  # noqa: ANN401 - likewise
    """Return once there is a connection. Raises an Unreachable, which says where and why.

    Any answer to the health check is one, also that it is unknown there. (grpcio's own way to wait for a connection
    leaves a thread behind, for which every close then waits 0.2 s.)
    """
    status = _health(channel, seconds, wait_for_ready=True)
    if status is not None and status.name == "DEADLINE_EXCEEDED":
        raise _unreachable(channel, endpoint, seconds)


def _unreachable(channel: Any, endpoint: Endpoint, seconds: float) -> Failure:  # noqa: ANN401 - likewise
    """Return why there is no connection: a call that does not wait for one is told."""
    status = _health(channel, _PROBE_SECONDS, wait_for_ready=False)
    told = failure_of_answer(status, SERVICE, "connect") if status is not None else None
    kind = type(told) if isinstance(told, Unreachable) else ConnectTimeout
    message = f"no connection to {endpoint.address} within {seconds:g} s: {_WHY.get(kind, _NOBODY)}"
    return kind(message, service=SERVICE, operation="connect", provider_message=told.provider_message if told else "")


def _health(channel: Any, seconds: float, *, wait_for_ready: bool) -> GrpcStatus | None:  # noqa: ANN401 - likewise
    """Ask whether the server is well; return None where it answers, otherwise how the call ended."""
    try:
        channel.unary_unary(_HEALTH)(b"", timeout=seconds, wait_for_ready=wait_for_ready)
    except grpc.RpcError as error:
        return status_of(error)
    return None


_HEALTH = "/grpc.health.v1.Health/Check"
"""The method of grpc.health.v1; an empty message asks for the server as a whole, and what it says is not read."""

_NOBODY = "nobody answers; is PAYFERRY_API right, and is `payferry api` up?"

_WHY: Mapping[type[Unreachable], str] = {
    ConnectionRefused: "nobody listens there; is PAYFERRY_API right, and is `payferry api` up?",
    DnsFailed: "the name has no address; is PAYFERRY_API right?",
    TlsFailed: "TLS was not agreed on; does it speak TLS, and is its certificate trusted (PAYFERRY_API_CA_FILE)?",
    ConnectionAborted: "it hung up; does it want TLS (PAYFERRY_API_TLS=true)?",
}
