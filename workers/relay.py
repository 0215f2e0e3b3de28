"""The relay: sends the outbox to Kafka. Any number of them share the work, by lanes."""

import threading
from collections.abc import Callable, Sequence
from types import FrameType

import msgspec

from payments.failures import CircuitOpen, Postponed, PublishFailed, Transient
from payments.flows.relay import RelayDesk, Relayed, relay_batch
from payments.ledger.bell import Attention
from payments.ledger.lanes import Share
from workers.pulse.pulse import DATABASE_AWAY, KAFKA_AWAY, Notes


class RelayPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How the relay goes about its work."""

    batch_size: int = 500
    timer_seconds: float = 1.0
    """For so long a relay with nothing to do waits for the bell; then it looks by itself."""
    report_seconds: float = 60.0
    after_failure_seconds: float = 1.0
    """Before a ledger that gave no answer is asked again."""


def _nothing(_rest_seconds: float = 0.0) -> None: ...


class Relay:
    """A loop over the outbox. `turned` is called after each turn, with the seconds for which it means to rest."""

    def __init__(
        self,
        desk: RelayDesk,
        policy: RelayPolicy = RelayPolicy(),  # noqa: B008 - frozen
        turned: Callable[[float], object] = _nothing,
    ) -> None:
        self._desk = desk
        self._turned = turned
        self._is_cut_off = False
        self._policy = policy
        self._tell = desk.tell
        self._stopping = threading.Event()
        self._attention = Attention(desk.bell, self._stopping, policy.timer_seconds, desk.clock)
        self._lanes: Sequence[int] = ()
        self._reports = _Reports(desk, policy.report_seconds)

    def stop(self, _signal: int = 0, _frame: FrameType | None = None) -> None:
        """Ask the loop to end after the batch in hand. Usable as a signal handler."""
        self._stopping.set()

    def run(self) -> None:
        """Send until `stop`."""
        self._tell("relay_started", topics=self._desk.sends_to)
        while not self._stopping.is_set():
            try:
                with self._desk.lanes.shared() as share:
                    self._send_while_ours(share)
            except Postponed as refusal:  # the ledger's breaker is open, and says for how long
                self._tell("relay_waits", code=refusal.code, seconds=refusal.retry_after_seconds)
                self._rest(refusal.retry_after_seconds)
            except Transient as failure:
                self._tell("relay_failed", code=failure.code, reason=failure.message)
                self._rest()
        self._desk.bell.close()
        self._reports.tell()
        self._tell("relay_stopped")

    def report(self) -> Notes:
        """Return what is in its way. May be asked from any thread."""
        failing = self._desk.topics.failing()
        told = [f"{topic} takes nothing" for topic in failing]
        away = [*([DATABASE_AWAY] if self._is_cut_off else []), *([KAFKA_AWAY] if failing else [])]
        return Notes(troubles=[*told, *away], numbers={"lanes": len(self._lanes)})

    def _rest(self, at_least_seconds: float = 0.0) -> None:
        """Wait before the ledger is asked again, since it did not answer."""
        seconds = max(self._policy.after_failure_seconds, at_least_seconds)
        self._is_cut_off = True
        self._turned(seconds)
        self._stopping.wait(seconds)

    def _send_while_ours(self, share: Share) -> None:
        """Send batch after batch of the lanes that are ours; nothing is in flight while they are looked after."""
        while not self._stopping.is_set():
            self._note_lanes(share.lanes(self._desk.clock()))
            read = self._send_batch()
            self._is_cut_off = False
            self._turned(0.0)
            self._raise_alarms()
            self._reports.tell_if_due()
            if read < self._policy.batch_size:
                self._wait(read)

    def _send_batch(self) -> int:
        """Send one batch, and return how many letters were read for it."""
        desk, since = self._desk, self._desk.clock()
        resting = desk.topics.resting(since)
        relayed = relay_batch(desk.outbox, desk.publisher, self._policy.batch_size, self._lanes, resting, desk.outdate)
        now = desk.clock()
        if relayed.read:
            self._tell("relay_batch_sent", sent=relayed.sent_to, batch_seconds=round(now - since, 4))
        for buried in relayed.buried:
            self._tell(
                "event_refused",
                topic=buried.letter.topic,
                code=buried.code,
                dead_letter=buried.dead_letter_id,
                correlation_id=buried.letter.correlation_id,
            )
        for topic, failure in relayed.failures.items():
            self._let_rest(topic, failure, since, now)
        self._note_well(relayed, now)
        return relayed.read

    def _let_rest(self, topic: str, failure: PublishFailed | CircuitOpen, since: float, now: float) -> None:
        """Leave the topic alone for a while; while the breaker is open, for as long as that."""
        told = failure.retry_after_seconds if isinstance(failure, CircuitOpen) else 0.0
        seconds = round(self._desk.topics.failed(topic, failure.code, since, now, told), 3)
        if isinstance(failure, CircuitOpen):
            self._tell("relay_waits", topic=topic, code=failure.code, seconds=seconds)
        else:
            self._tell("relay_failed", topic=topic, code=failure.code, reason=failure.message, seconds=seconds)

    def _note_well(self, relayed: Relayed, now: float) -> None:
        """Note which topics take what they are given, or have nothing more to take."""
        topics = self._desk.topics
        asked = (*relayed.failures, *relayed.well)
        nothing_left = topics.unasked(asked, now) if relayed.read < self._policy.batch_size else ()
        for topic in (*relayed.well, *nothing_left):
            if (lasted := topics.succeeded(topic, now)) is not None:
                self._tell("publisher_recovered", topic=topic, seconds=round(lasted, 1))

    def _raise_alarms(self) -> None:
        for topic, code, lasted in self._desk.topics.alarms(self._desk.clock()):
            self._tell("publisher_outage", topic=topic, code=code, seconds=round(lasted, 1))

    def _wait(self, read: int) -> None:
        """Wait until there may be something to send."""
        if read:
            self._attention.rouse()
        self._attention.wait()

    def _note_lanes(self, lanes: Sequence[int]) -> None:
        if lanes != self._lanes:
            self._tell("relay_lanes", lanes=len(lanes))
        self._lanes = lanes


class _Reports:
    """Tells how the publisher fares, from time to time, where there was anything to publish."""

    def __init__(self, desk: RelayDesk, every_seconds: float) -> None:
        self._desk = desk
        self._every_seconds = every_seconds
        self._told_at = desk.clock()
        self._told = 0

    def tell_if_due(self) -> None:
        """Tell, unless it was told less than `every_seconds` ago."""
        if self._desk.clock() - self._told_at >= self._every_seconds:
            self.tell()

    def tell(self) -> None:
        """Tell, unless nothing was tried since."""
        self._told_at = self._desk.clock()
        report = self._desk.publisher.report()
        if report.published + report.failed != self._told:
            self._told = report.published + report.failed
            self._desk.tell("publisher_report", **report.told())
