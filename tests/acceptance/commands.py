"""`payferry` as a person at a terminal has it: real processes, real output, real exit codes."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PROGRAM = str(Path(sys.executable).with_name("payferry"))

_OURS = (
    *("KAFKA_", "REDIS_", "CELERY_", "DATABASE_", "BRIDGE_", "SANDBOX_", "STRIPE_", "RAZORPAY_", "PAYPAL_"),
    *("CANONICAL_", "LOG_", "FLOWER_", "PROCESS_", "PAYFERRY_", "SWEEP_", "WORKER_", "BACKOFF_"),
    *("API_", "PAYMENT_", "DLQ_", "BREAKER_", "SENTRY_", "GATEWAY_", "OUT_OF_ORDER_", "TASK_", "LEASE_", "VISIBILITY_"),
    *("MONITOR_", "PROBE_", "SURVEY_", "REQUIRED_", "METRICS_"),
    *("OTEL_", "TRACES_"),
)
"""What a test sets itself, rather than inherit it."""


def environment(told: Mapping[str, str]) -> dict[str, str]:
    """Return our environment without any setting of Payferry, and with those that are told."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    return {**inherited, "COLUMNS": "200", **told}


class Done:
    """A command that has ended."""

    def __init__(self, code: int, out: bytes, err: bytes) -> None:
        self.code = code
        self.out = out.decode()
        self.err = err.decode()

    @property
    def json(self) -> dict[str, Any]:
        """The one JSON object on stdout."""
        told: dict[str, Any] = json.loads(self.out)
        return told


def payferry(*arguments: str, env: Mapping[str, str], folder: Path, stdin: bytes = b"", seconds: float = 60) -> Done:
    """Run a command to its end in `folder`."""
    done = subprocess.run(
        [PROGRAM, *arguments],
        env=environment(env),
        cwd=folder,
        input=stdin,
        capture_output=True,
        timeout=seconds,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)
