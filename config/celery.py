"""What Celery is told, and why."""

from typing import Any

from kombu import Exchange, Queue

from config.schedule import is_whole_minutes, parse_schedule, schedule_of
from config.settings import Settings

PAYMENT_QUEUES = ("payments.stripe", "payments.razorpay", "payments.paypal", "payments.canonical")
MAINTENANCE_QUEUE = "maintenance"
DEAD_LETTER_QUEUE = "dead-letters"
QUEUES = (*PAYMENT_QUEUES, DEAD_LETTER_QUEUE, MAINTENANCE_QUEUE)

PROCESS_TASK = "payments.process"
SWEEP_TASK = "maintenance.sweep"
FORGET_TASK = "maintenance.forget"
REPLAY_TASK = "dead_letters.replay"
REPLAY_JOB_TASK = "dead_letters.work_on_job"
ARCHIVE_TASK = "dead_letters.archive"

ARCHIVE_SECONDS = 3600.0
FORGET_SECONDS = 60.0


def celery_options(settings: Settings) -> dict[str, Any]:
    """Return Celery's configuration."""
    return _messages() | _work(settings) | _broker(settings) | _beat(settings)


def _messages() -> dict[str, Any]:
    return {
        "accept_content": ["json"],
        "task_serializer": "json",
        "result_serializer": "json",
        "task_queues": [Queue(name, Exchange(name), routing_key=name) for name in QUEUES],
        "task_default_queue": MAINTENANCE_QUEUE,
        "task_create_missing_queues": False,
        "task_routes": {"maintenance.*": {"queue": MAINTENANCE_QUEUE}, "dead_letters.*": {"queue": DEAD_LETTER_QUEUE}},
        "task_ignore_result": True,  # the ledger is the result
        "task_send_sent_event": False,  # one event less a payment; Flower lives on the workers' own
        "worker_send_task_events": True,
        "enable_utc": True,
        "timezone": "UTC",
    }


def _work(settings: Settings) -> dict[str, Any]:
    return {
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,  # attempts are counted in SQL, so this cannot go round for ever
        "task_acks_on_timeout": False,  # Celery would drop the message of a task that met its hard limit
        "task_acks_on_failure_or_timeout": False,
        "task_soft_time_limit": settings.work.soft_time_limit_seconds,
        "task_time_limit": settings.work.time_limit_seconds,
        "worker_consumer": "workers.consumer:BundlingConsumer",
        "worker_concurrency": settings.work.concurrency,
        "worker_prefetch_multiplier": 4,  # wake-ups are cheap, and a lost one is sent again
        "worker_cancel_long_running_tasks_on_connection_loss": False,  # the fencing token guards the twin
        "worker_soft_shutdown_timeout": 3.0,
        "worker_hijack_root_logger": False,
        "worker_max_memory_per_child": 300_000,  # KiB
        "imports": ("tasks.payments", "tasks.maintenance", "tasks.dead_letters", "tasks.timing"),
    }


def _broker(settings: Settings) -> dict[str, Any]:
    redis = settings.redis
    return {
        "broker_url": redis.url or "redis://127.0.0.1:6379/0",
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,  # for ever: the inbox keeps what comes meanwhile
        "broker_channel_error_retry": True,  # a read-only replica after a fail-over is no reason to exit
        "broker_pool_limit": redis.max_connections,
        "broker_transport_options": {
            "visibility_timeout": settings.work.visibility_timeout_seconds,
            "unacked_restore_interval": 5,
            "unacked_restore_throttle": 1,
            "socket_connect_timeout": redis.socket_connect_timeout_seconds,
            "socket_timeout": redis.socket_timeout_seconds,
            "socket_keepalive": True,
            "health_check_interval": 5,
            "max_connections": redis.max_connections,
            "batch_publish": True,
            # whoever publishes is told at once: trying again is the sweeper's work, and Celery's for its own consumers
            "max_retries": 1,
            "interval_start": 0.2,
            "connect_retries_timeout": 1,
        },
    }


def _beat(settings: Settings) -> dict[str, Any]:
    entries = _entries(settings)
    watched = dict(_watched(name, entry) for name, entry in entries.items()) if watches_beat(settings) else {}
    return {"beat_schedule": entries | watched, "beat_max_loop_interval": 1}


def _entries(settings: Settings) -> dict[str, dict[str, Any]]:
    return {
        "sweep": _entry(SWEEP_TASK, schedule_of(settings.work.sweep_interval_seconds)),
        "replay": _entry(REPLAY_TASK, parse_schedule(settings.dead_letters.replay_schedule), is_tick=True),
        "archive": _entry(ARCHIVE_TASK, schedule_of(ARCHIVE_SECONDS)),
        "forget": _entry(FORGET_TASK, schedule_of(FORGET_SECONDS)),
    }


def _entry(task: str, schedule: Any, **told: bool) -> dict[str, Any]:  # noqa: ANN401 - Celery is untyped
    # ticks that nobody took do not pile up for ever; the clocks of beat and worker may differ by less
    return {"task": task, "schedule": schedule, "kwargs": told, "options": {"expires": 600}}


def watches_beat(settings: Settings) -> bool:
    """Return whether Sentry is to watch that beat's tasks run."""
    return settings.alerts.sentry_crons and settings.alerts.sentry_dsn is not None


def unwatched_entries(settings: Settings) -> list[str]:
    """Return the entries of beat that come too often for Sentry to watch."""
    return [name for name, entry in _entries(settings).items() if not is_whole_minutes(entry["schedule"])]


def _watched(name: str, entry: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the entry as it is watched: what it skips has failed. For one that comes too often, one a minute is."""
    watched = {**entry, "kwargs": {**entry["kwargs"], "is_watched": True}}
    if is_whole_minutes(entry["schedule"]):
        return name, watched
    return f"{name}-minute", {**watched, "schedule": schedule_of(_WATCHED_SECONDS)}


_WATCHED_SECONDS = 60.0
"""The least that Sentry can watch."""
