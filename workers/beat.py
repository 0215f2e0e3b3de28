"""Celery's scheduler, with a pulse."""

from typing import Any

from celery.beat import Scheduler

from workers.pulse import mine


class PulsingScheduler(Scheduler):
    """Keeps its schedule in memory, and notes each turn of its loop."""

    def tick(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - Celery's own
        """Send what is due."""
        mine.turn()
        return super().tick(*args, **options)

    def _ensure_connected(self) -> Any:  # noqa: ANN401 - Celery's own
        """Connect, however long it takes: a beat that waits for Redis is not stuck."""

        def not_yet(error: Exception, _interval_seconds: float) -> None:
            self.logger.error("beat cannot reach Redis, and tries again: %s", type(error).__name__)

        retries = self.app.conf.broker_connection_max_retries
        return self.connection.ensure_connection(not_yet, retries, callback=mine.turn)
