"""What keeps the signs of a process coming, beside its own loop."""

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version

import redis

from config.settings import Settings
from payments.resilience.exchange import connect
from workers.metrics.exposition import own_metrics
from workers.pulse.book import PulseBook
from workers.pulse.probe import Probe
from workers.pulse.pulse import Pulse, Report, no_notes
from workers.pulse.sign import Sign

BEAT_SECONDS = 2.0
"""Between two signs."""

PATIENCE_SECONDS = {"bridge": 15.0, "worker": 15.0, "beat": 15.0, "api": 15.0, "relay": 45.0}
"""How long the loop of a process may take for one turn. A relay waits for the brokers to confirm, topic by topic."""

_STOP_SECONDS = 2.0


def pulse_of(settings: Settings, role: str, report: Report = no_notes) -> Pulse:
    """Return the pulse of this process."""
    host = socket.gethostname()
    sign = Sign(
        name=f"{settings.process.name}@{host}",
        role=role,
        host=host,
        pid=os.getpid(),
        version=version("payferry"),
        started_at=round(time.time(), 3),
    )
    return Pulse(sign, PATIENCE_SECONDS[role], report)


class Heart:
    """A thread that files a sign every two seconds, and the probe, where there is to be one. Start it after the fork.

    It tells nothing and goes on while Redis is away, and without a book it files nothing.
    """

    def __init__(self, pulse: Pulse, book: PulseBook | None, every_seconds: float = BEAT_SECONDS) -> None:
        self._pulse = pulse
        self._book = book
        self._every_seconds = every_seconds
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pulse", daemon=True)
        self._probe: Probe | None = None

    def start(self, settings: Settings) -> None:
        """Begin. Raises ConfigurationError where the probe cannot listen."""
        told = settings.monitor
        if told.probe_port:
            self._probe = Probe(told.probe_address, told.probe_port, self._pulse, own_metrics)
        self._thread.start()

    def stop(self) -> None:
        """Say that the process ends, and give no sign any more. May be called twice."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(_STOP_SECONDS)
        if self._probe is not None:
            self._probe.close()
            self._probe = None
        if self._book is not None:
            with suppress(redis.RedisError, OSError):
                self._book.remove(self._pulse.key)
            self._book = None

    def _run(self) -> None:
        while not self._stopping.is_set():
            sign = self._pulse.sign()
            if self._book is not None:
                with suppress(redis.RedisError, OSError):
                    self._book.write(sign)
            self._stopping.wait(self._every_seconds)


def heart_of(settings: Settings, pulse: Pulse) -> Heart:
    """Return what keeps the signs of this process coming."""
    url = settings.redis.state_url
    return Heart(pulse, PulseBook(connect(url)) if url else None)


@contextmanager
def beating(settings: Settings, role: str) -> Iterator[Pulse]:
    """Give signs of life until the block ends. Raises ConfigurationError where the probe cannot listen."""
    pulse = pulse_of(settings, role)
    heart = heart_of(settings, pulse)
    heart.start(settings)
    try:
        yield pulse
    finally:
        heart.stop()
