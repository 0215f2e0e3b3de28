"""What is done about a failure: wait, try again later, take back, bury. The policy of its type decides."""

from random import uniform

import msgspec

from payments.failures import (
    AttemptsSpent,
    CircuitOpen,
    CompensationFailed,
    DataRefused,
    Failure,
    Permanent,
    Postponed,
    category_of,
)
from payments.flows.acting import settle_doubt
from payments.flows.announcement import announce_payment
from payments.flows.case import Case, Done, buried_as, buried_booked
from payments.flows.dead_letters.burying import burial_of
from payments.flows.desk import Desk
from payments.flows.ending import Overtaken, RetryLater, Waiting
from payments.ledger.dead_letters.burial import Burial
from payments.ledger.settlements import Booking, Ended
from payments.ledger.state import State
from payments.lifecycle import Act, Apply, decide
from payments.policies import FailurePolicy, Last
from payments.saga import Line, Mark, Take, next_move, to_take_back, turned_by


def answer(desk: Desk, case: Case, failure: Failure) -> Case | Done:
    """Answer a failure as its policy says: wait, try again later, or give it up."""
    policy = desk.policies.answer(case.claim.event.provider, type(failure))
    if isinstance(failure, Postponed) and not policy.burns_attempt:
        return _postpone(desk, case, failure, policy)
    tried_seconds = case.claim.put_off_seconds - case.claim.waited_seconds
    window_over = 0 < policy.window_seconds <= tried_seconds
    retried = not (case.claim.attempts > policy.retries or window_over or isinstance(failure, AttemptsSpent))
    _tell(desk, case, failure, retried=retried)
    return _retry(desk, case, failure, policy) if retried else _give_up(desk, case, failure, policy)


def _tell(desk: Desk, case: Case, failure: Failure, *, retried: bool) -> None:
    desk.tell(
        "payment_failed",
        provider=case.claim.event.provider,
        event_id=case.claim.event.event_id,
        attempt=case.claim.attempts,
        failure_type=failure.kind,
        category=category_of(type(failure)),
        service=failure.service,
        code=failure.code,
        retried=retried,
    )


def _postpone(desk: Desk, case: Case, failure: Postponed, policy: FailurePolicy) -> Case | Done:
    """Let it wait, for as long as its window lasts; or bury it at once, where an operator wants that.

    That is only for what has not begun: a payment of which something stands at the provider, or may, is never left so.
    """
    if isinstance(failure, CircuitOpen) and desk.policy.buries_when_open and not case.journal.has_begun:
        return _bury(desk, case, failure, policy)
    if 0 < policy.window_seconds <= case.claim.put_off_seconds:
        return _give_up(desk, case, failure, policy)
    return _wait(desk, case, failure, policy)


def _wait(desk: Desk, case: Case, failure: Postponed, policy: FailurePolicy) -> Done:
    """Put it off for no fault of its own. What an open breaker refused comes back spread over some time."""
    delay_seconds = failure.retry_after_seconds + policy.backoff.delay_seconds(1)
    if isinstance(failure, CircuitOpen):
        delay_seconds += uniform(0.0, desk.policies.breaker(failure.service).spread_seconds)  # noqa: S311 - no secret
    ours = desk.claims.wait(case.claim, delay_seconds, failure.code, case.journal.unwritten())
    return Done(Waiting(delay_seconds, failure.code) if ours else Overtaken())


def _retry(desk: Desk, case: Case, failure: Failure, policy: FailurePolicy) -> Done:
    asked_seconds: float = getattr(failure, "retry_after_seconds", None) or 0.0
    delay_seconds = max(policy.backoff.delay_seconds(case.claim.attempts), asked_seconds)
    state = State.VERIFYING if case.journal.in_doubt else State.RETRYING
    ours = desk.claims.retry_later(case.claim, delay_seconds, failure, state, case.journal.unwritten())
    return Done(RetryLater(delay_seconds, failure.code) if ours else Overtaken())


