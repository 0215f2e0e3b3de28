"""Spans of OpenTelemetry's SDK. Only what traces imports this: the SDK takes a fifth of a second.

Read in opentelemetry-sdk 1.45: a span that begins a trace asks the generator for the trace's id first and the sampler
then; an attribute that is None is refused with a line in the log.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from hashlib import blake2b
from threading import Thread

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import Decision, ParentBased, Sampler, SamplingResult, TraceIdRatioBased
from opentelemetry.trace import Link, SpanContext, SpanKind, TraceFlags
from opentelemetry.util.types import Attributes

from payments.failures import Failure
from payments.tracing.tracer import NO_FACTS, Fact, Span

_KINDS = {"bridge.take": SpanKind.CONSUMER, "relay.send": SpanKind.PRODUCER}


class OtelSpan:
    """A span of the SDK."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    @property
    def trace_parent(self) -> str | None:
        """Its place in the trace, also where it is not recorded: others are to heed that."""
        return told_context(self._span.get_span_context())

    def tell(self, **facts: Fact) -> None:
        """Learn more facts."""
        if self._span.is_recording():
            self._span.set_attributes(_attributes(facts))

    def fail(self, error: BaseException) -> None:
        """Note the type and the code of a failure."""
        code = error.code if isinstance(error, Failure) else type(error).__name__
        kind = error.kind if isinstance(error, Failure) else type(error).__name__
        self._span.set_attribute("error.type", kind)
        self._span.set_status(trace.StatusCode.ERROR, code)
        self.tell(code=code)

    def end(self) -> None:
        """End now."""
        self._span.end()


class OtelTracer:
    """Makes spans with a provider of this process."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("payferry")

    def begin(
        self,
        name: str,
        facts: Mapping[str, Fact] = NO_FACTS,
        *,
        parent: str | None = None,
        seed: str | None = None,
        since_ns: int | None = None,
    ) -> OtelSpan:
        """Return a span that is to be ended."""
        return OtelSpan(self._start(name, facts, _hung_on(parent), seed, since_ns))

    @contextmanager
    def span(
        self, name: str, facts: Mapping[str, Fact] = NO_FACTS, *, parent: str | None = None, seed: str | None = None
    ) -> Iterator[Span]:
        """Return a context in which a span is under way."""
        with self._under_way(self._start(name, facts, _hung_on(parent), seed, None)) as span:
            yield span

    @contextmanager
    def linked(self, name: str, facts: Mapping[str, Fact], others: Iterable[str | None]) -> Iterator[Span]:
        """Return a context with a span that begins a trace and points to `others`."""
        found = (read_context(other) for other in others)
        links = [Link(other) for other in found if other is not None and other.trace_flags.sampled]
        began = self._tracer.start_span(name, Context(), attributes=_attributes(facts), links=links)
        with self._under_way(began) as span:
            yield span

    def trace_parent(self) -> str | None:
        """Return the place of the span under way here."""
        return told_context(trace.get_current_span().get_span_context())

    def flush(self, seconds: float) -> None:
        """Wait until what has ended is sent; the SDK itself knows no limit."""
        waiting = Thread(target=self._provider.force_flush, daemon=True)
        waiting.start()
        waiting.join(seconds)

    def _start(
        self, name: str, facts: Mapping[str, Fact], hung_on: Context | None, seed: str | None, since_ns: int | None
    ) -> trace.Span:
        kind = SpanKind.CLIENT if name.startswith("gateway.") else _KINDS.get(name, SpanKind.INTERNAL)
        seeded = _seed.set(seed)
        try:
            return self._tracer.start_span(name, hung_on, kind, _attributes(facts), start_time=since_ns)
        finally:
            _seed.reset(seeded)

    @contextmanager
    def _under_way(self, began: trace.Span) -> Iterator[OtelSpan]:
        span, token = OtelSpan(began), contexts.attach(trace.set_span_in_context(began))
        try:
            yield span
        except BaseException as error:
            span.fail(error)
            raise
        finally:
            contexts.detach(token)
            began.end()


class SeededIds(RandomIdGenerator):
    """Ids of traces that are made from a seed where there is one, so that no process need ask another."""

    def generate_trace_id(self) -> int:
        """Return the id of a trace that begins."""
        seed = _seed.get()
        return _trace_id(seed) if seed is not None else super().generate_trace_id()

    def is_trace_id_random(self) -> bool:
        """Return that it is not: the same seed makes the same id."""
        return False


class Begun(Sampler):
    """Decides about a trace that begins: a share of them, by their ids; one with links is recorded with what it links.

    Links are given only to what is recorded.
    """

    def __init__(self, ratio: float) -> None:
        self._share = TraceIdRatioBased(ratio)

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: trace.TraceState | None = None,
    ) -> SamplingResult:
        """Return whether the trace is recorded."""
        if name in LINKED:
            return SamplingResult(Decision.RECORD_AND_SAMPLE if links else Decision.DROP, attributes)
        return self._share.should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)

    def get_description(self) -> str:
        """Return what it is, for whoever looks into the SDK."""
        return f"Begun({self._share.get_description()})"


LINKED = frozenset({"dead_letter.replay"})
"""Spans that are there for what they link."""


def sampler(ratio: float) -> Sampler:
    """Return what decides which spans are recorded: whoever began a trace has decided about all of it."""
    return ParentBased(Begun(ratio))


def read_context(told: str | None) -> SpanContext | None:
    """Return the place that a `traceparent` names."""
    if told is None:
        return None
    _, trace_id, span_id, flags = told.split("-")
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16)))


def told_context(place: SpanContext) -> str | None:
    """Return the `traceparent` of a place; None where it is none."""
    if not place.is_valid:
        return None
    return f"00-{place.trace_id:032x}-{place.span_id:016x}-{place.trace_flags:02x}"


def _hung_on(parent: str | None) -> Context | None:
    """Return what the SDK looks for a parent in; None: what is under way here."""
    place = read_context(parent)
    return trace.set_span_in_context(trace.NonRecordingSpan(place)) if place is not None else None


def _attributes(facts: Mapping[str, Fact]) -> dict[str, str | int | float | bool]:
    return {f"payferry.{name}": value for name, value in facts.items() if value is not None}


def _trace_id(seed: str) -> int:
    return int.from_bytes(blake2b(seed.encode(), digest_size=16).digest()) or 1


_seed: ContextVar[str | None] = ContextVar("trace_seed", default=None)
