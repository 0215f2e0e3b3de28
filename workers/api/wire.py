"""The request of a call as it comes over the wire, read when the server wants it and not before."""

from collections.abc import Callable
from typing import Any, TypeVar

import grpc
from google.protobuf.message import DecodeError

from workers.api.refusals import invalid_argument

T = TypeVar("T")


async def request_bytes(context: grpc.aio.ServicerContext) -> bytes:
    """Wait for the request, and return its bytes. Raises Refusal where the client ends without one.

    The call must be served as one that takes a stream of requests. gRPC reads the request of any other before it asks
    whom it is from, and a client that never sends it would hold its place for ever. To clients both are the same.
    """
    raw: Any = await context.read()
    if raw is grpc.aio.EOF:
        raise invalid_argument("request", "missing")
    return bytes(raw)


def request_of(parse: Callable[[bytes], T], raw: bytes) -> T:
    """Return the request. Raises Refusal where the bytes are none."""
    try:
        return parse(raw)
    except DecodeError:
        refused = invalid_argument("request", "not a message of this call")
    raise refused
