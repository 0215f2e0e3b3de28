"""What a process says of itself, as values."""

from enum import StrEnum

import msgspec

SILENT_SECONDS = 8.0
"""A process that gave no sign for longer is silent: frozen, cut off from Redis, or dead. A sign comes every 2 s."""

FORGOTTEN_SECONDS = 600.0
"""After this long without a sign a process is no longer remembered."""


class Life(StrEnum):
    """How a process is."""

    ALIVE = "alive"
    STUCK = "stuck"
    """It gives signs, and its own loop makes no progress."""
    SILENT = "silent"
    """It gives no sign, and has not said that it ends."""


class Sign(msgspec.Struct, frozen=True, kw_only=True):
    """One sign of life. No field holds personal data, and all durations are by the process' own clock."""

    name: str
    """PROCESS_NAME@host, such as `worker.1@box`: unique among the processes of its role."""
    role: str
    """bridge, worker, beat, relay, api."""
    host: str
    pid: int
    version: str
    started_at: float
    """Seconds since 1970, by the clock of its host."""
    up_seconds: float = 0.0
    turned_seconds: float = 0.0
    """Since its main loop last made progress."""
    stuck: str = ""
    """Why it makes no progress, in words; empty while it does."""
    troubles: dict[str, float] = msgspec.field(default_factory=dict)
    """What is in its way, such as `database away`, and for how many seconds."""
    numbers: dict[str, float] = msgspec.field(default_factory=dict)
    """A few figures of its role. worker: done, active, concurrency; bridge: partitions; relay: lanes; api: streams."""

    @property
    def key(self) -> str:
        """What it is filed under."""
        return f"{self.role}:{self.name}"


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """A process as the monitor sees it: its last sign, and how long ago that came, by Redis' own clock."""

    sign: Sign
    seen_seconds: float

    @property
    def life(self) -> Life:
        """How it is."""
        if self.seen_seconds > SILENT_SECONDS:
            return Life.SILENT
        return Life.STUCK if self.sign.stuck else Life.ALIVE

    @property
    def why(self) -> str:
        """Why it is not alive, in words; empty where it is."""
        if self.life is Life.SILENT:
            return f"no sign of life for {self.seen_seconds:.0f} s: frozen, dead, or cut off from Redis"
        return self.sign.stuck
