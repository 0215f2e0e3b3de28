"""What a breaker can be, give out and tell, as values."""

from enum import StrEnum

import msgspec


class State(StrEnum):
    """What a breaker does with calls."""

    CLOSED = "closed"
    """Lets them through."""
    OPEN = "open"
    """Refuses them."""
    HALF_OPEN = "half_open"
    """Lets a few through, to see how they fare."""


class Permit(msgspec.Struct, frozen=True):
    """Leave for one call. `generation` is the state that it was given in: in a later one its result counts for nothing.

    `probe` is the permit of a half-open breaker, which may be used once.
    """

    generation: int
    probe: str | None = None


class Change(msgspec.Struct, frozen=True):
    """A change of state, and why. `reason` is one word of the rules, such as `failure_rate`."""

    was: str
    now: str
    reason: str


class BreakerEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A change of state in the fleet, as it stands in the Redis stream. `at` is in seconds since 1970."""

    name: str
    was: str
    now: str
    reason: str
    generation: int
    at: float


class BreakerView(msgspec.Struct, frozen=True, kw_only=True):
    """What the fleet knows of one breaker. A generation of 0: Redis knows nothing of it, so it is closed."""

    name: str
    state: str
    generation: int
    until_seconds: float
    """How long it goes on to refuse all calls."""
    isolated: bool
    calls: int
    failures: int
    slow: int
    consecutive_failures: int
    opened: int
    """How often it has opened."""
    opened_in_a_row: int
    """How often without a whole window of quiet in between; each time it stays open longer."""
    active_probes: int
    successful_probes: int
