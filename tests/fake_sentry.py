"""A Sentry that keeps what it is sent, and can be looked into."""

import gzip
import json
from collections.abc import Iterator
from typing import Any

from tests.served import Handler, Served


class FakeSentry(Served):
    """Plays the endpoint of a DSN. Serves while entered; answers with `status`."""

    def __init__(self) -> None:
        super().__init__(_Intake)
        self.status = 200
        self.requests: list[tuple[str, str]] = []
        """Path and login of each request."""
        self.bodies: list[str] = []
        """All that was sent, as text."""

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


class _Intake(Handler):
    server: FakeSentry

    def post(self) -> None:
        body = gzip.decompress(self.body())
        self.server.requests.append((self.path, self.headers["X-Sentry-Auth"]))
        self.server.bodies.append(body.decode())
        self.answer(self.server.status)
