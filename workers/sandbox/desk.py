"""Where requests are served: what goes wrong first, then the key, then the work, then the answer."""

import asyncio
import time
from datetime import UTC, datetime

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from payments.event import Provider
from workers.sandbox.book import Ask, Book, Payment, Problem
from workers.sandbox.dialect import Dialect, Incoming, Spoken
from workers.sandbox.effects import Action, Effect, EffectLog, Entry
from workers.sandbox.faults import FaultBoard, Plan, Verb
from workers.sandbox.keys import Keys, Stored

_LONGEST_HOLD_SECONDS = 120
"""How long an answer is kept back from a client that does not hang up."""

_MAX_BODY_BYTES = 1 << 16


class Desk:
    """The sandbox's state and the one way through it. Everything between two awaits is one step: no locks."""

    def __init__(self, board: FaultBoard, log: EffectLog) -> None:
        self.board = board
        self.log = log
        self.book = Book()
        self._keys = Keys()
        for entry in log.recover():
            self.book.apply(entry.effect)
            self._keys.store(entry.provider, entry.idempotency_key, _stored(entry))

    async def step(self, dialect: Dialect, action: Action, request: Request) -> Response:
        """Serve a request that wants something done."""
        incoming = await _incoming(request)
        if "authorization" not in request.headers:
            return _response(dialect.problem(Problem.UNAUTHENTICATED))
        try:
            ask = dialect.ask(action, incoming)
            plan = self._plan(request, dialect.provider, action.value, ask.target_id)
        except ValueError:
            return _response(dialect.problem(Problem.MALFORMED, action))
        if not self.board.of(dialect.provider).strict:
            self.book.meet(ask)
        refused = await self._refused(dialect, plan, request)
        return refused or await self._keyed(dialect, ask, plan, request)

    async def view(self, dialect: Dialect, view: str, request: Request) -> Response:
        """Serve a request that only asks."""
        target_id = request.path_params["id"]
        if "authorization" not in request.headers:
            return _response(dialect.problem(Problem.UNAUTHENTICATED))
        try:
            plan = self._plan(request, dialect.provider, "stand", target_id)
        except ValueError:
            return _response(dialect.problem(Problem.MALFORMED))
        refused = await self._refused(dialect, plan, request)
        if refused is not None:
            return refused
        await asyncio.sleep(plan.latency_seconds)
        payment = self._find(dialect, target_id)
        if payment is None and self.board.of(dialect.provider).strict:
            return _response(dialect.problem(Problem.NOT_FOUND))
        return _response(dialect.shown(view, target_id, payment, request.query_params))

    def _find(self, dialect: Dialect, target_id: str) -> Payment | None:
        known = self.book.find(dialect.provider, target_id)
        return known or self.book.find(dialect.provider, dialect.root_of(target_id))

    def _plan(self, request: Request, provider: Provider, verb: Verb, target_id: str) -> Plan:
        """Return what befalls the request; an id of a later step counts as the payment that it belongs to."""
        payment = self.book.find(provider, target_id)
        payment_id = target_id if payment is None else payment.payment_id
        return self.board.plan(provider, verb, payment_id, request.headers.get("x-sandbox-fault"))

    async def _refused(self, dialect: Dialect, plan: Plan, request: Request) -> Response | None:
        """Return the answer of a provider that does not get to work, or None where it does."""
        if plan.drop_before_effect:
            return Dropped(request)
        if plan.status is None:
            return None
        await asyncio.sleep(plan.latency_seconds)
        response = _response(dialect.failed(plan.status))
        if plan.retry_after_seconds is not None:
            response.headers["retry-after"] = str(plan.retry_after_seconds)
        return response

    async def _keyed(self, dialect: Dialect, ask: Ask, plan: Plan, request: Request) -> Response:
        """Answer as before where the key is known, and otherwise do the work with the key held."""
        found = self._keys.find(ask)
        if isinstance(found, Problem):
            return _response(dialect.problem(found, ask.action))
        if found is not None:
            await asyncio.sleep(plan.latency_seconds)
            return Response(found.body, found.status, {"idempotent-replayed": "true"}, _JSON)
        self._keys.hold(ask)
        try:
            await asyncio.sleep(plan.latency_seconds)
            response = self._worked(dialect, ask, plan)
        finally:
            self._keys.release(ask)
        return Held(request) if plan.hold_after_effect else response

    def _worked(self, dialect: Dialect, ask: Ask, plan: Plan) -> Response:
        """Decide, do and answer, without a pause in between."""
        payment, faults = self.book.payment_of(ask), self.board.of(dialect.provider)
        problem = self.book.problem(ask, faults)
        if problem is not None:
            spoken = dialect.problem(problem, ask.action, payment)
            return self._answered(ask, spoken) if faults.keep_refusals else _response(spoken)
        if plan.decline_code is not None and ask.action in {Action.AUTHORIZE, Action.CAPTURE}:
            if ask.action is Action.AUTHORIZE:
                payment.decline_code = plan.decline_code
            return self._answered(ask, dialect.declined(ask.action, payment, plan.decline_code))
        return self._done(dialect, ask, payment)

    def _done(self, dialect: Dialect, ask: Ask, payment: Payment) -> Response:
        """Let the effect take place and write it down together with its answer."""
        effect = self._effect(dialect, ask, payment)
        changed = self.book.apply(effect)
        spoken = dialect.done(ask.action, changed, effect.amount_minor)
        fields, answer = msgspec.structs.asdict(effect), msgspec.Raw(_ENCODER.encode(spoken.body))
        self.log.append(Entry(**fields, fingerprint=ask.fingerprint, status=spoken.status, answer=answer))
        return self._answered(ask, spoken)

    def _effect(self, dialect: Dialect, ask: Ask, payment: Payment) -> Effect:
        return Effect(
            seq=self.log.next_seq,
            at=datetime.fromtimestamp(time.time(), UTC).isoformat(),
            provider=ask.provider,
            payment_id=payment.payment_id,
            action=ask.action,
            amount_minor=self._amount_minor(ask, payment),
            currency=ask.currency or payment.currency,
            reference_id=dialect.reference(ask.action, payment),
            idempotency_key=ask.key,
        )

    def _amount_minor(self, ask: Ask, payment: Payment) -> int | None:
        """Return what is moved: what was asked for, or else all that is there; a fault may capture another amount."""
        amount = _whole(payment, ask.action) if ask.amount_minor is None else ask.amount_minor
        if amount is None or ask.action is not Action.CAPTURE:
            return amount
        return max(1, amount + self.board.of(ask.provider).capture_extra_minor)

    def _answered(self, ask: Ask, spoken: Spoken) -> Response:
        """Keep the answer under its key, and give it."""
        response = _response(spoken)
        self._keys.store(ask.provider, ask.key, Stored(ask.fingerprint, spoken.status, bytes(response.body)))
        return response


