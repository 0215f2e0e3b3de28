"""What stands around our tools where the work is traced: each call of theirs is a span, and they know nothing of it.

Spans of a record hang on each other across processes by what is written beside it: `bridge.take` in the row of the
inbox, `ledger.settle` in the headers of the announcement, `relay.send` in those of the message.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import TypeVar

import msgspec

from payments.correlation import correlation_here
from payments.envelope import Record, correlation_token, trace_parent
from payments.failures import PublishFailed, PublishRefused
from payments.flows.intake import Entrance, Taken
from payments.flows.relay import Publisher
from payments.gateway.gateway import Gateway
from payments.gateway.result import Answer, Charge, Standing, Verb
from payments.ledger.claims import Claim
from payments.ledger.database import Database
from payments.ledger.dead_letters.burial import Burial
from payments.ledger.settlements import Announcement, Booking, Decline, Ended, Settlements
from payments.ledger.state import State
from payments.saga import Line
from payments.streams.publisher import Outgoing
from payments.streams.publisher_report import PublisherReport
from payments.tracing.tracer import Fact, Span, Tracer

T = TypeVar("T")


def span_of(tracer: Tracer, claim: Claim) -> AbstractContextManager[Span]:
    """Return the span of one try to work off an event. One that was taken in untraced begins a trace, by its id."""
    event = claim.event
    facts = {
        "provider": event.provider,
        "payment_id": event.payment_id,
        "event_id": event.event_id,
        "kind": event.kind,
        "attempt": claim.attempts,
        "correlation_id": claim.correlation_id,
    }
    seed = f"{event.provider}/{event.event_id}"
    return tracer.span("payment.process", facts, parent=claim.trace_parent, seed=seed)


def about_here(tracer: Tracer) -> dict[str, str]:
    """Return the headers that name what a request is about, where it is about anything and a header can hold it."""
    told = {"X-Correlation-Id": correlation_token(correlation_here()), _TRACE_PARENT: tracer.trace_parent()}
    return {name: value for name, value in told.items() if value is not None}


class TracedIntake:
    """The bridge's intake. Each record of a batch has a span over the whole batch, which is written beside it.

    A batch that cannot be taken in leaves none: it will be tried again. What is brought again by Kafka has a span for
    each time, in the same trace.
    """

    def __init__(self, intake: Entrance, tracer: Tracer, now_ns: Callable[[], int] = time.time_ns) -> None:
        self._intake = intake
        self._tracer = tracer
        self._now_ns = now_ns

    def take(self, records: Sequence[Record]) -> Taken:
        """Take the records in."""
        since_ns = self._now_ns()
        spans = [self._begin(record, since_ns) for record in records]
        under = [
            msgspec.structs.replace(record, taken_under=span.trace_parent)
            for record, span in zip(records, spans, strict=True)
        ]
        taken = self._intake.take(under)
        for place in taken.undecodable:
            spans[place].tell(undecodable=True)
        for span in spans:
            span.end()
        return taken

    def _begin(self, record: Record, since_ns: int) -> Span:
        facts: dict[str, Fact] = {
            "topic": record.topic,
            "partition": record.partition,
            "offset": record.offset,
            "correlation_id": record.correlation_id,
        }
        seed = f"{record.topic}/{record.partition}/{record.offset}"
        return self._tracer.begin("bridge.take", facts, parent=record.trace_parent, seed=seed, since_ns=since_ns)


class TracedGateway:
    """A provider's gateway."""

    def __init__(self, gateway: Gateway, provider: str, tracer: Tracer) -> None:
        self._gateway = gateway
        self._provider = provider
        self._tracer = tracer

    @property
    def keeps_errors(self) -> bool:
        """Whether the provider keeps an error under its key."""
        return self._gateway.keeps_errors

    def authorize(self, charge: Charge, idempotency_key: str) -> Answer:
        """Reserve the amount."""
        return self._answered("authorize", self._gateway.authorize, charge, idempotency_key)

    def capture(self, charge: Charge, idempotency_key: str) -> Answer:
        """Take the reserved amount."""
        return self._answered("capture", self._gateway.capture, charge, idempotency_key)

    def void(self, charge: Charge, idempotency_key: str) -> Answer:
        """Give the reservation back."""
        return self._answered("void", self._gateway.void, charge, idempotency_key)

    def refund(self, charge: Charge, idempotency_key: str) -> Answer:
        """Give a captured amount back."""
        return self._answered("refund", self._gateway.refund, charge, idempotency_key)

    def stand(self, charge: Charge) -> Standing | None:
        """Return how the payment stands."""
        with self._span("stand", charge) as span:
            standing = self._gateway.stand(charge)
            span.tell(stage=standing.stage if standing else "unknown")
        return standing

    def _answered(self, verb: Verb, ask: Callable[[Charge, str], Answer], charge: Charge, key: str) -> Answer:
        with self._span(verb, charge) as span:
            answer = ask(charge, key)
            span.tell(verdict=answer.verdict, code=answer.code)
        return answer

    def _span(self, operation: str, charge: Charge) -> AbstractContextManager[Span]:
        return self._tracer.span(f"gateway.{operation}", {"provider": self._provider, "payment_id": charge.payment_id})


