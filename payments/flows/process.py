"""The life of one payment event in a worker: claim, decide, act, settle."""

from contextlib import suppress

import msgspec

from payments.borders.provider_codes import decline_of
from payments.borders.unforeseen import failure_of
from payments.correlation import About
from payments.failures import AttemptsSpent, Failure, OutOfOrder, QueueAway, RuleBroken, Transient, WriteConflict
from payments.flows.acting import LeaseLost, Recorded, Reversed, Turned, act
from payments.flows.announcement import announce_payment
from payments.flows.answering import answer, bury_reversed, turn_round
from payments.flows.case import Case, Done, booked, ended_as
from payments.flows.desk import Desk
from payments.flows.ending import (
    Buried,
    Declined,
    Ending,
    Overtaken,
    Passed,
    RetryLater,
    Settled,
    Superseded,
    Waiting,
    name_of,
)
from payments.flows.traced import span_of
from payments.ledger.claims import Claim
from payments.ledger.settlements import Booking, Decline
from payments.ledger.state import State
from payments.lifecycle import Act, Apply, Broken, Decision, NotYet, decide, leaves_effect
from payments.saga import Journal, Line, Mark, Step


def process(desk: Desk, inbox_id: int) -> Ending:
    """Work off the event, then those of its payment that waited behind it; return how the first one ended.

    Raises DatabaseAway where the ledger cannot be reached; whatever was begun is then taken up again after the lease.
    """
    until = desk.clock() + desk.policy.line_seconds
    done = work_off(desk, inbox_id)
    successor_id = done.successor_id
    while successor_id is not None:
        if desk.clock() >= until:
            _pass_on(desk, successor_id)
            break
        behind = work_off(desk, successor_id)
        if isinstance(behind.ending, RetryLater | Waiting) and desk.policy.keeps_message(behind.ending):
            _pass_on(desk, successor_id, behind.ending.delay_seconds)
        successor_id = behind.successor_id
    return done.ending


def work_off(desk: Desk, inbox_id: int) -> Done:
    """Claim one event, bring it as far as it goes, and write down where that is."""
    claim = desk.claims.take(inbox_id, desk.policy.lease_seconds)
    if claim is None:
        return Done(Passed(str(desk.claims.state(inbox_id))))
    with About(claim.correlation_id), span_of(desk.tracer, claim) as span:
        done = _work_off(desk, claim)
        span.tell(ending=name_of(done.ending), **msgspec.structs.asdict(done.ending))
    return done


def _work_off(desk: Desk, claim: Claim) -> Done:
    journal, began_at = Journal(claim.saga), desk.clock()
    done = _worked_off(desk, Case(claim, journal))
    _tell(desk, claim, done, desk.clock() - began_at)
    steps = [line.step for line in journal.unwritten() if line.took_effect]
    if isinstance(done.ending, Overtaken) and steps:
        desk.tell("effect_of_overtaken", provider=claim.event.provider, event_id=claim.event.event_id, steps=steps)
    return done


def _tell(desk: Desk, claim: Claim, done: Done, work_seconds: float) -> None:
    event, ending = claim.event, done.ending
    name = _LOG_EVENTS.get(type(ending), "payment_worked_off")
    desk.tell(
        name,
        ending=name_of(ending),
        provider=event.provider,
        payment_id=event.payment_id,
        event_id=event.event_id,
        kind=event.kind,
        attempt=claim.attempts,
        work_seconds=round(work_seconds, 4),
        age_seconds=round(claim.age_seconds + work_seconds, 3),
        after_failure=claim.after_failure,
        failing_seconds=round(claim.failing_seconds + work_seconds, 3) if claim.after_failure else 0.0,
        **msgspec.structs.asdict(ending),
        **(done.burial.told() if done.burial else {}),
    )


_LOG_EVENTS: dict[type, str] = {
    RetryLater: "payment_put_off",
    Waiting: "payment_put_off",
    Buried: "payment_buried",
    Overtaken: "payment_overtaken",
}


def _worked_off(desk: Desk, case: Case) -> Done:
    """Go on until the event has an ending. It goes round again only where its saga has just learned or turned."""
    going: Case | Done = case
    while isinstance(going, Case):
        going = _one_round(desk, going)
    return going


