"""The monitor as a process."""

import socket
from collections.abc import Callable
from pathlib import Path

import uvicorn

from config.celery import ARCHIVE_SECONDS, FORGET_SECONDS
from config.settings import Settings
from payments.failures import ConfigurationError
from payments.log_events import Tell
from workers.metrics.exposition import MachineCollector
from workers.monitor.app import build_app
from workers.monitor.building import surveyor_of
from workers.monitor.verdict import VerdictPolicy
from workers.monitor.watch import Watch

_STOP_SECONDS = 2


def serve(settings: Settings, tell: Tell, ready: Callable[[], object]) -> None:
    """Serve until SIGTERM or SIGINT; `ready` is called once requests are taken. Raises ConfigurationError."""
    with listening(settings.monitor.address, settings.monitor.port) as port, surveyor_of(settings, tell) as surveyor:
        watch = Watch(surveyor.look, verdict_policy(settings), settings.monitor.survey_seconds)
        watch.start()
        folder = settings.metrics.folder
        app = build_app(watch, tell, [MachineCollector(Path(folder))] if folder else [])
        ready()
        uvicorn.Server(_config(app)).run(sockets=[port])
        watch.stop()


def verdict_policy(settings: Settings) -> VerdictPolicy:
    """Return what counts as well."""
    return VerdictPolicy(
        required_roles=settings.monitor.roles,
        schedules={
            "sweep": f"{max(1.0, settings.work.sweep_interval_seconds):g}",
            "replay": settings.dead_letters.replay_schedule,
            "archive": f"{ARCHIVE_SECONDS:g}",
            "feed": f"{FORGET_SECONDS:g}",
        },
    )


def listening(address: str, port: int) -> socket.socket:
    """Return a socket that listens there. Raises ConfigurationError, which names the settings."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        return socket.create_server((address, port), family=family)
    except OSError as error:
        problem = f"MONITOR_ADDRESS, MONITOR_PORT: cannot listen on {address}:{port}: {error.strerror}"
    raise ConfigurationError(problem, service="monitor")


def _config(app: object) -> uvicorn.Config:
    return uvicorn.Config(
        app,  # type: ignore[arg-type]  # an ASGI application
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_STOP_SECONDS,
    )