def _give_up(desk: Desk, case: Case, failure: Failure, policy: FailurePolicy) -> Case | Done:
    """End what cannot succeed: take back what was done where the policy says so, and bury the event."""
    journal, plan = case.journal, decide(case.claim.payment, case.claim.event)
    if not isinstance(plan, Act):
        return _bury(desk, case, failure, policy)
    try:
        if settle_doubt(desk, case.claim, plan, journal):
            return case
    except Postponed as postponed:  # asking must wait, and a payment is not buried in doubt for that
        if not isinstance(failure, Postponed):
            return answer(desk, case, postponed)
    if turned_by(journal.log) is not None:
        return _bury_uncompensated(desk, case, failure)
    if policy.compensate and not journal.in_doubt and to_take_back(journal.log) is not None:
        return _take_back(desk, case, failure, policy)
    return _bury(desk, case, failure, policy)


def _take_back(desk: Desk, case: Case, failure: Failure, policy: FailurePolicy) -> Case | Done:
    """Note that the next step has failed for good; from here the saga goes backward."""
    move = next_move(case.journal.log)
    assert isinstance(move, Take)
    line = Line(step=move.step, mark=Mark.FAILED, final=True, attempt=case.claim.attempts, code=failure.code)
    case.journal.note(msgspec.structs.replace(line, service=failure.service, reason=_reason(failure, policy)))
    return turn_round(desk, case, failure)


def turn_round(desk: Desk, case: Case, failure: Failure | None = None) -> Case | Done:
    """Write down that the saga goes backward, and why; what is taken back has attempts and a time of its own."""
    journal = case.journal
    claim = desk.claims.turn_round(case.claim, desk.policy.lease_seconds, journal.unwritten(), failure)
    if claim is None:
        return Done(Overtaken())
    journal.wrote()
    return Case(claim, journal)


def _bury(desk: Desk, case: Case, failure: Failure, policy: FailurePolicy) -> Done:
    burial = burial_of(
        desk.burials, case.claim, case.journal, failure, _reason(failure, policy), policy.automatic_replays
    )
    return buried_as(_buried(desk, case, burial), burial)


def _buried(desk: Desk, case: Case, burial: Burial) -> Ended | None:
    """Bury the event with what its saga has noted, or without that where the ledger refuses those very lines."""
    try:
        return desk.settlements.bury(case.claim, burial, lines=case.journal.unwritten())
    except DataRefused:
        return desk.settlements.bury(case.claim, burial)


def _reason(failure: Failure, policy: FailurePolicy) -> str:
    """Return what the dead letter says: the failure's code, or that a person must look."""
    return "manual_review" if policy.ending is Last.MANUAL_REVIEW else failure.code


def _bury_uncompensated(desk: Desk, case: Case, failure: Failure) -> Done:
    """Bury an event whose effects stand at the provider although it has failed, and cry out."""
    event = case.claim.event
    cause = CompensationFailed(
        f"what was done could not be taken back: {failure}", service=failure.service, operation=failure.operation
    ).at(event.event_id, case.claim.attempts)
    step = to_take_back(case.journal.log)
    desk.tell("compensation_failed", provider=event.provider, payment_id=event.payment_id, step=step, code=failure.code)
    burial = burial_of(desk.burials, case.claim, case.journal, cause.with_traceback(failure.__traceback__), cause.code)
    return buried_as(_buried(desk, case, burial), burial)


def bury_reversed(desk: Desk, case: Case, apply: Apply, cause: Line) -> Done:
    """Bury an event whose effects were taken back, with the payment as that has left it.

    Where the ledger refuses the very books, the event is buried without them: the dead letter tells the rest.
    """
    claim = case.claim
    failure = Permanent(
        f"{cause.step} failed for good, and what was done before was taken back",
        code=cause.code,
        service=cause.service or "payferry",
        operation=cause.step,
    ).at(claim.event.event_id, claim.attempts)
    burial = burial_of(desk.burials, claim, case.journal, failure, cause.reason or failure.code)
    try:
        booking = Booking(apply.payment, apply.entries)
        news = announce_payment(desk.events_topic, claim, apply.payment, State.DEAD)
        ended = desk.settlements.bury_booked(claim, burial, booking, news, lines=case.journal.unwritten())
    except DataRefused:
        ended = _buried(desk, case, burial)
    return buried_booked(desk, case, ended, burial)
