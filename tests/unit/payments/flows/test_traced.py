"""Messages and batches that do not get through, as their spans tell it."""

from collections.abc import Iterable, Sequence
from typing import cast

import pytest

from payments.envelope import Record
from payments.failures import DatabaseAway, Failure, MessageTooLarge, PublishFailed
from payments.flows.intake import Taken
from payments.flows.traced import TracedIntake, TracedPublisher
from payments.streams.publisher import Outgoing
from payments.streams.publisher_report import PublisherReport
from tests.builders import a_record
from tests.spans import TRACE_PARENT, UNSAMPLED, Spans, facts_of, id_of


class Broker:
    """Takes what it is given, or fails."""

    def __init__(self, failure: Failure | None = None) -> None:
        self.failure = failure
        self.taken: list[Outgoing] = []

    def send(self, messages: Iterable[Outgoing]) -> int:
        self.taken = list(messages)
        if self.failure is not None:
            raise self.failure
        return len(self.taken)

    def report(self) -> PublisherReport:
        raise NotImplementedError


def a_message(key: str, place: str | None = TRACE_PARENT) -> Outgoing:
    headers: list[tuple[str, str | bytes | None]] = [("ce_id", b"1")]
    if place is not None:
        headers.append(("traceparent", place.encode()))
    return Outgoing(topic="events", key=key.encode(), value=b"{}", headers=headers)


def test_of_a_batch_only_what_was_confirmed_has_a_span_since_the_rest_is_sent_again() -> None:
    spans = Spans()
    failure = PublishFailed("timed out", code="publish_failed", service="kafka", operation="produce")
    failure.unconfirmed = frozenset({1, 2})
    with pytest.raises(PublishFailed):
        TracedPublisher(Broker(failure), spans.tracer).send([a_message(str(number)) for number in range(4)])
    assert spans.names() == ["relay.send"] * 2


def test_a_message_that_is_refused_alone_has_a_span_that_says_why() -> None:
    spans = Spans()
    failure = MessageTooLarge("too large", service="kafka", operation="produce")
    with pytest.raises(MessageTooLarge):
        TracedPublisher(Broker(failure), spans.tracer).send([a_message("a")])
    assert facts_of(spans.one("relay.send"))["code"] == failure.code


def test_a_message_without_a_trace_is_sent_as_it_is() -> None:
    spans, broker = Spans(), Broker()
    sent = [a_message("a", None), a_message("b", "4242424242424242")]
    assert TracedPublisher(broker, spans.tracer).send(sent) == 2
    assert (broker.taken, spans.all()) == (sent, [])


def test_a_message_bears_the_span_in_which_it_is_sent_and_no_other() -> None:
    spans, broker = Spans(), Broker()
    TracedPublisher(broker, spans.tracer).send([a_message("a"), a_message("b", UNSAMPLED)])
    first, second = (dict(message.headers)["traceparent"] for message in broker.taken)
    assert cast("bytes", first).split(b"-")[2:] == [id_of(spans.one("relay.send")).encode(), b"01"]
    assert cast("bytes", second).endswith(b"-00")
    assert [len(message.headers) for message in broker.taken] == [2, 2]


class Shut:
    """An intake whose ledger is away."""

    def take(self, records: Sequence[Record]) -> Taken:
        del records
        raise DatabaseAway("no answer", code="database_away", service="database")


def test_a_batch_that_must_wait_has_no_span_yet() -> None:
    spans = Spans()
    with pytest.raises(DatabaseAway):
        TracedIntake(Shut(), spans.tracer).take([a_record()])
    assert spans.all() == []
