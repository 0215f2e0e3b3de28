"""Spans as the rest of us knows them, with the SDK behind."""

import logging
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from payments.failures import Unavailable
from payments.tracing.export import Complaints, Watched, build_tracer
from payments.tracing.otel import read_context, told_context
from payments.tracing.tracer import UNTRACED
from tests.spans import PRODUCER, TRACE, TRACE_PARENT, UNSAMPLED, Spans, facts_of, id_of, parent_of, policy, trace_of

QUOTING = "card 4242424242424242 of jo@example.com"


@pytest.fixture(autouse=True)
def _library_as_it_was() -> Iterator[None]:
    logger = logging.getLogger("opentelemetry")
    handlers, propagates = logger.handlers[:], logger.propagate
    yield
    logger.handlers[:], logger.propagate = handlers, propagates


def test_a_place_in_a_trace_is_read_as_it_is_told() -> None:
    place = read_context(TRACE_PARENT)
    assert place is not None
    assert told_context(place) == TRACE_PARENT


def test_a_span_hangs_on_the_parent_that_it_is_given() -> None:
    spans = Spans()
    spans.tracer.begin("bridge.take", parent=TRACE_PARENT).end()
    (span,) = spans.all()
    assert (trace_of(span), parent_of(span)) == (TRACE, PRODUCER)


def test_a_span_hangs_on_the_one_that_is_under_way() -> None:
    spans = Spans()
    with spans.tracer.span("payment.process", parent=TRACE_PARENT), spans.tracer.span("gateway.capture"):
        assert spans.tracer.trace_parent() is not None
    inner, outer = spans.all()
    assert parent_of(inner) == id_of(outer)
    assert spans.tracer.trace_parent() is None


def test_a_trace_that_begins_has_the_id_of_its_seed_in_every_process() -> None:
    first, second = Spans(), Spans()
    first.tracer.begin("bridge.take", seed="stripe/evt_1").end()
    second.tracer.begin("payment.process", seed="stripe/evt_1").end()
    second.tracer.begin("payment.process", seed="stripe/evt_2").end()
    one, two, other = (trace_of(span) for span in (*first.all(), *second.all()))
    assert one == two != other


@pytest.mark.parametrize(("parent", "ratio", "recorded"), [(UNSAMPLED, 1.0, 0), (TRACE_PARENT, 0.0, 1), (None, 0.0, 0)])
def test_whoever_began_a_trace_has_decided_whether_it_is_recorded(
    parent: str | None, ratio: float, recorded: int
) -> None:
    spans = Spans(ratio)
    with spans.tracer.span("payment.process", parent=parent), spans.tracer.span("gateway.capture") as inner:
        place = inner.trace_parent
    assert len(spans.all()) == 2 * recorded
    assert place is not None, "others are to heed it, too"
    assert place.endswith("-01" if recorded else "-00")


def test_the_share_is_the_same_for_all_processes() -> None:
    first, second = Spans(0.3), Spans(0.3)
    for spans in (first, second):
        for number in range(500):
            spans.tracer.begin("bridge.take", seed=str(number)).end()
    assert [*map(trace_of, first.all())] == [*map(trace_of, second.all())]
    assert 100 < len(first.all()) < 200


def test_a_failure_is_told_by_type_and_code_and_never_in_its_words() -> None:
    spans = Spans()
    failure = Unavailable(QUOTING, code="http_503", service="stripe", operation="capture")
    for error in (failure, ValueError(QUOTING)):
        with pytest.raises(type(error)), spans.tracer.span("gateway.capture"):
            raise error
    known, unknown = spans.all()
    assert (facts_of(known)["error.type"], known.status.description) == (failure.kind, "http_503")
    assert (facts_of(unknown)["error.type"], unknown.status.description) == ("ValueError", "ValueError")
    assert "4242" not in "".join(span.to_json() for span in spans.all())


