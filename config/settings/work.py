"""What can be set of the workers."""

from itertools import pairwise

from pydantic import model_validator

from config.settings.group import Group, setting


class WorkSettings(Group):
    """How workers take, limit and retry their work."""

    concurrency: int = setting(
        "WORKER_CONCURRENCY", default=4, ge=1, le=1000, about="How many payments one worker works on at a time."
    )
    soft_time_limit_seconds: float = setting(
        "TASK_SOFT_TIME_LIMIT_SECONDS", default=8.0, gt=0, le=86_400, about="After this long a task is told to end."
    )
    time_limit_seconds: float = setting(
        "TASK_TIME_LIMIT_SECONDS", default=9.0, gt=0, le=86_400, about="After this long its process is killed."
    )
    lease_seconds: float = setting(
        "LEASE_SECONDS", default=10.0, gt=0, le=86_400, about="How long a claimed payment is the worker's own."
    )
    visibility_timeout_seconds: int = setting(
        "VISIBILITY_TIMEOUT_SECONDS",
        default=600,
        gt=0,
        le=604_800,
        about="After this long Redis gives an unacknowledged message out.",
    )
    max_retries: int = setting(
        "PAYMENT_MAX_RETRIES",
        default=3,
        ge=0,
        le=100,
        about="Retries before a dead letter. Once set, it overrides those of the policies: docs/policies.md.",
    )
    backoff_base_seconds: float = setting(
        "BACKOFF_BASE_SECONDS",
        default=1.0,
        gt=0,
        le=86_400,
        about="The first delay, doubled each time. Once set, it overrides that of the policies.",
    )
    backoff_cap_seconds: float = setting(
        "BACKOFF_CAP_SECONDS",
        default=60.0,
        gt=0,
        le=604_800,
        about="The longest delay. Once set, it overrides that of the policies.",
    )
    out_of_order_wait_seconds: float = setting(
        "OUT_OF_ORDER_WAIT_SECONDS",
        default=5.0,
        gt=0,
        le=86_400,
        about="How long an event waits, each time, for a state that its payment has not reached.",
    )
    out_of_order_window_seconds: float = setting(
        "OUT_OF_ORDER_WINDOW_SECONDS", default=30.0, ge=0, le=2_592_000, about="How long in all, before it is buried."
    )
    sweep_interval_seconds: float = setting(
        "SWEEP_INTERVAL_SECONDS", default=1.0, ge=0.2, le=3600, about="How often lost work is looked for."
    )
    sweep_grace_seconds: float = setting(
        "SWEEP_GRACE_SECONDS",
        default=2.0,
        ge=0.1,
        le=3600,
        about="How long a wake-up may be under way before it counts as lost.",
    )
    sweep_batch_size: int = setting("SWEEP_BATCH_SIZE", default=5000, ge=1, about="Most wake-ups sent by one sweep.")

    @model_validator(mode="after")
    def _limits_are_in_order(self) -> "WorkSettings":
        ladder = (
            ("TASK_SOFT_TIME_LIMIT_SECONDS", self.soft_time_limit_seconds),
            ("TASK_TIME_LIMIT_SECONDS", self.time_limit_seconds),
            ("LEASE_SECONDS", self.lease_seconds),
            ("VISIBILITY_TIMEOUT_SECONDS", self.visibility_timeout_seconds),
        )
        for (lower, low), (upper, high) in pairwise(ladder):
            if low >= high:
                raise ValueError(f"{lower} ({low:g}) must be below {upper} ({high:g})")
        countdowns = (
            ("BACKOFF_CAP_SECONDS", self.backoff_cap_seconds),
            ("OUT_OF_ORDER_WAIT_SECONDS", self.out_of_order_wait_seconds),
        )
        for name, seconds in countdowns:
            if seconds >= self.visibility_timeout_seconds:
                raise ValueError(f"{name} ({seconds:g}) must be below VISIBILITY_TIMEOUT_SECONDS")
        return self
