"""The sandbox as one ASGI application."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from workers.sandbox.admin import Admin
from workers.sandbox.canonical import CanonicalDialect
from workers.sandbox.desk import Desk
from workers.sandbox.dialect import Dialect
from workers.sandbox.effects import Action, EffectLog
from workers.sandbox.faults import FaultBoard, Faults
from workers.sandbox.paypal import PayPalDialect
from workers.sandbox.razorpay import RazorpayDialect
from workers.sandbox.stripe import StripeDialect

Handler = Callable[[Request], Awaitable[Response]]


def build_app(faults: Faults, effects_path: Path | None) -> Starlette:
    """Return the application: all providers under one address, as their paths differ.

    It reads `effects_path` back, so it knows what an earlier run did. One process at a time may have the file.
    """
    desk = Desk(FaultBoard(faults), EffectLog(effects_path))
    dialects: list[Dialect] = [StripeDialect(), RazorpayDialect(), PayPalDialect(), CanonicalDialect()]
    routes = [route for dialect in dialects for route in _routes(desk, dialect)]
    return Starlette(routes=[*routes, *_admin_routes(Admin(desk))])


def _routes(desk: Desk, dialect: Dialect) -> list[Route]:
    steps = [Route(path, _step(desk, dialect, action), methods=["POST"]) for path, action in dialect.steps.items()]
    views = [Route(view, _view(desk, dialect, view), methods=["GET"]) for view in dialect.views]
    return [*steps, *views]


def _step(desk: Desk, dialect: Dialect, action: Action) -> Handler:
    async def handle(request: Request) -> Response:
        return await desk.step(dialect, action, request)

    return handle


def _view(desk: Desk, dialect: Dialect, view: str) -> Handler:
    async def handle(request: Request) -> Response:
        return await desk.view(dialect, view, request)

    return handle


def _admin_routes(admin: Admin) -> list[Route]:
    return [
        Route("/sandbox/health", admin.health, methods=["GET"]),
        Route("/sandbox/faults", admin.show_faults, methods=["GET"]),
        Route("/sandbox/faults", admin.put_faults, methods=["PUT"]),
        Route("/sandbox/effects", admin.show_effects, methods=["GET"]),
        Route("/sandbox/payments/{provider}/{id}", admin.put_payment, methods=["PUT"]),
    ]
