"""What a client is answered: our values as the messages of proto/payferry/v1/payment.proto."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from payferry.v1 import payment_pb2 as pb
from payments import money
from payments.ledger.feed import Change
from payments.ledger.history import BookedEntry, Done, Failed, History, PastDecline, PastEvent, PastLetter
from payments.money import exponent_of
from payments.providers.canonical import EXPONENTS
from payments.redaction import masked_email
from payments.view import PaymentView

LARGEST_BYTES = 3 * 1024 * 1024
"""Of an answer: clients take messages of 4 MiB unless they are told otherwise."""

_LONGEST_TEXT = 2000


def payment_message(view: PaymentView, *, whole: bool) -> pb.Payment:
    """Return the payment; with its e-mail in clear where `whole`, otherwise masked."""
    email = view.customer_email
    return pb.Payment(
        id=view.id,
        provider=f"PROVIDER_{view.provider.name}",
        payment_id=view.payment_id,
        status=f"PAYMENT_STATUS_{view.status.name}",
        currency=view.currency,
        amount_minor=view.amount_minor,
        captured_minor=view.captured_minor,
        refunded_minor=view.refunded_minor,
        decimals=_decimals(view),
        customer_reference=view.customer_reference,
        customer_email=email if whole or email is None else masked_email(email),
        created_at=_stamp(view.created_at),
        updated_at=_stamp(view.updated_at),
        revision=view.revision,
    )


def existing_message(view: PaymentView, cursor: str, *, whole: bool) -> pb.PaymentEvent:
    """Return that the payment was there."""
    return pb.PaymentEvent(cursor=cursor, payment=payment_message(view, whole=whole), existing=True)


def change_message(change: Change, cursor: str, *, whole: bool) -> pb.PaymentEvent:
    """Return that the payment has changed."""
    declined = change.decline_kind is not None
    return pb.PaymentEvent(
        cursor=cursor,
        payment=payment_message(change.view, whole=whole),
        event_id=change.event_id,
        kind=change.kind,
        ending=change.ending,
        occurred_at=_stamp(change.occurred_at),
        settled_at=_stamp(change.view.updated_at),
        decline=pb.Decline(kind=change.decline_kind, code=change.decline_code) if declined else None,
    )


def history_message(view: PaymentView | None, history: History, *, whole: bool) -> pb.GetPaymentHistoryResponse:
    """Return everything that happened to a payment; what is oldest is left out where it would be too much."""
    answer = pb.GetPaymentHistoryResponse(
        payment=payment_message(view, whole=whole) if view is not None else None,
        events=map(_event, history.events),
        entries=map(_entry, history.entries),
        dead_letters=map(_letter, history.dead_letters),
        declines=map(_decline, history.declines),
        truncated=history.truncated,
    )
    while answer.ByteSize() > LARGEST_BYTES:
        answer.truncated = True
        _halve_largest(answer)
    return answer


def _halve_largest(answer: pb.GetPaymentHistoryResponse) -> None:
    """Leave out the older half of the list that takes most room: it has something, or the answer were not too large."""
    lists: tuple[Any, ...] = (answer.events, answer.entries, answer.dead_letters, answer.declines)
    largest = max(lists, key=lambda told: sum(each.ByteSize() for each in told))
    del largest[: (len(largest) + 1) // 2]


def _event(event: PastEvent) -> pb.HistoryEvent:
    return pb.HistoryEvent(
        event_id=event.event_id,
        kind=event.kind,
        state=event.state,
        attempts=event.attempts,
        received_at=_stamp(event.received_at),
        finished_at=_stamp(event.finished_at),
        due_at=_stamp(event.due_at),
        steps=_steps(event.steps),
        failures=_failures(event.failures),
        correlation_id=event.correlation_id,
        trace_id=event.trace_id,
    )


def _steps(steps: Iterable[Done]) -> Iterable[pb.Step]:
    return (
        pb.Step(at=_stamp(each.at), step=each.step, mark=each.mark, reference_id=each.reference_id) for each in steps
    )


def _failures(failures: Iterable[Failed]) -> Iterable[pb.Failure]:
    return (
        pb.Failure(
            at=_stamp(each.at),
            attempt=each.attempt,
            kind=each.kind,
            code=each.code,
            service=each.service,
            operation=each.operation,
            message=each.message[:_LONGEST_TEXT],
        )
        for each in failures
    )


def _entry(entry: BookedEntry) -> pb.Entry:
    return pb.Entry(
        leg=entry.leg,
        account=entry.account,
        amount_minor=entry.amount_minor,
        currency=entry.currency,
        booked_at=_stamp(entry.booked_at),
    )


def _letter(letter: PastLetter) -> pb.DeadLetter:
    return pb.DeadLetter(
        id=letter.id,
        event_id=letter.event_id,
        state=letter.state,
        resolution=letter.resolution,
        reason=letter.reason,
        failure_type=letter.failure_type,
        message=letter.message[:_LONGEST_TEXT],
        replay_count=letter.replay_count,
        first_failed_at=_stamp(letter.first_failed_at),
        last_failed_at=_stamp(letter.last_failed_at),
        next_replay_at=_stamp(letter.next_replay_at),
        correlation_id=letter.correlation_id,
    )


def _decline(decline: PastDecline) -> pb.Decline:
    return pb.Decline(kind=decline.kind, code=decline.code, declined_at=_stamp(decline.declined_at))


def _stamp(moment: datetime | None) -> Timestamp | None:
    if moment is None:
        return None
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp


def _decimals(view: PaymentView) -> int:
    """Return how many decimals the provider's minor unit has."""
    return exponent_of(view.currency, EXPONENTS.get(view.provider, money.EXPONENTS))
