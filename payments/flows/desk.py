"""What a worker has at hand when a payment comes to it."""

import time
from collections.abc import Callable, Mapping

import msgspec

from payments.event import Provider
from payments.gateway.gateway import Gateway
from payments.ledger.claims import Claims
from payments.ledger.settlements import Settlements
from payments.ledger.sweeps import Sweeps
from payments.queue.wakeups import Wakeups
from payments.resilience.backoff import Backoff


class WorkPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How often and how long work is tried."""

    most_attempts: int
    backoff: Backoff
    lease_seconds: float
    line_seconds: float
    """For how long one task goes on with later events of its payment before it passes them on."""
    longest_countdown_seconds: float
    """What Redis would give out again while it waits in a worker is no countdown: half the visibility timeout."""
    out_of_order_wait_seconds: float
    out_of_order_window_seconds: float
    sweep_interval_seconds: float
    sweep_grace_seconds: float
    sweep_batch_size: int


class Desk(msgspec.Struct, frozen=True, kw_only=True):
    """The tools and the rules. `tell` takes the name of a log event and its fields."""

    claims: Claims
    settlements: Settlements
    sweeps: Sweeps
    wakeups: Wakeups
    gateways: Mapping[Provider, Gateway]
    policy: WorkPolicy
    events_topic: str
    dead_letter_topic: str
    tell: Callable[..., None]
    clock: Callable[[], float] = time.monotonic
