"""What names and traces cost: microseconds of CPU for a payment in its worker, and for a record in its bridge.

    python -m benchmarks.trace_cost

A payment is what most are: one try, two calls to a provider, one settlement. What is measured is only what stands
around them, without provider, ledger and log. Spans go to an exporter that throws them away.
"""

import json
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from payments.correlation import About
from payments.envelope import Record
from payments.event import Event, Kind, Provider
from payments.flows.intake import Taken
from payments.flows.traced import TracedGateway, TracedIntake, span_of
from payments.gateway.result import Answer, Charge, Verdict
from payments.ledger.claims import Claim
from payments.log_events import teller
from payments.tracing.export import TracePolicy, build_provider
from payments.tracing.otel import OtelTracer
from payments.tracing.tracer import UNTRACED, Tracer

_ROUNDS = 4000
_EVENTS = 4
"""Log events of a payment: two answers, one ending, one of the batch."""


class _Drain(SpanExporter):
    """Takes spans and forgets them."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Take them."""
        del spans
        return SpanExportResult.SUCCESS


class _Logger:
    """Writes nothing, as a logger whose level is higher."""

    def debug(self, *_told: object, **_fields: object) -> None:
        """Write nothing."""


class _Provider:
    """A gateway that says yes at once."""

    keeps_errors = False

    def capture(self, charge: Charge, idempotency_key: str) -> Answer:
        """Say yes."""
        del charge, idempotency_key
        return _YES

    authorize = void = refund = capture

    def stand(self, charge: Charge) -> None:
        """Know nothing."""
        del charge


class _Door:
    """An intake that takes nothing in."""

    def take(self, records: Sequence[Record]) -> Taken:
        """Take nothing in."""
        return Taken(new=len(records), known=0, dead=0, woken=0)


def main() -> None:
    """Measure and print what was found, in microseconds."""
    on, few = _tracer(1.0), _tracer(0.0)
    told = {
        "payment_name_us": _per_payment(lambda: _tell_under("order-7")) - _per_payment(lambda: _tell_under(None)),
        "payment_off_us": _per_payment(lambda: _span(UNTRACED)),
        "payment_unsampled_us": _per_payment(lambda: _traced(few)),
        "payment_on_us": _per_payment(lambda: _traced(on)),
        "record_unsampled_us": _per_record(few),
        "record_on_us": _per_record(on),
    }
    print(json.dumps({name: round(microseconds, 2) for name, microseconds in told.items()}))


def _tracer(ratio: float) -> OtelTracer:
    policy = TracePolicy(exporter="otlp", endpoint="http://127.0.0.1", headers={}, ratio=ratio, process="benchmark")
    provider = build_provider(policy)
    provider.add_span_processor(BatchSpanProcessor(_Drain()))
    return OtelTracer(provider)


def _tell_under(name: str | None) -> None:
    """Tell the events of a payment, under a name or none."""
    context: AbstractContextManager[Any] = About(name) if name else nullcontext()
    with context:
        for _ in range(_EVENTS):
            _TELL("gateway_answered", service="stripe")


def _span(tracer: Tracer) -> None:
    """Do what every payment does, traced or not."""
    with span_of(tracer, _CLAIM) as span:
        span.tell(ending="settled")


def _traced(tracer: Tracer) -> None:
    """Do what a payment does where it is traced."""
    gateway = TracedGateway(_Provider(), "stripe", tracer)
    with span_of(tracer, _CLAIM) as span:
        gateway.authorize(_CHARGE, "key")
        gateway.capture(_CHARGE, "key")
        with tracer.span("ledger.settle", {"provider": "stripe", "state": "settled"}):
            tracer.trace_parent()
        span.tell(ending="settled")


def _per_payment(work: Callable[[], None]) -> float:
    """Return the CPU time of one, by all threads: the least of several rounds, since others use the machine too."""
    return min(_round(work) for _ in range(7))


def _round(work: Callable[[], None]) -> float:
    began_ns = time.process_time_ns()
    for _ in range(_ROUNDS):
        work()
    return (time.process_time_ns() - began_ns) / _ROUNDS / 1000


def _per_record(tracer: Tracer) -> float:
    """Return the CPU time of one record of a batch of a hundred, beyond what an untraced one costs."""
    intake, batch = TracedIntake(_Door(), tracer), [_RECORD] * 100
    return min(_batches(intake, batch) for _ in range(5)) - min(_batches(_Door(), batch) for _ in range(5))


def _batches(intake: TracedIntake | _Door, batch: list[Record]) -> float:
    began_ns = time.process_time_ns()
    for _ in range(_ROUNDS // 100):
        intake.take(batch)
    return (time.process_time_ns() - began_ns) / _ROUNDS / 1000


_NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
_YES = Answer(verdict=Verdict.DONE, amount_minor=1000)
_CHARGE = Charge(payment_id="p1", amount_minor=1000, currency="EUR")
_EVENT = Event(
    provider=Provider.STRIPE,
    event_id="evt_1",
    kind=Kind.REQUESTED,
    payment_id="p1",
    amount_minor=1000,
    currency="EUR",
    occurred_at=_NOW,
    ordering_key="stripe:p1",
)
_CLAIM = Claim(
    inbox_id=1,
    token=1,
    attempts=1,
    ordering_key="stripe:p1",
    event=_EVENT,
    payment=None,
    yielding_seconds=0.0,
    correlation_id="order-7",
)
_RECORD = Record(topic="payments.raw", partition=0, offset=1, key=b"k", headers=[], payload=b"{}")
_TELL = teller(_Logger())


if __name__ == "__main__":
    main()
