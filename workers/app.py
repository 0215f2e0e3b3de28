"""The Celery app: `celery -A workers.app worker`, `beat`, `flower`."""

from celery import Celery
from celery.signals import beat_init, celeryd_init, setup_logging, worker_process_shutdown, worker_ready
from kombu.transport import TRANSPORT_ALIASES

from config.celery import celery_options
from config.settings import SettingsError, load_settings
from payments.alarms.alarms import flush_alarms
from workers.logs import configure_logs
from workers.readiness import announce_ready

# The URL says redis:// as everywhere; this app reaches it through our transport, which keeps its clients.
TRANSPORT_ALIASES.update(dict.fromkeys(("redis", "rediss"), "payments.queue.transport:Transport"))

app = Celery("payferry", set_as_current=True)
app.add_defaults(lambda: celery_options(load_settings()))


@celeryd_init.connect
def _require_servers(**_told: object) -> None:
    """End a worker that would otherwise ask servers which nobody named."""
    try:
        load_settings().require("REDIS_URL", "DATABASE_URL")
    except SettingsError as error:
        raise SystemExit(f"payferry: {error}") from None


@setup_logging.connect
def _configure_logs(**_told: object) -> None:
    configure_logs(load_settings().log)


@worker_ready.connect
@beat_init.connect
def _announce_ready(**_told: object) -> None:
    announce_ready(load_settings().process)


@worker_process_shutdown.connect
def _send_alarms(**_told: object) -> None:
    """Send what is left: the child of a pool ends by `os._exit`, without what is registered with atexit."""
    flush_alarms()
