"""Calls that want no token: health and reflection. So that nobody can use the server up with them, few stay open."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc

MOST_OPEN = 32
"""Of those that last: whoever watches the health of a server, or looks through its reflection."""

_LONGEST_SECONDS = 300.0
"""After which one that lasts is ended; its client asks again."""


class Guests:
    """Bounds what lasts. What is answered once is let through as it is."""

    def __init__(self, most_open: int = MOST_OPEN, longest_seconds: float = _LONGEST_SECONDS) -> None:
        self._most_open = most_open
        self._longest_seconds = longest_seconds
        self._open = 0

    def bounded(self, handler: Any) -> Any:  # noqa: ANN401 - grpc has no types
        """Return a handler of a call that wants no token, bounded."""
        serializers = handler.request_deserializer, handler.response_serializer
        if handler.stream_stream:
            return grpc.stream_stream_rpc_method_handler(self._lasting(handler.stream_stream), *serializers)
        if handler.unary_stream:
            return grpc.unary_stream_rpc_method_handler(self._lasting(handler.unary_stream), *serializers)
        return handler

    def _lasting(self, inner: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        async def yielding(request: Any, context: Any) -> AsyncIterator[Any]:  # noqa: ANN401 - likewise
            async with self._opened(context):
                async for each in inner(request, context):
                    yield each

        async def writing(request: Any, context: Any) -> None:  # noqa: ANN401 - likewise
            async with self._opened(context):
                await inner(request, context)

        return yielding if inspect.isasyncgenfunction(inner) else writing

    @asynccontextmanager
    async def _opened(self, context: Any) -> AsyncIterator[None]:  # noqa: ANN401 - likewise
        """Count as open until the block ends, which is after the longest time at the latest."""
        if self._open >= self._most_open:
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "too many of these calls are open; ask again")
        self._open += 1
        try:
            async with asyncio.timeout(self._longest_seconds):
                yield
        except TimeoutError:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "open for long enough; ask again")
        finally:
            self._open -= 1
