"""Putting lost work back on its way."""

import msgspec

from payments.event import Provider
from payments.flows.desk import Desk

_SLOT = "sweep"


class Swept(msgspec.Struct, frozen=True, kw_only=True):
    """What one sweep found."""

    freed: int = 0
    woken: int = 0


def sweep(desk: Desk) -> Swept | None:
    """Free expired leases and send lost wake-ups again; None where another worker has this tick.

    Celery's queue is first in, first out, so the number of its oldest message tells which messages have left it. An
    event that is still due although its message has left is lost, and only that one is sent again: a long backlog is
    not doubled. Raises QueueAway, DatabaseAway.
    """
    policy = desk.policy
    if not desk.sweeps.take_slot(_SLOT, policy.sweep_interval_seconds * 0.8):  # beats are not exact
        return None
    freed = desk.sweeps.free_expired()
    woken = sum(_wake_lost(desk, provider) for provider in Provider)
    if freed or woken:
        desk.tell("work_swept_up", freed=freed, woken=woken)
    return Swept(freed=freed, woken=woken)


def _wake_lost(desk: Desk, provider: Provider) -> int:
    watermark = desk.wakeups.watermark(f"payments.{provider}")
    policy = desk.policy
    lost = desk.sweeps.lost(provider, watermark, policy.sweep_grace_seconds, policy.sweep_batch_size)
    desk.wakeups.send(lost)
    return len(lost)
