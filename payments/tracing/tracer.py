"""What the rest of Payferry knows of tracing: spans that begin, learn facts and end.

A place in a trace is told as text, in the form of the header `traceparent` (W3C Trace Context): it travels in rows, in
headers of messages and in requests. Facts are ids, names and numbers, never personal data.
"""

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Protocol

Fact = str | int | float | bool | None

NO_FACTS: Mapping[str, Fact] = {}


class Span(Protocol):
    """A stretch of work in a trace. One that never ends is never sent."""

    @property
    def trace_parent(self) -> str | None:
        """Its place in the trace, for what hangs on it elsewhere; None where nothing is traced."""

    def tell(self, **facts: Fact) -> None:
        """Learn more facts; those that are None are left out."""

    def fail(self, error: BaseException) -> None:
        """Note that it failed, by the type and the code of the error alone: its message may quote anything."""

    def end(self) -> None:
        """End now."""


class Tracer(Protocol):
    """Makes the spans of one process. It never raises, and what it cannot send is lost."""

    def begin(
        self,
        name: str,
        facts: Mapping[str, Fact] = NO_FACTS,
        *,
        parent: str | None = None,
        seed: str | None = None,
        since_ns: int | None = None,
    ) -> Span:
        """Return a span that began at `since_ns` of the Unix epoch, or now, and is to be ended.

        It hangs on `parent`, otherwise on the span under way here. Where there is neither, it begins a trace, and equal
        seeds begin the same one, in whatever process.
        """

    def span(
        self,
        name: str,
        facts: Mapping[str, Fact] = NO_FACTS,
        *,
        parent: str | None = None,
        seed: str | None = None,
    ) -> AbstractContextManager[Span]:
        """Return a context in which such a span is under way; an exception that leaves it is noted."""

    def linked(
        self, name: str, facts: Mapping[str, Fact], others: Iterable[str | None]
    ) -> AbstractContextManager[Span]:
        """Return a context with a span that begins a trace and points to `others`; recorded if one of them is."""

    def trace_parent(self) -> str | None:
        """Return the place of the span under way here; None where there is none."""

    def flush(self, seconds: float) -> None:
        """Wait until what has ended is sent, at most so long."""


class NoSpan:
    """Stands where nothing is traced."""

    trace_parent: str | None = None

    def tell(self, **facts: Fact) -> None:
        """Learn nothing."""

    def fail(self, error: BaseException) -> None:
        """Note nothing."""

    def end(self) -> None:
        """Do nothing."""


class NoTracer:
    """Traces nothing, and costs next to nothing."""

    def begin(
        self,
        name: str,
        facts: Mapping[str, Fact] = NO_FACTS,
        *,
        parent: str | None = None,
        seed: str | None = None,
        since_ns: int | None = None,
    ) -> Span:
        """Return no span."""
        del name, facts, parent, seed, since_ns
        return _NO_SPAN

    def span(
        self,
        name: str,
        facts: Mapping[str, Fact] = NO_FACTS,
        *,
        parent: str | None = None,
        seed: str | None = None,
    ) -> AbstractContextManager[Span]:
        """Return a context of no span."""
        del name, facts, parent, seed
        return _NOTHING

    def linked(
        self, name: str, facts: Mapping[str, Fact], others: Iterable[str | None]
    ) -> AbstractContextManager[Span]:
        """Return a context of no span."""
        del name, facts, others
        return _NOTHING

    def trace_parent(self) -> str | None:
        """Return no place."""
        return None

    def flush(self, seconds: float) -> None:
        """Have nothing to wait for."""


_kept: set[Tracer] = set()


def kept(tracer: Tracer) -> Tracer:
    """Return the tracer, once it is noted for `flush_traces`."""
    _kept.add(tracer)
    return tracer


def flush_traces() -> None:
    """Wait until the spans of this process are sent, for two seconds at most. A process must do so at its end."""
    until = time.monotonic() + _FLUSH_SECONDS
    for tracer in list(_kept):
        tracer.flush(max(0.0, until - time.monotonic()))


@contextmanager
def traces_flushed() -> Iterator[None]:
    """Return a context whose end, however it comes, waits so."""
    try:
        yield
    finally:
        flush_traces()


_FLUSH_SECONDS = 2.0
"""A supervisor that has asked a process to stop waits, too."""

_NO_SPAN = NoSpan()
_NOTHING: AbstractContextManager[Span] = nullcontext(_NO_SPAN)

UNTRACED = NoTracer()
