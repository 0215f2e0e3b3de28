"""One record on its way through bridge, worker, provider, ledger and relay: in one trace, and told under one name."""

import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Self

import pytest
import structlog
from celery import Celery

from config.celery import celery_options
from config.settings import Settings
from payments import wiring
from payments.envelope import Record, trace_id
from payments.failures import MessageTooLarge
from payments.flows.process import process
from payments.flows.relay import relay_batch
from payments.ledger.database import Database
from payments.ledger.outbox import Outbox
from payments.streams.publisher import Outgoing, StreamPublisher
from payments.streams.publisher_report import PublisherReport
from payments.tracing.tracer import UNTRACED
from payments.wiring import Wiring
from tests.builders import a_message, a_record
from tests.integration.kafka import Brokers
from tests.integration.streams.bridges import Bridges
from tests.integration.streams.conftest import Configure
from tests.integration.streams.outbound import read
from tests.sandbox_process import Sandbox
from tests.spans import PRODUCER, TRACE, TRACE_PARENT, UNSAMPLED, Spans, facts_of, id_of, parent_of, trace_of

CANARIES = ("4242424242424242", "jo@example.com", "sk_live_canary")
STORY = ["bridge.take", "gateway.authorize", "gateway.capture", "ledger.settle", "payment.process", "relay.send"]


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    started = Sandbox(tmp_path_factory.mktemp("sandbox"))
    yield started
    started.stop()


class Story:
    """The processes of a record, played one after the other by this one."""

    def __init__(self, configure: Configure, kafka: Brokers, bridges: Bridges, database: Database) -> None:
        self._configure = configure
        self._settings = configure()
        self._kafka = kafka
        self._bridges = bridges
        self._database = database

    def produce(self, payload: bytes, **headers: str) -> None:
        """Put one record on the topic."""
        told: list[Any] = [(name, value.encode()) for name, value in headers.items()]
        StreamPublisher(self._kafka.access).send(
            [Outgoing(topic=self._settings.kafka.topic, key=b"k", value=payload, headers=told)]
        )

    def processor_is(self, url: str) -> None:
        """Let the canonical processor be there."""
        self._settings = self._configure(CANONICAL_BASE_URL=url)

    def bridge(self) -> None:
        """Let a bridge take it in."""
        member = self._bridges.join(self._settings)
        count = "SELECT count(*) FROM inbox"
        self._bridges.turn_until(lambda: self._database.rows(count) != [(0,)], member, what="it is taken in")

    def arrive(self, payload: bytes, **headers: str) -> None:
        """Take in a record, as the bridge hands it over."""
        told = [(name, value.encode()) for name, value in headers.items()]
        made = Wiring(self._settings)
        with _app(self._settings) as app:
            made.intake(app).take([a_record(payload, headers=told)])
        made.database.close()

    def work_off(self) -> None:
        """Let a worker work everything off."""
        made = Wiring(self._settings)
        with _app(self._settings) as app:
            desk = made.desk(app)
            for row in self._database.rows("SELECT id FROM inbox WHERE finished_at IS NULL ORDER BY id"):
                process(desk, row[0])
        made.database.close()

    def send(self) -> list[Record]:
        """Let a relay send what is to go out, and return it."""
        made = Wiring(self._settings)
        relay_batch(Outbox(self._database), made.relay_desk().publisher, 100)
        made.database.close()
        return read(self._settings, self._settings.kafka.events_topic)


@contextmanager
def _app(settings: Settings) -> Iterator[Celery]:
    app = Celery("test", set_as_current=False)
    app.conf.update(celery_options(settings))
    yield app
    app.close()


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> Spans:
    """Return what our tracers record, in place of a collector."""
    spans = Spans()
    monkeypatch.setattr(wiring, "build_tracer", lambda *_: spans.tracer)
    return spans


@pytest.fixture
def variables(database_url: str, redis_url: str, sandbox: Sandbox) -> dict[str, str]:
    return {
        "DATABASE_URL": database_url,
        "CELERY_BROKER_URL": redis_url,
        "CANONICAL_BASE_URL": sandbox.url,
        "CANONICAL_API_KEY": CANARIES[2],
    }


@pytest.fixture
def story(
    configure: Configure, database: Database, variables: dict[str, str], kafka: Brokers, bridges: Bridges, topic: str
) -> Story:
    kafka.create_topic(f"{topic}.events")
    variables["KAFKA_EVENTS_TOPIC"] = f"{topic}.events"
    return Story(lambda **other: configure(**(variables | other)), kafka, bridges, database)


def a_request(payment_id: str) -> bytes:
    return a_message(payment_id, "pending", metadata={"card": CANARIES[0]}, customer_email=CANARIES[1])


def test_a_record_is_one_trace_from_its_producer_to_whoever_hears_of_it(story: Story, traced: Spans) -> None:
    story.produce(a_request("traced-1"), traceparent=TRACE_PARENT, correlation_id="order-7")
    story.bridge()
    story.work_off()
    (message,) = story.send()
    assert sorted(traced.names()) == STORY
    assert {trace_of(span) for span in traced.all()} == {TRACE}
    bridge, work, settle, relay = map(traced.one, ("bridge.take", "payment.process", "ledger.settle", "relay.send"))
    assert parent_of(bridge) == PRODUCER
    assert parent_of(work) == id_of(bridge)
    for name in ("gateway.authorize", "gateway.capture", "ledger.settle"):
        assert parent_of(traced.one(name)) == id_of(work)
    assert parent_of(relay) == id_of(settle)
    assert message.header("traceparent") == f"00-{TRACE}-{id_of(relay)}-01"
    assert [value for name, value in message.headers if name == "traceparent"] == [
        f"00-{TRACE}-{id_of(relay)}-01".encode()
    ]
    assert message.header("ce_correlationid") == "order-7"


