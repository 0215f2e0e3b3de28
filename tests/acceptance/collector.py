"""A collector of traces: OTLP over HTTP, as OpenTelemetry's own takes it."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)


class Collected(NamedTuple):
    """A span as it came in, and which process sent it."""

    process: str
    name: str
    trace: str
    span: str
    parent: str
    facts: dict[str, Any]


class Collector:
    """Takes spans, while entered."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.heads: list[str] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                assert self.path == "/v1/traces"
                collector.heads.append(str(self.headers))
                collector.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
                answer = ExportTraceServiceResponse().SerializeToString()
                self.send_response(200)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_told: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def spans(self) -> list[Collected]:
        """Return everything that came in so far."""
        return [span for body in list(self.bodies) for span in _spans(body)]

    def of(self, trace: str) -> dict[str, Collected]:
        """Return the spans of one trace by name."""
        return {span.name: span for span in self.spans() if span.trace == trace}


def _spans(body: bytes) -> Iterator[Collected]:
    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        process = _facts(resource.resource.attributes)["service.instance.id"]
        for scope in resource.scope_spans:
            for span in scope.spans:
                ids = span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex()
                yield Collected(process, span.name, *ids, _facts(span.attributes))


def _facts(attributes: Any) -> dict[str, Any]:  # noqa: ANN401 - protobuf's own
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}
