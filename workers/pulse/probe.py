"""A small HTTP server in a process, for container probes and Prometheus: /livez, /readyz, /metrics.

It runs in a thread beside the process' own loop, and speaks for that loop and not for itself. /livez says nothing about
servers that are away: to start a process again would not bring them back.
"""

import os
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer

from payments.failures import ConfigurationError
from workers.pulse.pulse import AWAY, Pulse
from workers.pulse.sign import Sign

Metrics = Callable[[], bytes]

_CLIENT_SECONDS = 5.0  # a client that says nothing is let go
_OK, _NOT_FOUND, _AWAY = 200, 404, 503


class Probe:
    """Answers at one address, until `close`. Raises ConfigurationError where it cannot listen there."""

    def __init__(self, address: str, port: int, pulse: Pulse, metrics: Metrics) -> None:
        """`port` 0 means any."""
        try:
            self._server = _Server((address, port), pulse, metrics)
        except OSError as error:
            problem = f"PROBE_ADDRESS, PROBE_PORT: cannot listen on {address}:{port}: {error.strerror}"
        else:
            threading.Thread(target=self._server.serve_forever, name="probe", daemon=True).start()
            # a child that is forked later must not keep the port when we are gone
            os.register_at_fork(after_in_child=self._server.socket.close)
            return
        raise ConfigurationError(problem, service="probe")

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._server.server_address[1])

    def close(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()


def live(sign: Sign) -> tuple[int, str]:
    """Return the status and the words of /livez."""
    return (_AWAY, sign.stuck) if sign.stuck else (_OK, "alive")


def ready(sign: Sign, *, is_ready: bool) -> tuple[int, str]:
    """Return the status and the words of /readyz."""
    missing = sorted(AWAY & sign.troubles.keys())
    if not is_ready:
        return _AWAY, "it is still starting"
    return (_AWAY, sign.stuck or ", ".join(missing)) if sign.stuck or missing else (_OK, "ready")


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], pulse: Pulse, metrics: Metrics) -> None:
        self.pulse = pulse
        self.metrics = metrics
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Listen, and ask nobody what the address is called: a name server that hangs would hold up our start."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a client that went away."""


class _Handler(BaseHTTPRequestHandler):
    timeout = _CLIENT_SECONDS
    server: _Server

    def do_GET(self) -> None:
        """Answer one question."""
        path, pulse = self.path.partition("?")[0], self.server.pulse
        if path == "/livez":
            self._say(*live(pulse.sign()))
        elif path == "/readyz":
            self._say(*ready(pulse.sign(), is_ready=pulse.is_ready))
        elif path == "/metrics":
            self._answer(_OK, "text/plain; version=0.0.4; charset=utf-8", self.server.metrics())
        else:
            self._say(_NOT_FOUND, "there are /livez, /readyz and /metrics")

    def _say(self, status: int, words: str) -> None:
        self._answer(status, "text/plain; charset=utf-8", f"{words}\n".encode())

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
        """Write no line for each probe."""
