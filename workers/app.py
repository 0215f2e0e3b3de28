"""The Celery app: `celery -A workers.app worker`, `beat`, `flower`."""

from celery import Celery
from celery.signals import setup_logging

from config.celery import celery_options
from config.settings import load_settings
from workers.logs import configure_logs

app = Celery("payferry", set_as_current=True)
app.add_defaults(lambda: celery_options(load_settings()))


@setup_logging.connect
def _configure_logs(**_told: object) -> None:
    configure_logs(load_settings().log)
