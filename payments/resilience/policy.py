"""What protects a dependency from us and us from it, as values. The state that goes with them is kept elsewhere."""

import math
from typing import Annotated

import msgspec

Count = Annotated[int, msgspec.Meta(ge=1, le=100_000)]
Share = Annotated[float, msgspec.Meta(gt=0, le=1)]
Seconds = Annotated[float, msgspec.Meta(gt=0, le=86_400)]
Rate = Annotated[float, msgspec.Meta(ge=0, le=1_000_000)]


class BreakerPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a breaker opens, for how long, and what it takes to close it.

    It opens after `consecutive_failures`, or once at least `minimum_volume` calls of the last `window_seconds` (kept in
    `buckets`) hold `failure_rate` failures or `slow_rate` calls slower than `slow_call_seconds`. It stays open for
    `open_seconds`, `open_factor` times longer each time that it opens again, at most `open_cap_seconds`. Then it lets
    `probes` calls through in the whole fleet, each of which must report within `probe_seconds` or loses its permit;
    `successes` of them close it.
    """

    consecutive_failures: Count = 5
    disputed_seconds: Seconds = 0.2
    """Failures in a row of one process are none of the fleet's where another had a success within this time."""
    minimum_volume: Count = 10
    failure_rate: Share = 0.5
    slow_rate: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.8
    """0: slow calls never open it."""
    slow_call_seconds: Seconds = 3.0
    window_seconds: Seconds = 60.0
    buckets: Annotated[int, msgspec.Meta(ge=1, le=100)] = 10
    open_seconds: Seconds = 30.0
    open_factor: Annotated[float, msgspec.Meta(ge=1, le=10)] = 2.0
    open_cap_seconds: Seconds = 300.0
    probes: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 3
    successes: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 2
    probe_seconds: Seconds = 15.0
    spread_seconds: Seconds = 30.0
    """What was refused while it was open comes back within this time after the reopening, and not all at once."""

    @property
    def slow_after_seconds(self) -> float:
        """How long a call may take before it counts as slow; for ever where slow calls count for nothing."""
        return self.slow_call_seconds if self.slow_rate else math.inf


class RatePolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many calls a provider may get from the whole fleet: a token bucket. `calls_per_second` 0 means no limit."""

    calls_per_second: Rate = 0.0
    burst: Count = 10
    alone_share: Share = 0.1
    """The share of the limit that one process takes while it cannot reach the others through Redis."""


class BudgetPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many retries the whole fleet may make.

    At most `share` of the calls of the last `window_seconds`, and always `floor_per_second`, so that a quiet provider
    can be retried too.
    """

    share: Share = 0.2
    floor_per_second: Rate = 10.0
    window_seconds: Seconds = 10.0


class VelocityPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many dead letters of a provider go back to work, from the whole fleet: a token bucket. 0: no limit."""

    per_second: Rate = 200.0
    burst: Count = 200