class TracedSettlements(Settlements):
    """Ending an event, and announcing it with the place of that in its trace."""

    def __init__(self, database: Database, tracer: Tracer) -> None:
        super().__init__(database)
        self._tracer = tracer

    def book(
        self,
        claim: Claim,
        state: State,
        booking: Booking,
        news: Announcement,
        *,
        lines: Sequence[Line] = (),
        decline: Decline | None = None,
    ) -> Ended | None:
        """End the event as `state`, with its books."""
        with self._settle(claim, state):
            return super().book(claim, state, booking, self._placed(news), lines=lines, decline=decline)

    def close(self, claim: Claim, state: State) -> Ended | None:
        """End the event as `state`, changing nothing else."""
        with self._settle(claim, state):
            return super().close(claim, state)

    def bury(self, claim: Claim, burial: Burial, *, lines: Sequence[Line] = ()) -> Ended | None:
        """End the event as dead."""
        with self._settle(claim, State.DEAD):
            return super().bury(claim, burial, lines=lines)

    def bury_booked(
        self, claim: Claim, burial: Burial, booking: Booking, news: Announcement, *, lines: Sequence[Line] = ()
    ) -> Ended | None:
        """End the event as dead, with the books of what was done and taken back."""
        with self._settle(claim, State.DEAD):
            return super().bury_booked(claim, burial, booking, self._placed(news), lines=lines)

    def _settle(self, claim: Claim, state: State) -> AbstractContextManager[Span]:
        return self._tracer.span("ledger.settle", {"provider": claim.event.provider, "state": state})

    def _placed(self, news: Announcement) -> Announcement:
        """Return the announcement with the span under way here in place of whose trace it was."""
        return msgspec.structs.replace(news, headers=tuple(_placed(news.headers, self._tracer.trace_parent())))


class TracedPublisher:
    """A publisher of messages, of which each that was confirmed has a span; one that is refused alone has one, too.

    What was not confirmed will be sent again, and has its span then.
    """

    def __init__(self, publisher: Publisher, tracer: Tracer) -> None:
        self._publisher = publisher
        self._tracer = tracer

    def send(self, messages: Iterable[Outgoing]) -> int:
        """Send all."""
        told = [(message, self._begin(message)) for message in messages]
        spans = [span for _, span in told]
        try:
            sent = self._publisher.send([_under(message, span) for message, span in told])
        except (PublishFailed, PublishRefused) as failure:
            _end_confirmed(spans, failure)
            raise
        for span in spans:
            if span is not None:
                span.end()
        return sent

    def report(self) -> PublisherReport:
        """Return how it has fared so far."""
        return self._publisher.report()

    def _begin(self, message: Outgoing) -> Span | None:
        told = next((value for name, value in message.headers if name == _TRACE_PARENT), None)
        parent = trace_parent(told.decode("ascii", "replace")) if isinstance(told, bytes) else None
        return self._tracer.begin("relay.send", {"topic": message.topic}, parent=parent) if parent else None


def _under(message: Outgoing, span: Span | None) -> Outgoing:
    """Return the message with the span in which it is sent, for whoever takes it in."""
    if span is None or span.trace_parent is None:
        return message
    return msgspec.structs.replace(message, headers=[*_placed(message.headers, span.trace_parent.encode())])


def _placed(headers: Iterable[tuple[str, T]], place: T | None) -> list[tuple[str, T]]:
    if place is None:
        return [*headers]
    return [*((name, value) for name, value in headers if name != _TRACE_PARENT), (_TRACE_PARENT, place)]


def _end_confirmed(spans: Sequence[Span | None], failure: PublishFailed | PublishRefused) -> None:
    unconfirmed = range(len(spans)) if failure.unconfirmed is None else failure.unconfirmed
    for place, span in enumerate(spans):
        if span is None:
            continue
        if isinstance(failure, PublishRefused) and len(spans) == 1:
            span.fail(failure)
            span.end()
        elif place not in unconfirmed:
            span.end()


_TRACE_PARENT = "traceparent"
