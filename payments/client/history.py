"""Everything that happened to one payment, as values."""

from datetime import datetime

import msgspec

from payferry.v1 import payment_pb2 as messages
from payments.client.values import Decline, Payment, decimal_text, decline_of, moment, payment_of


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One line of an event's saga; `reference_id` is the provider's name of what it did."""

    at: datetime | None
    step: str
    mark: str
    reference_id: str | None


class Failed(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt that failed; `kind` is its place in the tree of failures."""

    at: datetime | None
    attempt: int
    kind: str
    code: str
    service: str
    operation: str
    message: str


class HistoryEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event of the payment, and what became of it. `due_at` is when it is worked on next, while it is unfinished.

    Logs and dead letters tell of it under its `correlation_id`. An API of an older version tells none.
    """

    event_id: str
    kind: str
    state: str
    attempts: int
    received_at: datetime | None
    finished_at: datetime | None
    due_at: datetime | None
    steps: tuple[Step, ...]
    failures: tuple[Failed, ...]
    correlation_id: str | None
    trace_id: str | None


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One side of a movement of money: debits are positive, credits negative."""

    leg: str
    account: str
    amount: str
    amount_minor: int
    currency: str
    booked_at: datetime | None


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """An event that failed for good."""

    id: int
    event_id: str | None
    state: str
    resolution: str | None
    reason: str
    failure_type: str
    message: str
    replay_count: int
    first_failed_at: datetime | None
    last_failed_at: datetime | None
    next_replay_at: datetime | None
    correlation_id: str | None


class History(msgspec.Struct, frozen=True, kw_only=True):
    """A payment with all that happened to it. `payment` is None while none of its events has been booked.

    Where it is `truncated`, there is more than an answer holds, and each part has its latest.
    """

    payment: Payment | None
    events: tuple[HistoryEvent, ...]
    entries: tuple[Entry, ...]
    dead_letters: tuple[DeadLetter, ...]
    declines: tuple[Decline, ...]
    truncated: bool


def history_of(answer: messages.GetPaymentHistoryResponse) -> History:
    """Return an answer as a value."""
    decimals = answer.payment.decimals
    return History(
        payment=payment_of(answer.payment) if answer.HasField("payment") else None,
        events=tuple(map(_event, answer.events)),
        entries=tuple(_entry(each, decimals) for each in answer.entries),
        dead_letters=tuple(map(_dead_letter, answer.dead_letters)),
        declines=tuple(map(decline_of, answer.declines)),
        truncated=answer.truncated,
    )


def _event(told: messages.HistoryEvent) -> HistoryEvent:
    return HistoryEvent(
        event_id=told.event_id,
        kind=told.kind,
        state=told.state,
        attempts=told.attempts,
        received_at=moment(told, "received_at"),
        finished_at=moment(told, "finished_at"),
        due_at=moment(told, "due_at"),
        steps=tuple(map(_step, told.steps)),
        failures=tuple(map(_failed, told.failures)),
        correlation_id=told.correlation_id or None,
        trace_id=told.trace_id or None,
    )


def _step(told: messages.Step) -> Step:
    return Step(at=moment(told, "at"), step=told.step, mark=told.mark, reference_id=told.reference_id or None)


def _failed(told: messages.Failure) -> Failed:
    return Failed(
        at=moment(told, "at"),
        attempt=told.attempt,
        kind=told.kind,
        code=told.code,
        service=told.service,
        operation=told.operation,
        message=told.message,
    )


def _entry(told: messages.Entry, decimals: int) -> Entry:
    return Entry(
        leg=told.leg,
        account=told.account,
        amount=decimal_text(told.amount_minor, decimals),
        amount_minor=told.amount_minor,
        currency=told.currency,
        booked_at=moment(told, "booked_at"),
    )


def _dead_letter(told: messages.DeadLetter) -> DeadLetter:
    return DeadLetter(
        id=told.id,
        event_id=told.event_id or None,
        state=told.state,
        resolution=told.resolution or None,
        reason=told.reason,
        failure_type=told.failure_type,
        message=told.message,
        replay_count=told.replay_count,
        first_failed_at=moment(told, "first_failed_at"),
        last_failed_at=moment(told, "last_failed_at"),
        next_replay_at=moment(told, "next_replay_at"),
        correlation_id=told.correlation_id or None,
    )
