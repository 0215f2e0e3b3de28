"""What the replay of dead letters has at hand."""

import time
from collections.abc import Callable

import msgspec

from payments.ledger.database import Database
from payments.ledger.dead_letters.burial import DeadLetters
from payments.ledger.dead_letters.jobs import ReplayJobs
from payments.ledger.dead_letters.replays import Replays
from payments.ledger.dead_letters.switch import ReplaySwitch
from payments.ledger.sweeps import Sweeps
from payments.policies import Policies
from payments.queue.wakeups import Wakeups
from payments.resilience.switchboard import Switchboard
from payments.tracing.tracer import UNTRACED, Tracer


class ReplayPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How much one run of beat sends back, and for how long a worker goes on with a job before it passes it on."""

    batch_size: int
    least_gap_seconds: float
    """Within this time no second tick of the schedule is due."""
    max_event_bytes: int
    job_seconds: float = 4.0
    job_lease_seconds: float = 10.0
    round_size: int = 250
    """Most letters of one provider in one transaction."""


class ReplayDesk(msgspec.Struct, frozen=True, kw_only=True):
    """The tools and the rules. `start_job` queues a job's next stretch of work, in so many seconds."""

    database: Database
    letters: DeadLetters
    replays: Replays
    jobs: ReplayJobs
    switch: ReplaySwitch
    sweeps: Sweeps
    wakeups: Wakeups
    switchboard: Switchboard
    policies: Policies
    policy: ReplayPolicy
    start_job: Callable[[int, float], None]
    tell: Callable[..., None]
    followed: dict[str, int] = msgspec.field(default_factory=dict)
    """For each breaker the latest closing that this process knows to be followed."""
    tracer: Tracer = UNTRACED
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
