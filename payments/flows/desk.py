"""What a worker has at hand when a payment comes to it."""

import time
from collections.abc import Callable, Mapping

import msgspec

from payments.event import Provider
from payments.flows.dead_letters.burying import BurialPolicy
from payments.flows.ending import RetryLater, Waiting
from payments.flows.guard import Guard
from payments.gateway.gateway import Gateway
from payments.ledger.claims import Claims
from payments.ledger.settlements import Settlements
from payments.ledger.sweeps import Sweeps
from payments.policies import Policies
from payments.queue.wakeups import Wakeups
from payments.tracing.tracer import UNTRACED, Tracer


class WorkPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """For how long work is held, passed on, waited for and looked for. How failures are answered is in `Policies`."""

    lease_seconds: float
    line_seconds: float
    """For how long one task goes on with later events of its payment before it passes them on."""
    longest_countdown_seconds: float
    """What Redis would give out again while it waits in a worker is no countdown: half the visibility timeout."""
    longest_wait_seconds: float
    """What must wait longer is no message meanwhile: the sweeper sends one when it is due."""
    buries_when_open: bool
    """Whether a payment whose provider's breaker is open is buried, and does not wait."""
    out_of_order_wait_seconds: float
    out_of_order_window_seconds: float
    sweep_interval_seconds: float
    sweep_grace_seconds: float
    sweep_batch_size: int

    def keeps_message(self, ending: RetryLater | Waiting) -> bool:
        """Return whether a message should wait in a worker for as long as `ending` says."""
        longest_seconds = (
            self.longest_countdown_seconds if isinstance(ending, RetryLater) else self.longest_wait_seconds
        )
        return ending.delay_seconds <= longest_seconds


class Desk(msgspec.Struct, frozen=True, kw_only=True):
    """The tools and the rules. `tell` takes the name of a log event and its fields."""

    claims: Claims
    settlements: Settlements
    sweeps: Sweeps
    wakeups: Wakeups
    gateways: Mapping[Provider, Gateway]
    guard: Guard
    policies: Policies
    policy: WorkPolicy
    burials: BurialPolicy
    events_topic: str
    tell: Callable[..., None]
    tracer: Tracer = UNTRACED
    clock: Callable[[], float] = time.monotonic
