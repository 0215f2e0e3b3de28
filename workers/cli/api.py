"""`payferry api`: the gRPC API."""

import asyncio
import secrets

from config.settings import ApiClient, Grant, Settings, digest_of, load_settings
from workers.cli.terminal.console import error_console
from workers.logs import configure_logs
from workers.metrics.place import claim_place
from workers.pulse.heart import beating
from workers.pulse.pulse import Pulse
from workers.readiness import announce_ready


def api() -> None:
    """Serve payments over gRPC. Stops cleanly on SIGTERM.

    Without API_TOKENS it makes a token up, prints it, and takes it until it ends.
    """
    settings = load_settings()
    configure_logs(settings.log)
    settings.require("DATABASE_URL")
    claim_place(settings, "api")
    clients = settings.api.clients() or (_made_up_client(is_local=settings.api.host in _LOCAL),)
    asyncio.run(_serve(settings, clients))


_LOCAL = frozenset({"127.0.0.1", "::1", "localhost"})
_TURN_SECONDS = 1.0


async def _serve(settings: Settings, clients: tuple[ApiClient, ...]) -> None:
    from workers.api.building import api_server  # noqa: PLC0415 - grpc, which no other verb of a server needs in memory

    server = api_server(settings, clients)
    with beating(settings, "api") as pulse:
        pulse.report_by(server.report)
        turning = asyncio.ensure_future(_turn(pulse))
        await server.run(lambda _port: announce_ready(settings.process, pulse))
        turning.cancel()


async def _turn(pulse: Pulse) -> None:
    """Note that the event loop turns."""
    while True:
        pulse.turn()
        await asyncio.sleep(_TURN_SECONDS)  # far below what is taken for stuck


def _made_up_client(*, is_local: bool) -> ApiClient:
    """Return a client whose token is printed. Where others can reach the port, it sees no e-mails."""
    token = secrets.token_urlsafe(24)
    grants = frozenset(Grant) if is_local else frozenset({Grant.READ, Grant.ADMIN})
    error_console().print(
        f"API_TOKENS is not set. Until this process ends, this token may call ({'+'.join(sorted(grants))}): {token}",
        soft_wrap=True,
    )
    return ApiClient(name="made-up", grants=grants, digest=digest_of(token))
