"""Celery's consumer, sending task events to Flower in bundles.

Celery publishes the events of a task at the next turn of its loop, which under I/O-bound load is one PUBLISH, or three,
for every payment. A bundle every tenth of a second costs a few each second, and no reader of Flower sees a difference.
"""

from celery.worker.consumer import Consumer

_BUNDLE_SECONDS = 0.1


class BundlingConsumer(Consumer):
    """Waits a moment before it sends buffered events. A full buffer (24 events) is sent at once, as ever."""

    _flush_is_due = False

    def on_send_event_buffered(self) -> None:
        """Plan one flush for all events of the next moment."""
        if self.hub and not self._flush_is_due:
            self._flush_is_due = True
            self.hub.call_later(_BUNDLE_SECONDS, self._flush_bundle)

    def _flush_bundle(self) -> None:
        self._flush_is_due = False
        self._flush_events()
