"""One ASGI middleware that answers for what a request meets, and gives every request a name and a deadline."""

import asyncio
import math
import uuid

import msgspec
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from payments.borders.unforeseen import failure_of
from payments.envelope import correlation_token
from payments.failures import BadRequest
from payments.log_events import Tell
from payments.stack import stack_of
from workers.http.answers import INTERNAL, HttpAnswer, answer_to, too_late

CORRELATION = "x-correlation-id"
DEADLINE = "x-request-timeout-seconds"


class FailureAnswers:
    """Answers failures with a status and JSON: `code`, `message`, `correlation_id`.

    The correlation id is the client's own, from the header x-correlation-id, or a new one; every answer bears it. An
    answer must begin within `deadline_seconds`, or within x-request-timeout-seconds where the client wants it sooner,
    otherwise it is a 408; a handler that runs in a thread is waited for all the same. One that has begun is not
    answered again: what fails then breaks it off. What is answered with 500 is told to the log.

    The monitor stands behind it. What else speaks HTTP is not Payferry's own face: the sandbox plays providers, who
    answer in words of their own, Flower brings its own, and the probes of processes answer with a word.

    It stands in the `middleware` of a Starlette application, inside of Starlette's own that answers 500.
    """

    def __init__(self, app: ASGIApp, *, deadline_seconds: float, tell: Tell) -> None:
        self._app = app
        self._deadline_seconds = deadline_seconds
        self._tell = tell

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection; only requests are looked after."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = _Request(scope, send)
        try:
            await self._served(request, receive)
        except Exception as error:  # noqa: BLE001 - whatever a handler raises has an answer
            await self._failed(request, error)

    async def _served(self, request: "_Request", receive: Receive) -> None:
        deadline_seconds = min(request.wanted_seconds(), self._deadline_seconds)
        try:
            async with asyncio.timeout(deadline_seconds) as request.deadline:
                await self._app(request.scope, receive, request.send)
        except TimeoutError:
            if not request.deadline.expired():
                raise
            await request.answer(too_late(deadline_seconds))

    async def _failed(self, request: "_Request", error: Exception) -> None:
        answer = answer_to(failure_of(error, "http"), request.correlation_id)
        if answer.status == INTERNAL or request.begun:
            self._tell(
                "http_failed",
                method=request.scope["method"],
                endpoint=request.endpoint(),
                status=answer.status,
                error=type(error).__name__,
                stack=stack_of(error),
                correlation_id=request.correlation_id,
            )
        await request.answer(answer)


class _Request:
    """One request, and whether its answer has begun."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self.scope = scope
        self.begun = False
        self.deadline = asyncio.timeout(None)
        self._send = send
        self._headers = Headers(scope=scope)
        self.correlation_id = correlation_token(self._headers.get(CORRELATION)) or uuid.uuid4().hex

    def wanted_seconds(self) -> float:
        """Return within what time the client wants its answer. Raises BadRequest."""
        told = self._headers.get(DEADLINE, "inf")
        try:
            seconds = float(told)
        except ValueError:
            seconds = math.nan
        if not seconds > 0:
            raise BadRequest(f"{DEADLINE}: must be a number of seconds above 0")
        return seconds

    def endpoint(self) -> str:
        """Return what the application calls the handler; never the path, which may hold what is personal."""
        return getattr(self.scope.get("endpoint"), "__name__", "")

    async def send(self, message: Message) -> None:
        """Send a part of the answer; its first one with the correlation id, and in time."""
        if message["type"] == "http.response.start":
            self.begun = True
            if not self.deadline.expired():
                self.deadline.reschedule(None)
            MutableHeaders(scope=message)[CORRELATION] = self.correlation_id
        await self._send(message)

    async def answer(self, answer: HttpAnswer) -> None:
        """Send the whole answer, unless one has begun: then the server breaks it off, since it stays unfinished."""
        if self.begun:
            return
        body = msgspec.json.encode(
            {"code": answer.code, "message": answer.message, "correlation_id": self.correlation_id}
        )
        await self._send(
            {"type": "http.response.start", "status": answer.status, "headers": self._answer_headers(answer, body)}
        )
        await self._send({"type": "http.response.body", "body": body})

    def _answer_headers(self, answer: HttpAnswer, body: bytes) -> list[tuple[bytes, bytes]]:
        headers: dict[str, str | int] = {
            "content-type": "application/json",
            "content-length": len(body),
            "cache-control": "no-store",
            CORRELATION: self.correlation_id,
        }
        if answer.retry_after_seconds is not None:
            headers["retry-after"] = answer.retry_after_seconds
        return [(name.encode(), str(value).encode()) for name, value in headers.items()]
