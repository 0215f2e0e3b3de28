"""Celery's consumer, with a pulse, and sending task events to Flower in bundles.

Celery publishes the events of a task at the next turn of its loop, which under I/O-bound load is one PUBLISH, or three,
for every payment. A bundle every tenth of a second costs a few each second, and no reader of Flower sees a difference.
"""

import math
from typing import Any

from celery.worker.consumer import Consumer

from workers.pulse import mine

_BUNDLE_SECONDS = 0.1
_TURN_SECONDS = 1.0


class BundlingConsumer(Consumer):
    """Waits a moment before it sends buffered events. A full buffer (24 events) is sent at once, as ever."""

    _flush_is_due = False

    def register_with_event_loop(self, hub: Any) -> None:  # noqa: ANN401 - Celery is untyped
        """Note once a second that the event loop turns."""
        super().register_with_event_loop(hub)
        hub.call_repeatedly(_TURN_SECONDS, mine.turn)

    def perform_pending_operations(self) -> None:
        """Note that the loop turns, in pools without an event loop."""
        mine.turn()
        super().perform_pending_operations()

    def ensure_connected(self, conn: Any) -> Any:  # noqa: ANN401 - Celery is untyped
        """Connect, however long it takes: a worker that waits for Redis is not stuck."""
        mine.turn(math.inf)
        try:
            return super().ensure_connected(conn)
        finally:
            mine.turn()

    def on_send_event_buffered(self) -> None:
        """Plan one flush for all events of the next moment."""
        if self.hub and not self._flush_is_due:
            self._flush_is_due = True
            self.hub.call_later(_BUNDLE_SECONDS, self._flush_bundle)

    def _flush_bundle(self) -> None:
        self._flush_is_due = False
        self._flush_events()
