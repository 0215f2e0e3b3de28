"""A payment processor that cannot keep a secret: what goes wrong there is told with all that it knows."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self


class Gossip(ThreadingHTTPServer):
    """Speaks our canonical protocol while entered. It refuses a payment whose name has `refused` in it, is away for the
    first two calls for one with `away`, and does the others. Each error quotes `secrets` and the key that it was sent.
    """

    def __init__(self, *secrets: str) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.secrets = secrets
        self.calls: list[str] = []
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
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def status(self, path: str) -> int:
        """Return what this call is answered with."""
        payment = path.split("/")[2]
        self.calls.append(payment)
        if "refused" in payment:
            return 400
        return 503 if "away" in payment and self.calls.count(payment) <= _CALLS_AWAY else 200


_CALLS_AWAY = 2


class _Answers(BaseHTTPRequestHandler):
    server: Gossip

    def do_GET(self) -> None:
        self._answer(404, {"error": {"code": "not_found", "message": "no such payment"}})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status = self.server.status(self.path)
        told = ", ".join((*self.server.secrets, self.headers["Authorization"]))
        error = {"code": f"gossip_{status}", "message": f"not for {told}"}
        done = {"verdict": "done", "amount_minor": body["amount_minor"], "reference_id": "ref_1"}
        self._answer(status, done if status == 200 else {"error": error})

    def _answer(self, status: int, told: object) -> None:
        body = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_told: object) -> None:
        """Say nothing."""