def _one_round(desk: Desk, case: Case) -> Case | Done:
    try:
        _check_attempts(desk, case)
        return _carry_out(desk, case, decide(case.claim.payment, case.claim.event))
    except LeaseLost:
        return Done(Overtaken())
    except Exception as error:  # the border of our own code: what nobody foresaw gets a name here
        failure = failure_of(error, "process").at(case.claim.event.event_id, case.claim.attempts)
        if _ledger_is_away(failure):
            raise
        return answer(desk, case, failure)


def _ledger_is_away(failure: Failure) -> bool:
    """Return whether nothing can be written down now, so that it is left to the lease."""
    return failure.service == "database" and isinstance(failure, Transient) and not isinstance(failure, WriteConflict)


def _check_attempts(desk: Desk, case: Case) -> None:
    """Stop an event that ended every attempt together with its worker, unless its saga has just learned something."""
    claim = case.claim
    if claim.attempts > 1 + desk.policies.most_retries(claim.event.provider) and not case.journal.unwritten():
        raise AttemptsSpent(
            f"no answer in {claim.attempts - 1} attempts, each ended by the death of its worker or its time limit",
            operation="process",
        )


def _carry_out(desk: Desk, case: Case, decision: Decision) -> Case | Done:
    match decision:
        case Apply():
            return _book(desk, case, decision)
        case Act():
            return _act(desk, case, decision)
        case NotYet():
            return _yield_turn(desk, case.claim, decision)
        case Broken():
            raise RuleBroken(decision.message, code=decision.code, operation="decide")
        case _ if leaves_effect(case.claim.payment, case.journal):
            raise RuleBroken(
                "what was asked of the provider for it may stand, and its payment was told to have failed since",
                code="overtaken_with_effect",
                operation="decide",
            )
        case _:
            return ended_as(desk.settlements.close(case.claim, State.SUPERSEDED), Superseded())


def _act(desk: Desk, case: Case, plan: Act) -> Case | Done:
    match act(desk, case.claim, plan, case.journal):
        case Recorded(apply=apply):
            return _book(desk, case, apply, _recorded(case.claim))
        case Turned():
            return turn_round(desk, case)
        case Reversed(apply=apply, cause=Line(declined=True) as cause):
            return _book_declined(desk, case, apply, cause)
        case Reversed(apply=apply, cause=cause):
            return bury_reversed(desk, case, apply, cause)


def _book(desk: Desk, case: Case, apply: Apply, *lines: Line) -> Done:
    news = announce_payment(desk.events_topic, case.claim, apply.payment, State.SETTLED)
    booking = Booking(apply.payment, apply.entries)
    lines = (*case.journal.unwritten(), *lines)
    return booked(desk, case, desk.settlements.book(case.claim, State.SETTLED, booking, news, lines=lines), Settled())


def _book_declined(desk: Desk, case: Case, apply: Apply, cause: Line) -> Done:
    """Book that the provider said no; why it did so is written along with it if that can be."""
    decline = Decline(kind=decline_of(case.claim.event.provider, cause.code).kind, code=cause.code or "declined")
    news = announce_payment(desk.events_topic, case.claim, apply.payment, State.DECLINED, decline)
    booking = Booking(apply.payment, apply.entries)
    ended = desk.settlements.book(
        case.claim, State.DECLINED, booking, news, lines=case.journal.unwritten(), decline=decline
    )
    if ended is not None and ended.left_out is not None:
        desk.tell("optional_part_left_out", part="decline", sqlstate=ended.left_out)
    return booked(desk, case, ended, Declined())


def _recorded(claim: Claim) -> Line:
    return Line(step=Step.RECORD, mark=Mark.DONE, attempt=claim.attempts)


def _yield_turn(desk: Desk, claim: Claim, decision: NotYet) -> Done:
    """Let later events go first, for as long as the window lasts."""
    if claim.yielding_seconds >= desk.policy.out_of_order_window_seconds:
        raise OutOfOrder(f"needs {decision.needs}, which did not come", operation="decide")
    delay_seconds = desk.policy.out_of_order_wait_seconds
    ours, successor_id = desk.claims.yield_turn(claim, delay_seconds)
    return Done(Waiting(delay_seconds, "out_of_order"), successor_id) if ours else Done(Overtaken())


def _pass_on(desk: Desk, inbox_id: int, delay_seconds: float | None = None) -> None:
    """Leave an event to another task. If the message gets lost, the sweeper sends it."""
    call = desk.sweeps.wake(inbox_id)
    if call is not None:
        with suppress(QueueAway):  # the first event has ended well all the same
            desk.wakeups.send([call], delay_seconds)
