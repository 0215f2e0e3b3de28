"""Calling a task of ours by its name, and what a broker that is away raises."""

from typing import Any

from kombu.exceptions import BatchPublishError, OperationalError

from payments.borders.redis import failure_of_redis


def broker_errors(app: Any) -> tuple[type[Exception], ...]:  # noqa: ANN401 - Celery is untyped
    """Return what the transport of `app` raises when its server is away."""
    transport = app.connection_for_write().transport
    return (OperationalError, BatchPublishError, OSError, *transport.connection_errors, *transport.channel_errors)


def call_task(app: Any, name: str, delay_seconds: float, **told: int | bool) -> None:  # noqa: ANN401 - Celery is untyped
    """Queue one call of the task `name`. Raises QueueAway."""
    try:
        app.send_task(name, kwargs=told, countdown=delay_seconds or None)
    except broker_errors(app) as error:
        raise failure_of_redis(error, "send") from error
