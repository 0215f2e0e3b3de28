"""The sandbox's own pages: its health, its faults, its effects, and payments to begin with."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from payments.event import Provider
from workers.sandbox.book import Payment, State
from workers.sandbox.desk import Desk
from workers.sandbox.faults import Faults

_MAX_PAGE = 10_000


class Admin:
    """Answers under /sandbox. None of it is subject to faults."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def health(self, request: Request) -> Response:
        """Say that the sandbox serves."""
        del request
        return _json({"status": "ok", "effects": self._desk.log.next_seq - 1})

    async def show_faults(self, request: Request) -> Response:
        """Show every provider's faults."""
        del request
        return _json(self._desk.board.shown())

    async def put_faults(self, request: Request) -> Response:
        """Replace the faults of the providers named in the body: `{"stripe": {"latency_ms": 50}, "*": {}}`."""
        try:
            self._desk.board.change(_FAULTS.decode(await request.body()))
        except ValueError as error:  # msgspec's errors are such
            return _json({"error": str(error)}, 400)
        return _json(self._desk.board.shown())

    async def put_payment(self, request: Request) -> Response:
        """Make a payment known that came about elsewhere, with its amount and state."""
        try:
            seed = _SEED.decode(await request.body())
            provider = Provider(request.path_params["provider"])
        except ValueError as error:
            return _json({"error": str(error)}, 400)
        fields = msgspec.structs.asdict(seed)
        self._desk.book.put(Payment(provider=provider, payment_id=request.path_params["id"], **fields))
        return _json(fields)

    async def show_effects(self, request: Request) -> Response:
        """Show a page of effects: `?provider=&payment_id=&after=<seq>&limit=`."""
        asked = request.query_params
        try:
            after, limit = int(asked.get("after", 0)), min(int(asked.get("limit", 1000)), _MAX_PAGE)
        except ValueError as error:
            return _json({"error": str(error)}, 400)
        page = self._desk.log.page(
            provider=asked.get("provider"), payment_id=asked.get("payment_id"), after=after, limit=max(limit, 1)
        )
        return _json({"effects": page, "next_after": page[-1].seq if page else None})


class _Seed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A payment as it was left elsewhere. Seeds are no effects, and are gone after a restart."""

    amount_minor: int
    currency: str
    state: State = State.AUTHORIZED
    captured_minor: int | None = None


def _json(body: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(body), status, media_type="application/json")


_FAULTS = msgspec.json.Decoder(dict[str, Faults])
_SEED = msgspec.json.Decoder(_Seed)
