"""Traces and names of records from real processes, and nothing of a person in them."""

import json
from typing import Any

import pytest

from payments.streams.kafka import KafkaAccess
from payments.streams.publisher import Outgoing, StreamPublisher
from tests.acceptance.collector import Collector
from tests.acceptance.commands import payferry
from tests.acceptance.harbour import Harbour
from tests.acceptance.running import Sandbox, Up
from tests.acceptance.test_secrets import shown
from tests.builders import a_message
from tests.integration.kafka import eventually
from tests.spans import PRODUCER, TRACE, TRACE_PARENT

RECORDS = 120
KEY = "sk_live_canary51H"
HEADER = "s3cret-of-the-collector"


@pytest.mark.timeout(180)
def test_bridge_worker_and_relay_send_one_trace_and_nothing_of_a_person(harbour: Harbour) -> None:
    with Sandbox(harbour.folder, "--error-rate", "0.1") as sandbox, Collector() as collector:
        env = {
            **harbour.env,
            "SANDBOX_URL": sandbox.url,
            "STRIPE_API_KEY": KEY,
            "CANONICAL_API_KEY": KEY,
            "KAFKA_EVENTS_TOPIC": f"{harbour.env['KAFKA_TOPIC']}.events",
            "PAYFERRY_TRACES": "otlp",
            "OTEL_BSP_SCHEDULE_DELAY": "600000",  # what comes has been sent at the end of its process
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_EXPORTER_OTLP_HEADERS": f"x-api-key={HEADER}",
            "LOG_LEVEL": "debug",
            "LOG_FORMAT": "json",
            "BACKOFF_BASE_SECONDS": "0.2",
        }
        with Up(env, harbour.folder, "--no-flower") as up:
            _send_named(harbour)
            done = payferry("produce", "--count", str(RECORDS), "--bad", "0.05", env=env, folder=harbour.folder)
            assert done.code == 0
            eventually(lambda: harbour.ledger.ended() == harbour.ledger.taken_in() >= RECORDS * 0.9, "all has ended")
            eventually(lambda: harbour.ledger.rows("SELECT FROM outbox") == [], "all is announced")
    _assert_one_trace(collector)
    settled = harbour.ledger.rows("SELECT event_id FROM inbox WHERE state = 'settled'")
    told = {span.facts.get("payferry.event_id") for span in collector.spans() if _has_settled(span.facts)}
    assert told == {row[0] for row in settled}
    bodies = b"".join(collector.bodies).decode("latin-1")
    assert [*shown(bodies), *(secret for secret in (KEY, HEADER) if secret in bodies)] == []
    assert all(HEADER in head for head in collector.heads)
    assert HEADER not in up.output()
    assert _told_under(up.output(), "order-7") >= {"gateway_answered", "payment_worked_off"}


def _send_named(harbour: Harbour) -> None:
    """Produce a record that has a trace and a name."""
    publisher = StreamPublisher(KafkaAccess(bootstrap_servers=harbour.env["KAFKA_BOOTSTRAP_SERVERS"]))
    headers: list[Any] = [("traceparent", TRACE_PARENT.encode()), ("correlation_id", b"order-7")]
    value = a_message("traced", "pending")
    publisher.send([Outgoing(topic=harbour.env["KAFKA_TOPIC"], key=b"traced", value=value, headers=headers)])


def _assert_one_trace(collector: Collector) -> None:
    found = collector.of(TRACE)
    bridge, work, relay = (found[name] for name in ("bridge.take", "payment.process", "relay.send"))
    assert bridge.parent == PRODUCER
    assert work.parent == bridge.span
    tries = {span.span for span in collector.spans() if (span.trace, span.name) == (TRACE, "payment.process")}
    assert {found["gateway.capture"].parent, found["ledger.settle"].parent} <= tries
    assert relay.parent == found["ledger.settle"].span
    assert [bridge.process, work.process, relay.process] == ["bridge", "worker", "relay"]


def _has_settled(facts: dict[str, Any]) -> bool:
    return facts.get("payferry.ending") == "settled"


def _told_under(output: str, correlation_id: str) -> set[str]:
    """Return the names of the log events that bear it."""
    lines = [line[line.index("{") :] for line in output.splitlines() if '"event"' in line and "{" in line]
    told = [json.loads(line) for line in lines]
    return {each["event"] for each in told if each.get("correlation_id") == correlation_id}