@pytest.mark.parametrize("others", [[TRACE_PARENT, UNSAMPLED, None], [UNSAMPLED, None], []])
def test_a_span_with_links_is_recorded_if_what_it_links_is(others: list[str | None]) -> None:
    spans = Spans(ratio=0.0)
    with spans.tracer.linked("dead_letter.replay", {"letters": 3}, others):
        pass
    linked = [f"{link.context.trace_id:032x}" for span in spans.all() for link in span.links]
    assert linked == ([TRACE] if TRACE_PARENT in others else [])
    assert len(spans.all()) == len(linked)


def test_facts_that_nobody_knows_are_left_out() -> None:
    spans = Spans()
    span = spans.tracer.begin("ledger.settle", {"provider": "stripe", "code": None})
    span.tell(attempt=2, reason=None)
    span.end()
    assert facts_of(spans.one("ledger.settle")) == {"provider": "stripe", "attempt": 2}


def test_threads_have_spans_of_their_own() -> None:
    spans, both = Spans(), threading.Barrier(2)

    def work(seed: str) -> None:
        with spans.tracer.span("payment.process", {"kind": seed}, seed=seed):
            both.wait(10)
            with spans.tracer.span("gateway.capture", {"kind": seed}):
                both.wait(10)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    traces = {(facts_of(span)["kind"], trace_of(span)) for span in spans.all()}
    assert (len(spans.all()), len(traces)) == (4, 2)


class Moody(SpanExporter):
    """Does as it is told."""

    def __init__(self) -> None:
        self.mood: SpanExportResult | Exception = SpanExportResult.SUCCESS

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        del spans
        if isinstance(self.mood, Exception):
            raise self.mood
        return self.mood


def test_spans_that_are_lost_are_told_once_until_some_are_sent_again() -> None:
    told: list[str] = []
    complaints, exporter = Complaints(lambda name, **_: told.append(name)), Moody()
    watched = Watched(exporter, complaints)
    record = logging.LogRecord("opentelemetry", logging.ERROR, "", 0, f"not sent: {QUOTING}", (), None)
    for _ in range(3):
        complaints.emit(record)
    assert told == ["traces_unsent"]
    exporter.mood = SpanExportResult.FAILURE
    watched.export([])
    assert told == ["traces_unsent"]
    exporter.mood = SpanExportResult.SUCCESS
    watched.export([])
    watched.export([])
    assert told == ["traces_unsent", "traces_sent_again"]


def test_a_collector_that_is_away_disturbs_nobody_and_is_told_without_what_it_quotes() -> None:
    told: list[tuple[str, dict[str, object]]] = []
    tracer = build_tracer(policy(timeout_seconds=0.2), lambda name, **fields: told.append((name, fields)))
    for _ in range(3):
        with tracer.span("payment.process"):
            pass
        tracer.flush(10.0)
    assert [name for name, _ in told] == ["traces_unsent"]


def test_headers_for_the_collector_do_not_show() -> None:
    assert "s3cret" not in repr(policy(headers={"x-api-key": "s3cret"}))


def test_where_nothing_is_traced_every_call_is_an_empty_one() -> None:
    with UNTRACED.span("payment.process", parent=TRACE_PARENT) as span:
        span.tell(ending="settled")
        assert (span.trace_parent, UNTRACED.trace_parent()) == (None, None)


OFF = """
import sys
from config.settings import Settings
from payments.tracing.tracer import UNTRACED
from payments.wiring import Wiring
wiring = Wiring(Settings())
assert wiring.tracer is UNTRACED
from celery import Celery
wiring.desk(Celery("test")), wiring.intake(Celery("test")), wiring.replay_desk(Celery("test"))
print([name for name in sys.modules if name.startswith(("opentelemetry.sdk.trace", "opentelemetry.exporter"))])
print([name for name in sys.modules if name.startswith("payments.tracing.")])
"""


def test_where_nothing_is_traced_nothing_of_opentelemetrys_tracing_is_imported() -> None:
    """Its metrics are: redis-py looks for them by itself, since 8.0, wherever the SDK is installed."""
    done = subprocess.run([sys.executable, "-c", OFF], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines() == ["[]", "['payments.tracing.tracer']"]
