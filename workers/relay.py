"""The relay: sends the outbox to Kafka. One of them is at work, the others stand by."""

import threading
from types import FrameType

from payments.failures import Postponed, Transient
from payments.flows.relay import relay_batch
from payments.ledger.outbox import Outbox
from payments.log_events import Tell
from payments.streams.publisher import StreamPublisher

_BATCH = 500
_IDLE_SECONDS = 0.2
_AFTER_FAILURE_SECONDS = 1.0


class Relay:
    """A loop over the outbox."""

    def __init__(self, outbox: Outbox, publisher: StreamPublisher, tell: Tell) -> None:
        self._outbox = outbox
        self._publisher = publisher
        self._tell = tell
        self._stopping = threading.Event()

    def stop(self, _signal: int = 0, _frame: FrameType | None = None) -> None:
        """Ask the loop to end after the batch in hand. Usable as a signal handler."""
        self._stopping.set()

    def run(self) -> None:
        """Send until `stop`."""
        self._tell("relay_started")
        while not self._stopping.is_set():
            try:
                self._take_turn()
            except Postponed as refusal:  # a breaker is open, and says for how long
                self._tell("relay_waits", code=refusal.code, seconds=refusal.retry_after_seconds)
                self._stopping.wait(max(_AFTER_FAILURE_SECONDS, refusal.retry_after_seconds))
            except Transient as failure:
                self._tell("relay_failed", code=failure.code, reason=failure.message)
                self._stopping.wait(_AFTER_FAILURE_SECONDS)
        self._tell("relay_stopped")

    def _take_turn(self) -> None:
        """Send for as long as the right to send is ours; stand by where another relay has it."""
        with self._outbox.turn() as is_mine:
            while not self._stopping.is_set() and is_mine():
                if relay_batch(self._outbox, self._publisher, _BATCH) < _BATCH:
                    self._stopping.wait(_IDLE_SECONDS)
        self._stopping.wait(_AFTER_FAILURE_SECONDS)
