"""A Sentry that keeps what it is sent, and can be looked into."""

import gzip
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self


class FakeSentry(ThreadingHTTPServer):
    """Plays the endpoint of a DSN. Serves while entered; answers with `status`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Intake)
        self.status = 200
        self.requests: list[tuple[str, str]] = []
        """Path and login of each request."""
        self.bodies: list[str] = []
        """All that was sent, as text."""
        self._thread = threading.Thread(target=self.serve_forever)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()

    @property
    def dsn(self) -> str:
        return f"http://publickey@127.0.0.1:{self.server_port}/7"

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events, as they were sent."""
        return self._of("event")

    @property
    def check_ins(self) -> list[dict[str, Any]]:
        """The check-ins of monitors."""
        return self._of("check_in")

    def _of(self, kind: str) -> list[dict[str, Any]]:
        return [item for body in list(self.bodies) for told, item in _items(body) if told == kind]


def _items(envelope: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each item of an envelope with its type: a line of headers, and then two lines for each."""
    lines = envelope.splitlines()[1:]
    for head, item in zip(lines[::2], lines[1::2], strict=False):
        yield json.loads(head)["type"], json.loads(item)


class _Intake(BaseHTTPRequestHandler):
    server: FakeSentry

    def do_POST(self) -> None:
        body = gzip.decompress(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append((self.path, self.headers["X-Sentry-Auth"]))
        self.server.bodies.append(body.decode())
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_told: object) -> None:
        """Say nothing."""
