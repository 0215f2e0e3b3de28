"""Calls that want no token: health and reflection. So that nobody can use the server up with them, few are open."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import msgspec

from workers.api.refusals import Refusal
from workers.api.wire import request_bytes, request_of


class Bound(msgspec.Struct, frozen=True, kw_only=True):
    """How many calls may be open at a time, and each for how long; then its client asks again."""

    most_open: int
    longest_seconds: float


LASTING = Bound(most_open=32, longest_seconds=300.0)
"""Of those that watch the health of a server, or look through its reflection."""

BRIEF = Bound(most_open=128, longest_seconds=5.0)
"""Of those that are answered at once: what takes long is only a client that does not send what it asks."""

MOST_OPEN = LASTING.most_open + BRIEF.most_open


class Guests:
    """Bounds the calls that want no token, those that last apart from those that are brief."""

    def __init__(self, lasting: Bound = LASTING, brief: Bound = BRIEF) -> None:
        self._lasting = _Room(lasting)
        self._brief = _Room(brief)

    def bounded(self, handler: Any) -> grpc.RpcMethodHandler:  # noqa: ANN401 - grpc has no types
        """Return a handler of a call that wants no token, bounded."""
        if handler.request_streaming:
            talking = _talking(handler.stream_stream, self._lasting)
            return grpc.stream_stream_rpc_method_handler(
                talking, handler.request_deserializer, handler.response_serializer
            )
        room = self._lasting if handler.response_streaming else self._brief
        return grpc.stream_stream_rpc_method_handler(_asked_once(handler, room), None, handler.response_serializer)


class _Room:
    """How many calls of a sort are open."""

    def __init__(self, bound: Bound) -> None:
        self._bound = bound
        self._open = 0

    @asynccontextmanager
    async def opened(self, context: grpc.aio.ServicerContext) -> AsyncIterator[None]:
        """Count as open until the block ends, which is after the longest time at the latest."""
        if self._open >= self._bound.most_open:
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "too many of these calls are open; ask again")
        self._open += 1
        try:
            async with asyncio.timeout(self._bound.longest_seconds):
                yield
        except TimeoutError:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "open for long enough; ask again")
        except Refusal as refusal:
            await context.abort(refusal.status, refusal.message)
        finally:
            self._open -= 1


def _talking(
    inner: Callable[[Any, grpc.aio.ServicerContext], AsyncIterator[Any]], room: _Room
) -> Callable[..., AsyncIterator[Any]]:
    async def served(requests: Any, context: grpc.aio.ServicerContext) -> AsyncIterator[Any]:  # noqa: ANN401 - any messages
        async with room.opened(context):
            async for each in inner(requests, context):
                yield each

    return served


def _asked_once(handler: Any, room: _Room) -> Callable[..., Awaitable[None]]:  # noqa: ANN401 - grpc has no types
    async def served(_requests: object, context: grpc.aio.ServicerContext) -> None:
        async with room.opened(context):
            request = request_of(handler.request_deserializer, await request_bytes(context))
            if handler.response_streaming:
                await handler.unary_stream(request, context)
            else:
                await context.write(await handler.unary_unary(request, context))

    return served
