"""The provider sandbox in a process of its own, for tests."""

import contextlib
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from payments.event import Provider
from payments.gateway.client import ClientPolicy
from payments.gateway.endpoint import Endpoint
from payments.gateway.gateway import Gateway
from payments.gateway.gateways import build_gateways

PROJECT = Path(__file__).parents[1]
PATIENT = ClientPolicy()
HASTY = ClientPolicy(read_timeout_seconds=0.3, total_timeout_seconds=0.6)

SERVE = """
import sys
from pathlib import Path
from workers.sandbox.faults import Faults
from workers.sandbox.server import serve
serve("127.0.0.1", int(sys.argv[1]), Faults(), Path(sys.argv[2]))
"""


class Sandbox:
    """A sandbox in a process of its own."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.http = httpx.Client(base_url=self.url, trust_env=False)
        self.effects_path = folder / "effects.jsonl"
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-c", SERVE, str(self.port), str(self.effects_path)]
        self.process = subprocess.Popen(command, cwd=PROJECT)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.TransportError):
                if self.http.get("/sandbox/health").is_success:
                    return
            time.sleep(0.05)  # the pace of asking; the deadline is what counts
        raise AssertionError("the sandbox did not come up")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        self.process.send_signal(number)
        self.process.wait(10)

    def put_faults(self, **faults: Mapping[str, object]) -> None:
        body = {"*": {}, **faults}
        self.http.put("/sandbox/faults", json=body).raise_for_status()

    def effects(self, payment_id: str) -> list[Any]:
        asked = self.http.get("/sandbox/effects", params={"payment_id": payment_id})
        effects: list[Any] = asked.json()["effects"]
        return effects

    def gateways(self, policy: ClientPolicy = PATIENT) -> Mapping[Provider, Gateway]:
        return build_gateways(dict.fromkeys(Provider, Endpoint(base_url=self.url, api_key="id:secret")), policy)
