"""Where spans go: to a collector by OTLP over HTTP, or to stderr; from a thread of each process."""

import logging
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Literal

import msgspec
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter, SpanExportResult

from payments.log_events import Tell
from payments.redaction import redacted
from payments.tracing.otel import OtelTracer, SeededIds, sampler

_MOST_LINKS = 1000
"""Of one span: no round of replays has more letters."""


class TracePolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Where traces go, which of those that begin here are recorded, and what this process is called there.

    `endpoint` is the collector's address without the path of traces; `headers` may hold a secret.
    """

    exporter: Literal["otlp", "console"]
    endpoint: str
    headers: Mapping[str, str]
    ratio: float
    process: str
    timeout_seconds: float = 3.0
    """For one try to send; the end of a process may have to wait for it."""

    def __repr__(self) -> str:
        return f"TracePolicy({self.exporter}, {self.process})"


class Complaints(logging.Handler):
    """What OpenTelemetry's library says of spans that it loses, told once until some are sent again."""

    def __init__(self, tell: Tell) -> None:
        super().__init__(logging.WARNING)
        self._tell = tell
        self._told = False

    def emit(self, record: logging.LogRecord) -> None:
        """Tell of it, unless that was done before."""
        if not self._told:
            self._told = True
            self._tell("traces_unsent", reason=redacted(record.getMessage()))

    def rest(self) -> None:
        """Note that all is well again."""
        if self._told:
            self._told = False
            self._tell("traces_sent_again")


class Watched(SpanExporter):
    """An exporter, and who is told when it does its work again."""

    def __init__(self, exporter: SpanExporter, complaints: Complaints) -> None:
        self._exporter = exporter
        self._complaints = complaints

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send spans."""
        result = self._exporter.export(spans)
        if result is SpanExportResult.SUCCESS:
            self._complaints.rest()
        return result

    def shutdown(self) -> None:
        """Close connections."""
        self._exporter.shutdown()


def build_tracer(policy: TracePolicy, tell: Tell) -> OtelTracer:
    """Return the tracer of this process. Call it after the fork.

    How many spans may wait, and how long they are gathered, is the library's own setting: OTEL_BSP_….
    """
    complaints = Complaints(tell)
    _listen(complaints)
    provider = build_provider(policy)
    provider.add_span_processor(BatchSpanProcessor(Watched(_exporter(policy), complaints)))
    return OtelTracer(provider)


def build_provider(policy: TracePolicy) -> TracerProvider:
    """Return what makes spans; who takes them is still to be added."""
    named = {"service.name": "payferry", "service.version": version("payferry")}
    return TracerProvider(
        sampler=sampler(policy.ratio),
        resource=Resource.create({**named, "service.instance.id": policy.process}),
        shutdown_on_exit=False,  # it would wait for a collector that hangs for half a minute; see `flush_traces`
        id_generator=SeededIds(),
        span_limits=SpanLimits(max_links=_MOST_LINKS),
    )


def _exporter(policy: TracePolicy) -> SpanExporter:
    if policy.exporter == "console":
        return ConsoleSpanExporter(out=sys.stderr, formatter=lambda span: span.to_json(indent=None) + "\n")
    url = f"{policy.endpoint.rstrip('/')}/v1/traces"
    return OTLPSpanExporter(url, headers=dict(policy.headers), timeout=policy.timeout_seconds)


def _listen(complaints: Complaints) -> None:
    """Take what the library says out of the log, where it would stand once for each batch."""
    logger = logging.getLogger("opentelemetry")
    logger.handlers[:] = [complaints]
    logger.propagate = False