class Dropped(Response):
    """No answer: the connection is closed."""

    def __init__(self, request: Request) -> None:
        super().__init__()
        self._request = request

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Close the connection and wait until the server has seen it."""
        del send
        scope["state"]["drop"]()
        while (await receive())["type"] != "http.disconnect":
            pass


class Held(Dropped):
    """No answer for a long time; the connection is closed in the end."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wait until the client hangs up."""
        try:
            async with asyncio.timeout(_LONGEST_HOLD_SECONDS):
                while (await receive())["type"] != "http.disconnect":
                    pass
        except TimeoutError:
            await super().__call__(scope, receive, send)


async def _incoming(request: Request) -> Incoming:
    """Read the request, up to the size that any real one has."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_BODY_BYTES:
            break
    return Incoming(request.url.path, request.path_params.get("id", ""), request.headers, bytes(body))


def _whole(payment: Payment, action: Action) -> int | None:
    """Return the amount of a step that names none: all that is there."""
    if action is Action.REFUND and payment.captured_minor is not None:
        return payment.captured_minor - payment.refunded_minor
    return payment.amount_minor


def _response(spoken: Spoken) -> Response:
    return Response(_ENCODER.encode(spoken.body), spoken.status, media_type=_JSON)


def _stored(entry: Entry) -> Stored:
    return Stored(entry.fingerprint, entry.status, bytes(entry.answer))


_JSON = "application/json"
_ENCODER = msgspec.json.Encoder()
