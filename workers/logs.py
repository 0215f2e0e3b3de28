"""How what is told is written: for people on a console, or as JSON for machines."""

import logging
import sys
import threading
from collections.abc import MutableMapping
from types import TracebackType
from typing import Any

import structlog

from config.settings import LogSettings
from payments.correlation import correlation_here
from payments.redaction import redacted
from payments.stack import stack_of

OURS = "payferry"
"""The standard library's logger that all our own events go through; every other one is a library's."""


def configure_logs(settings: LogSettings) -> None:
    """Send our events, what libraries log, and what nobody has caught to stderr, in one form. Idempotent.

    Libraries speak from warning on, however much we say: below that they have a line for every payment, or every byte.
    """
    structlog.configure(
        processors=[*_BOTH, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(settings.level.upper())),
        logger_factory=_our_logger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    foreign = [structlog.stdlib.add_logger_name, *_BOTH, _redact]
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=foreign, processors=[_strip, _without_values, _renderer(settings)]
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(logging.WARNING, _level(settings)))
    logging.getLogger(OURS).setLevel(_level(settings))
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)  # that the ledger is away is told by ourselves
    _catch_what_nobody_has()


def _level(settings: LogSettings) -> int:
    return logging.getLevelNamesMapping()[settings.level.upper()]


def _our_logger(*_told: object) -> logging.Logger:
    return logging.getLogger(OURS)


def _catch_what_nobody_has() -> None:
    """Log uncaught exceptions and warnings as all else: Python's own words for them quote whatever they are about."""
    logging.captureWarnings(True)
    sys.excepthook = _tell_uncaught
    threading.excepthook = lambda told: _tell_uncaught(told.exc_type, told.exc_value, told.exc_traceback)


def _tell_uncaught(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt) or error is None:
        sys.__excepthook__(kind, error or kind(), trace)
    else:
        logging.getLogger("python").critical("uncaught", exc_info=error)


def _renderer(settings: LogSettings) -> Any:  # noqa: ANN401 - a structlog processor
    if settings.form == "json":
        return structlog.processors.JSONRenderer()
    return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())


def _add_matter(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Name what the work under way here is about, also where a library tells something of it."""
    if (correlation_id := correlation_here()) is not None:
        event.setdefault("correlation_id", correlation_id)
    return event


def _redact(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Take out of a library's text what can be told to be personal or secret by its looks."""
    event["event"] = redacted(str(event["event"]), at_most=_MOST_OF_A_LIBRARY)
    return event


_MOST_OF_A_LIBRARY = 2000
"""Characters of one text."""


def _without_values(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Tell an exception by its type and the places in the code: its text, or that of a cause, may quote a payment."""
    told = event.pop("exc_info", None)
    error = told[1] if isinstance(told, tuple) else sys.exc_info()[1] if told is True else told
    if isinstance(error, BaseException):
        event["exception"] = type(error).__name__
        event["stack"] = stack_of(error)
    return event


_BOTH: tuple[Any, ...] = (
    structlog.contextvars.merge_contextvars,
    _add_matter,
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
)
"""What is added to our events and to the libraries' lines alike."""


def _strip(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Take out what the standard library's formatter adds for itself."""
    event.pop("_record", None)
    event.pop("_from_structlog", None)
    return event
