"""A collector of traces: OTLP over HTTP, as OpenTelemetry's own takes it."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from tests.served import Handler, Served


class Collected(NamedTuple):
    """A span as it came in, and which process sent it."""

    process: str
    name: str
    trace: str
    span: str
    parent: str
    facts: dict[str, Any]


class Collector(Served):
    """Takes spans, while entered."""

    def __init__(self) -> None:
        super().__init__(_Intake)
        self.bodies: list[bytes] = []
        self.heads: list[str] = []

    def spans(self) -> list[Collected]:
        """Return everything that came in so far."""
        return [span for body in list(self.bodies) for span in _spans(body)]

    def of(self, trace: str) -> dict[str, Collected]:
        """Return the spans of one trace by name."""
        return {span.name: span for span in self.spans() if span.trace == trace}


class _Intake(Handler):
    server: Collector

    def post(self) -> None:
        assert self.path == "/v1/traces"
        self.server.heads.append(str(self.headers))
        self.server.bodies.append(self.body())
        self.answer(200, ExportTraceServiceResponse().SerializeToString(), "application/x-protobuf")


def _spans(body: bytes) -> Iterator[Collected]:
    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        process = _facts(resource.resource.attributes)["service.instance.id"]
        for scope in resource.scope_spans:
            for span in scope.spans:
                ids = span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex()
                yield Collected(process, span.name, *ids, _facts(span.attributes))


def _facts(attributes: Any) -> dict[str, Any]:  # noqa: ANN401 - protobuf's own
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}
