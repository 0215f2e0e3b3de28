"""The Celery app: `celery -A workers.app worker`, `beat`, `flower`."""

from typing import Any

import structlog
from celery import Celery
from celery.signals import (
    beat_init,
    celeryd_init,
    setup_logging,
    worker_process_init,
    worker_process_shutdown,
    worker_ready,
    worker_shutdown,
)
from kombu.transport import TRANSPORT_ALIASES

from config.celery import celery_options, unwatched_entries, watches_beat
from config.settings import SettingsError, load_settings
from payments.alarms.alarms import flush_alarms
from payments.log_events import teller
from payments.tracing.tracer import flush_traces
from workers.logs import configure_logs
from workers.metrics.place import claim_place
from workers.pulse import mine
from workers.readiness import announce_ready

# The URL says redis:// as everywhere; this app reaches it through our transport, which keeps its clients.
TRANSPORT_ALIASES.update(dict.fromkeys(("redis", "rediss"), "payments.queue.transport:Transport"))

app = Celery("payferry", set_as_current=True)
app.add_defaults(lambda: celery_options(load_settings()))

_tell = teller(structlog.get_logger())


@celeryd_init.connect
def _require_servers(**_told: object) -> None:
    """End a worker that would otherwise ask servers which nobody named."""
    try:
        load_settings().require("REDIS_URL", "DATABASE_URL")
        claim_place(load_settings(), "worker")  # before any child is forked
    except SettingsError as error:
        raise SystemExit(f"payferry: {error}") from None


@setup_logging.connect
def _configure_logs(**_told: object) -> None:
    configure_logs(load_settings().log)


@beat_init.connect
def _keep_metrics(**_told: object) -> None:
    try:
        claim_place(load_settings(), "beat")
    except SettingsError as error:
        raise SystemExit(f"payferry: {error}") from None


@celeryd_init.connect
@worker_process_init.connect
@beat_init.connect
def _watch_for_sentry(**_told: object) -> None:
    """Let Sentry see what tasks raise and whether beat's run; in a worker before its tasks are traced, and its fork."""
    settings = load_settings()
    if settings.alerts.sentry_dsn is None:
        return
    from payments.alarms.celery_sentry import watch_celery  # noqa: PLC0415 - 0.5 s, only where there is a Sentry
    from payments.wiring import build_sentry  # noqa: PLC0415 - as above

    unwatched = unwatched_entries(settings) if watches_beat(settings) else None
    watch_celery(lambda integration: build_sentry(settings, _tell, integration), unwatched)


@worker_ready.connect
def _worker_is_ready(sender: Any, **_told: object) -> None:  # noqa: ANN401 - Celery's consumer
    """Give signs of life from now on: what was forked at the start gives none."""
    from workers.pulse.worker import WorkerReport  # noqa: PLC0415 - a worker's own

    settings = load_settings()
    mine.begin("worker", WorkerReport(app, sender.pool, settings.work.time_limit_seconds))
    announce_ready(settings.process)


@beat_init.connect
def _beat_is_ready(**_told: object) -> None:
    from workers.pulse.beat import BeatReport  # noqa: PLC0415 - beat's own

    mine.begin("beat", BeatReport(app))
    announce_ready(load_settings().process)


@worker_process_shutdown.connect
def _send_alarms(**_told: object) -> None:
    """Send what is left: the child of a pool ends by `os._exit`, without what is registered with atexit."""
    flush_alarms()


@worker_process_shutdown.connect
@worker_shutdown.connect
def _send_traces(**_told: object) -> None:
    """Send the spans that are left: those of a pool's child, or of a worker whose pool is of threads."""
    flush_traces()
