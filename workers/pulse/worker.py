"""What a Celery worker says of itself: a worker that is connected but takes no work while work is due is stuck."""

import time
from collections.abc import Callable
from typing import Any

from celery.worker import state

from config.celery import PROCESS_TASK
from workers.pulse.broker import BrokerLook
from workers.pulse.pulse import REDIS_AWAY, Notes

_GRACE_SECONDS = 5.0
"""Over the time limit of a task: by then a task that hangs has been ended, and another begun."""


class Progress:
    """When something last moved, and since when nothing has although there was something to do. Time is an argument."""

    def __init__(self, now: float) -> None:
        self._counts: tuple[int, ...] = ()
        self._idle_since = now
        self._moved_at = now

    def look(self, counts: tuple[int, ...], waiting: int | None, now: float) -> None:
        """Note how many have been begun and are at work, and how many messages wait; None: nobody knows."""
        if counts != self._counts:
            self._counts, self._moved_at = counts, now
        if self._moved_at == now or not waiting:
            self._idle_since = now

    def still_seconds(self, now: float) -> float:
        """Return since when nothing was begun or ended."""
        return now - self._moved_at

    def neglects_seconds(self, now: float) -> float:
        """Return since when nothing was begun or ended while messages waited all the time."""
        return now - self._idle_since


class WorkerReport:
    """Looks at Celery's own counts, and at the queues that this worker takes from. Called by the pulse's thread."""

    def __init__(
        self,
        app: Any,  # noqa: ANN401 - Celery is untyped
        pool: Any,  # noqa: ANN401 - likewise
        time_limit_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._queues = app.amqp.queues
        self._broker = BrokerLook(app)
        self._pool = pool
        self._patience_seconds = time_limit_seconds + _GRACE_SECONDS
        self._clock = clock
        self._all = Progress(clock())
        self._payments = Progress(clock())

    def __call__(self) -> Notes:
        """Return how this worker fares."""
        queued = self._broker.waiting(list(self._queues.consume_from))
        begun, active, now = state.all_total_count[0], len(state.active_requests), self._clock()
        in_hand = max(0, len(state.reserved_requests) - active)
        self._all.look((begun, active), None if queued is None else queued + in_hand, now)
        payments = state.total_count[PROCESS_TASK]
        self._payments.look((payments, active), None, now)
        return Notes(
            troubles=[REDIS_AWAY] if queued is None else [],
            numbers={
                "done": max(0, begun - active),
                "active": active,
                "concurrency": getattr(self._pool, "num_processes", 0) or 0,
                "payments": payments,
                "payments_still_seconds": round(self._payments.still_seconds(now), 1),
            },
            stuck=self._stuck(now),
            is_excused=queued is None,
        )

    def _stuck(self, now: float) -> str:
        seconds = self._all.neglects_seconds(now)
        if seconds <= self._patience_seconds:
            return ""
        return f"messages wait, and it has begun and ended no task for {seconds:.0f} s"
