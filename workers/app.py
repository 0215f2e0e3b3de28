"""The Celery app: `celery -A workers.app worker`, `beat`, `flower`."""

from celery import Celery
from celery.signals import beat_init, setup_logging, worker_ready
from kombu.transport import TRANSPORT_ALIASES

from config.celery import celery_options
from config.settings import load_settings
from workers.logs import configure_logs
from workers.readiness import announce_ready

# The URL says redis:// as everywhere; this app reaches it through our transport, which keeps its clients.
TRANSPORT_ALIASES.update(dict.fromkeys(("redis", "rediss"), "payments.queue.transport:Transport"))

app = Celery("payferry", set_as_current=True)
app.add_defaults(lambda: celery_options(load_settings()))


@setup_logging.connect
def _configure_logs(**_told: object) -> None:
    configure_logs(load_settings().log)


@worker_ready.connect
@beat_init.connect
def _announce_ready(**_told: object) -> None:
    announce_ready(load_settings().process)
