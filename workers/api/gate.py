"""What stands before every call: who calls and how often, for how long, what its failure is answered, a line of log."""

import asyncio
import time
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

import grpc
import msgspec

from config.settings import ApiClient, Grant
from payments.envelope import correlation_token
from payments.failures import Failure
from payments.log_events import Tell
from payments.stack import stack_of
from workers.api.callers import Callers, caller
from workers.api.guests import Guests
from workers.api.refusals import Refusal, deadline_exceeded, internal
from workers.api.statuses import refusal_of
from workers.api.wire import request_bytes

Take = Callable[[ApiClient], Awaitable[None]]
"""Takes a call's token from its client's rate limit. Raises RateExceeded."""

Inner = Callable[[bytes, grpc.aio.ServicerContext], Awaitable[Any]]
"""Serves a request. What it returns is the answer, unless it is None: it has then written its answers itself."""

Find = Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler | None]]

_CORRELATION = "x-correlation-id"
_LONGEST_ABORT_SECONDS = 5.0  # a client that does not read does not take its status either


class Passage(msgspec.Struct):
    """One call on its way through the gate, as the log tells of it: never what it asks for."""

    method: str
    headers: Mapping[str, str]
    grant: Grant
    lasts: bool
    correlation_id: str
    client: str = ""


class Gate(grpc.aio.ServerInterceptor):
    """Lets a call of ours through if its client has the grant that `grants` wants of its method.

    What is not in `grants`, as health and reflection, is a guest. A call that is answered once may take
    `deadline_seconds`, or less where its client says so; a stream lasts as long as its client wants, once it has said
    within that time what it wants. Requests are waited for and read behind the gate, so that nothing is done for who
    may not call, and nobody holds a place without a token.
    """

    def __init__(
        self, callers: Callers, take: Take, grants: Mapping[str, Grant], deadline_seconds: float, tell: Tell
    ) -> None:
        self._guests = Guests()
        self._callers = callers
        self._take = take
        self._grants = grants
        self._deadline_seconds = deadline_seconds
        self._tell = tell

    async def intercept_service(self, continuation: Find, details: grpc.HandlerCallDetails) -> Any:  # noqa: ANN401
        """Return the handler of a call, behind the gate."""
        handler = await continuation(details)
        grant = self._grants.get(details.method)
        if handler is None:
            return None
        if grant is None:
            return self._guests.bounded(handler)
        served = self._behind(details, grant, handler)
        return grpc.stream_stream_rpc_method_handler(served, None, handler.response_serializer)

    def _behind(
        self,
        details: grpc.HandlerCallDetails,
        grant: Grant,
        handler: Any,  # noqa: ANN401 - grpc has no types
    ) -> Callable[..., Awaitable[None]]:
        headers = _headers(details.invocation_metadata)
        method = details.method.rpartition("/")[2]
        inner: Inner = handler.unary_stream or handler.unary_unary

        async def served(_requests: object, context: grpc.aio.ServicerContext) -> None:
            passage = Passage(method, headers, grant, handler.response_streaming, _correlation_id(headers))
            await self._serve(passage, inner, context)

        return served

    async def _serve(self, passage: Passage, inner: Inner, context: grpc.aio.ServicerContext) -> None:
        began = time.monotonic()
        told = ("OK", "")
        try:
            await self._admitted(passage, inner, context)
        except asyncio.CancelledError:
            told = ("CANCELLED", "")
            raise
        except Exception as error:  # noqa: BLE001 - each gets its status, and none gets out
            refusal = self._refusal(error, passage)
            told = (refusal.status.name, refusal.code)
            await _abort(context, refusal, passage.correlation_id)
        finally:
            status, code = told
            took_ms = round((time.monotonic() - began) * 1000, 1)
            self._tell(
                "api_called",
                method=passage.method,
                client=passage.client,
                status=status,
                code=code,
                took_ms=took_ms,
                lasts=passage.lasts,
                correlation_id=passage.correlation_id,
            )

    async def _admitted(self, passage: Passage, inner: Inner, context: grpc.aio.ServicerContext) -> None:
        client = self._callers.admit(passage.headers.get("authorization"), passage.grant)
        passage.client = client.name
        caller.set(client)
        async with asyncio.timeout(self._deadline_seconds) as deadline:
            await self._take(client)
            request = await request_bytes(context)
            if passage.lasts:
                deadline.reschedule(None)
            answer = await inner(request, context)
            if answer is not None:
                await context.write(answer)

    def _refusal(self, error: Exception, passage: Passage) -> Refusal:
        if isinstance(error, Refusal):
            return error
        if isinstance(error, TimeoutError):
            return deadline_exceeded()
        refusal = refusal_of(error, passage.correlation_id) if isinstance(error, Failure) else None
        if refusal is None or refusal.status is grpc.StatusCode.INTERNAL:
            self._tell(
                "api_failed",
                method=passage.method,
                error=type(error).__name__,
                stack=stack_of(error),
                correlation_id=passage.correlation_id,
            )
        return refusal or internal(passage.correlation_id)


async def _abort(context: grpc.aio.ServicerContext, refusal: Refusal, correlation_id: str) -> None:
    trailers = ((_CORRELATION, correlation_id), ("grpc-status-details-bin", refusal.details_bin()))
    try:
        async with asyncio.timeout(_LONGEST_ABORT_SECONDS):
            await context.abort(refusal.status, refusal.message, trailers)
    except TimeoutError:
        raise asyncio.CancelledError from None  # the status lies ready for the client; nobody waits here until it comes


def _headers(told: Iterable[tuple[str, str | bytes]]) -> dict[str, str]:
    """Return the headers that are text. Of one that is told twice nothing is known, whoever of the two is meant."""
    texts = [(name, value) for name, value in told if isinstance(value, str)]
    times = Counter(name for name, _ in texts)
    return {name: value for name, value in texts if times[name] == 1}


def _correlation_id(headers: Mapping[str, str]) -> str:
    """Return what the client calls the matter, where it says so and that may stand in a log; or a name of ours."""
    return correlation_token(headers.get(_CORRELATION)) or uuid.uuid4().hex
