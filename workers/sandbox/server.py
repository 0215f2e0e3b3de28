"""The sandbox as a process."""

import asyncio
from pathlib import Path

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from workers.sandbox.app import build_app
from workers.sandbox.faults import Faults

_KEEP_ALIVE_SECONDS = 75
"""Longer than any client of ours keeps a connection unused, so that the client is the one that closes it."""


class DroppableProtocol(H11Protocol):
    """A connection that a handler can close without an answer, by `scope["state"]["drop"]`."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Offer the way to close this connection to whatever is served on it."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, "drop": transport.abort}


def serve(host: str, port: int, faults: Faults, effects_path: Path | None) -> None:
    """Serve until SIGINT or SIGTERM. `effects_path` None keeps the effects in memory only."""
    config = uvicorn.Config(
        build_app(faults, effects_path),
        host=host,
        port=port,
        http=DroppableProtocol,
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=1,  # answers that are held back are never coming
    )
    uvicorn.Server(config).run()
