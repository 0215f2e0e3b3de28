"""A Celery app as ours is set, on a test's own queue."""

from celery import Celery

from config.celery import celery_options
from config.settings import Settings


def queue_app(redis_url: str) -> Celery:
    """Return the app; close it when done."""
    app = Celery("test", set_as_current=False)
    app.conf.update(celery_options(Settings()) | {"broker_url": redis_url})
    return app
