"""A tracer whose spans a test can look at: only where they would leave the process is it another one."""

from typing import Any

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from payments.tracing.export import TracePolicy, build_provider
from payments.tracing.otel import OtelTracer

TRACE = "0af7651916cd43dd8448eb211c80319c"
PRODUCER = "b7ad6b7169203331"
TRACE_PARENT = f"00-{TRACE}-{PRODUCER}-01"
UNSAMPLED = f"00-{TRACE}-{PRODUCER}-00"


def policy(**told: Any) -> TracePolicy:  # noqa: ANN401 - any field
    """Return a policy that traces everything."""
    whole: dict[str, Any] = {"exporter": "otlp", "endpoint": "http://127.0.0.1:1", "headers": {}, "ratio": 1.0}
    return TracePolicy(**(whole | {"process": "test"} | told))


class Spans:
    """A tracer, and what it has recorded."""

    def __init__(self, ratio: float = 1.0) -> None:
        self._kept = InMemorySpanExporter()
        provider = build_provider(policy(ratio=ratio))
        provider.add_span_processor(SimpleSpanProcessor(self._kept))
        self.tracer = OtelTracer(provider)

    def all(self) -> list[ReadableSpan]:
        """Return what has ended, in that order."""
        return list(self._kept.get_finished_spans())

    def names(self) -> list[str]:
        """Return the names of what has ended, in that order."""
        return [span.name for span in self.all()]

    def one(self, name: str) -> ReadableSpan:
        """Return the only span of that name."""
        (found,) = [span for span in self.all() if span.name == name]
        return found


def trace_of(span: ReadableSpan) -> str:
    """Return the trace that it is in."""
    assert span.context is not None
    return f"{span.context.trace_id:032x}"


def id_of(span: ReadableSpan) -> str:
    """Return its own id."""
    assert span.context is not None
    return f"{span.context.span_id:016x}"


def parent_of(span: ReadableSpan) -> str | None:
    """Return the id of the span that it hangs on."""
    return f"{span.parent.span_id:016x}" if span.parent is not None else None


def facts_of(span: ReadableSpan) -> dict[str, Any]:
    """Return what it tells, without our prefix."""
    return {name.removeprefix("payferry."): value for name, value in (span.attributes or {}).items()}
