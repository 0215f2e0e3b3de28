"""How what is told is written: for people on a console, or as JSON for machines."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from config.settings import LogSettings

_NOISY = ("httpx", "kombu", "alembic", "celery.app.trace", "celery.worker.strategy", "celery.beat", "tornado.access")


def configure_logs(settings: LogSettings) -> None:
    """Send structlog and the standard library's loggers to stderr, in one form. Idempotent."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(settings.level.upper())),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=_last_steps(settings))
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.level.upper())
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)  # that the ledger is away is told by ourselves
    for noisy in _NOISY:
        logging.getLogger(noisy).setLevel(logging.WARNING)  # they say a line for every payment, or every byte


def _last_steps(settings: LogSettings) -> list[Any]:
    if settings.form == "json":
        return [_strip, structlog.processors.format_exc_info, _renderer(settings)]
    return [_strip, _renderer(settings)]


def _renderer(settings: LogSettings) -> Any:  # noqa: ANN401 - a structlog processor
    if settings.form == "json":
        return structlog.processors.JSONRenderer()
    # never rich's tracebacks: they show the locals of every frame, and a payment among them
    return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)


def _strip(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Take out what the standard library's formatter adds for itself."""
    event.pop("_record", None)
    event.pop("_from_structlog", None)
    return event