def test_spans_tell_what_helps_and_nothing_of_a_person(story: Story, traced: Spans) -> None:
    story.arrive(a_request("traced-2"), traceparent=TRACE_PARENT, correlation_id="order-7")
    story.work_off()
    story.send()
    work = facts_of(traced.one("payment.process"))
    assert work == {
        "provider": "canonical",
        "payment_id": "traced-2",
        "event_id": "traced-2:pending",
        "kind": "requested",
        "attempt": 1,
        "correlation_id": "order-7",
        "ending": "settled",
    }
    assert facts_of(traced.one("gateway.capture"))["verdict"] == "done"
    told = "".join(span.to_json() for span in traced.all())
    assert [canary for canary in CANARIES if canary in told] == []


def test_a_record_without_a_trace_begins_one(story: Story, traced: Spans, database: Database) -> None:
    story.arrive(a_request("traced-3"))
    story.work_off()
    (message,) = story.send()
    assert sorted(traced.names()) == STORY
    (trace,) = {trace_of(span) for span in traced.all()}
    assert parent_of(traced.one("bridge.take")) is None
    assert database.rows("SELECT trace_id FROM inbox") == [(trace,)]
    assert trace_id(message.header("traceparent")) == trace


def test_a_record_that_kafka_brings_again_is_in_the_trace_that_it_began(story: Story, traced: Spans) -> None:
    for _ in range(2):
        story.arrive(a_request("traced-6"))
    story.work_off()
    first, second, *rest = traced.all()
    assert len({trace_of(span) for span in traced.all()}) == 1
    assert id_of(first) != id_of(second)
    assert parent_of(rest[-1]) == id_of(first), "whoever works on it knows the first"


def test_what_its_producer_does_not_record_is_not_recorded_here(story: Story, traced: Spans) -> None:
    story.arrive(a_request("traced-4"), traceparent=UNSAMPLED)
    story.work_off()
    (message,) = story.send()
    assert traced.all() == []
    assert (message.header("traceparent") or "").startswith(f"00-{TRACE}-")
    assert (message.header("traceparent") or "").endswith("-00"), "and those behind us are told so"


def test_where_nobody_traces_the_trace_goes_through(story: Story) -> None:
    story.arrive(a_request("traced-5"), traceparent=TRACE_PARENT)
    story.work_off()
    (message,) = story.send()
    assert message.header("traceparent") == TRACE_PARENT


def test_a_record_that_is_buried_at_once_has_a_trace_too_and_its_dead_letter_tells_it(
    story: Story, traced: Spans, database: Database
) -> None:
    story.arrive(b"{", traceparent=TRACE_PARENT)
    span = traced.one("bridge.take")
    assert facts_of(span)["undecodable"] is True
    place = f"00-{TRACE}-{id_of(span)}-01"
    assert database.rows("SELECT trace_id, trace_parent FROM dead_letters") == [(TRACE, place)]
    (letter,) = Outbox(database).waiting(10)
    assert letter.trace_parent == place
    ((topic, partition, offset),) = database.rows('SELECT topic, partition, "offset" FROM dead_letters')
    assert letter.correlation_id == f"{topic}/{partition}/{offset}"


def test_a_message_that_the_brokers_refuse_keeps_its_name_and_its_trace(story: Story, database: Database) -> None:
    story.arrive(a_request("refused-1"), traceparent=TRACE_PARENT, correlation_id="order-7")
    story.work_off()
    (refused,) = relay_batch(Outbox(database), Refusing(), 100).buried
    assert refused.letter.correlation_id == "order-7"
    assert database.rows("SELECT correlation_id, trace_id FROM dead_letters") == [("order-7", TRACE)]


class Refusing:
    """Brokers that take nothing."""

    def send(self, messages: Iterable[Outgoing]) -> int:
        del messages
        raise MessageTooLarge("too large", service="kafka", operation="produce")

    def report(self) -> PublisherReport:
        raise NotImplementedError


def test_everything_that_is_logged_of_a_record_is_logged_under_its_name(story: Story) -> None:
    with structlog.testing.capture_logs() as logs:
        story.arrive(a_request("named-1"), correlation_id="order-7")
        story.work_off()
    named = {line["event"]: line.get("correlation_id") for line in logs}
    assert named["gateway_answered"] == "order-7"
    assert named["payment_worked_off"] == "order-7"


@pytest.mark.parametrize("tracing", [True, False])
def test_an_in_house_processor_is_told_name_and_trace(
    story: Story, monkeypatch: pytest.MonkeyPatch, traced: Spans, *, tracing: bool
) -> None:
    if not tracing:
        monkeypatch.setattr(wiring, "build_tracer", lambda *_: UNTRACED)
    with Overheard() as processor:
        story.processor_is(processor.url)
        story.arrive(a_request(f"told-{tracing}"), traceparent=TRACE_PARENT, correlation_id="order-7")
        story.work_off()
    heads = processor.heads.lower()
    assert "x-correlation-id: order-7" in heads
    if tracing:
        assert f"traceparent: 00-{TRACE}-{id_of(traced.one('gateway.authorize'))}-01" in heads
    else:
        assert "traceparent" not in heads


class Overheard:
    """A processor that hears one request and hangs up."""

    def __init__(self) -> None:
        self.heads = ""
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._hear, daemon=True)

    def _hear(self) -> None:
        connection, _ = self._socket.accept()
        with connection:
            self.heads = connection.recv(65_536).decode()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._thread.join(20)
        self._socket.close()
