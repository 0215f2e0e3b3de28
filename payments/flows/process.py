"""The life of one payment event in a worker: claim, decide, act, settle."""

from contextlib import suppress

import msgspec

from payments.failures import (
    AttemptsSpent,
    Failure,
    OutcomeUnknown,
    Permanent,
    QueueAway,
    RateLimited,
    RuleBroken,
    Unexpected,
)
from payments.flows.acting import LeaseLost, act, already_taken
from payments.flows.announcement import announce_burial, announce_payment
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
from payments.ledger.claims import Claim
from payments.ledger.settlements import Ended
from payments.ledger.state import State
from payments.lifecycle import Act, Apply, Broken, Decision, NotYet, decide


class Done(msgspec.Struct, frozen=True):
    """How an event ended, and which one of its payment is next."""

    ending: Ending
    successor_id: int | None = None


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
        if isinstance(behind.ending, RetryLater | Waiting):
            _pass_on(desk, successor_id, behind.ending.delay_seconds)
        successor_id = behind.successor_id
    return done.ending


def work_off(desk: Desk, inbox_id: int) -> Done:
    """Claim one event, bring it as far as it goes, and write down where that is."""
    claim = desk.claims.take(inbox_id, desk.policy.lease_seconds)
    if claim is None:
        return Done(Passed(str(desk.claims.state(inbox_id))))
    done = _worked_off(desk, claim)
    _tell(desk, claim, done.ending)
    return done


def _tell(desk: Desk, claim: Claim, ending: Ending) -> None:
    name = _LOG_EVENTS.get(type(ending), "payment_worked_off")
    event = claim.event
    desk.tell(
        name,
        ending=name_of(ending),
        provider=event.provider,
        payment_id=event.payment_id,
        event_id=event.event_id,
        kind=event.kind,
        attempt=claim.attempts,
        **msgspec.structs.asdict(ending),
    )


_LOG_EVENTS: dict[type, str] = {
    RetryLater: "payment_put_off",
    Waiting: "payment_put_off",
    Buried: "payment_buried",
    Overtaken: "payment_overtaken",
}


def _worked_off(desk: Desk, claim: Claim) -> Done:
    try:
        _check_attempts(desk, claim)
        return _carry_out(desk, claim, decide(claim.payment, claim.event))
    except LeaseLost:
        return Done(Overtaken())
    except Failure as failure:
        if failure.service == "database":
            raise
        return _after(desk, claim, failure)
    except Exception as error:  # noqa: BLE001 - the border of our own code: what nobody foresaw gets a name here
        return _after(desk, claim, _unexpected(error))


def _check_attempts(desk: Desk, claim: Claim) -> None:
    """Stop an event that ended every attempt together with its worker."""
    if claim.attempts > desk.policy.most_attempts:
        raise AttemptsSpent(
            f"no answer in {claim.attempts - 1} attempts, each ended by the death of its worker or its time limit",
            code="attempts_spent",
            operation="process",
        )


def _carry_out(desk: Desk, claim: Claim, decision: Decision) -> Done:
    match decision:
        case Apply():
            return _book(desk, claim, decision, accepted=True)
        case Act():
            apply, accepted = act(desk, claim, decision)
            return _book(desk, claim, apply, accepted=accepted)
        case NotYet():
            return _wait(desk, claim, decision)
        case Broken():
            raise RuleBroken(decision.message, code=decision.code, operation="decide")
        case _:
            return _end(desk.settlements.close(claim, State.SUPERSEDED), Superseded())


def _book(desk: Desk, claim: Claim, apply: Apply, *, accepted: bool) -> Done:
    ending: Ending = Settled() if accepted else Declined()
    state = State.SETTLED if accepted else State.DECLINED
    news = announce_payment(desk.events_topic, claim, apply.payment, state)
    ended = desk.settlements.book(claim, state, apply.payment, apply.entries, news)
    if ended is None:
        desk.claims.give_back(claim)  # no-one else's: the payment had moved on since it was read, so decide again
    return _end(ended, ending)


def _wait(desk: Desk, claim: Claim, decision: NotYet) -> Done:
    """Let later events go first, for as long as the window lasts."""
    if claim.yielding_seconds >= desk.policy.out_of_order_window_seconds:
        raise RuleBroken(f"needs {decision.needs}, which did not come", code="out_of_order", operation="decide")
    delay_seconds = desk.policy.out_of_order_wait_seconds
    ours, successor_id = desk.claims.yield_turn(claim, delay_seconds)
    return Done(Waiting(delay_seconds), successor_id) if ours else Done(Overtaken())


def _after(desk: Desk, claim: Claim, failure: Failure) -> Done:
    """Bury what cannot succeed, or has had its attempts; the rest is due again after a delay."""
    if isinstance(failure, Permanent) or claim.attempts >= desk.policy.most_attempts:
        if (taken := already_taken(desk, claim, failure)) is not None:
            return _book(desk, claim, taken, accepted=True)
        news = announce_burial(desk.dead_letter_topic, claim, failure)
        return _end(desk.settlements.bury(claim, failure, news), Buried(failure.code))
    delay_seconds = _delay_seconds(desk, claim, failure)
    state = State.VERIFYING if isinstance(failure, OutcomeUnknown) else State.RETRYING
    ours = desk.claims.retry_later(claim, delay_seconds, failure, state)
    return Done(RetryLater(delay_seconds, failure.code) if ours else Overtaken())


def _delay_seconds(desk: Desk, claim: Claim, failure: Failure) -> float:
    delay_seconds = desk.policy.backoff.delay_seconds(claim.attempts)
    return max(delay_seconds, failure.retry_after_seconds) if isinstance(failure, RateLimited) else delay_seconds


def _end(ended: Ended | None, ending: Ending) -> Done:
    return Done(ending, ended.successor_id) if ended else Done(Overtaken())


def _pass_on(desk: Desk, inbox_id: int, delay_seconds: float | None = None) -> None:
    """Leave an event to another task. If the message gets lost, or its delay is too long, the sweeper sends it."""
    if delay_seconds is not None and delay_seconds > desk.policy.longest_countdown_seconds:
        return
    call = desk.sweeps.wake(inbox_id)
    if call is not None:
        with suppress(QueueAway):  # the first event has ended well all the same
            desk.wakeups.send([call], delay_seconds)


def _unexpected(error: Exception) -> Failure:
    """Name what nobody foresaw by its type alone: its text may hold personal data."""
    if type(error).__name__ == "SoftTimeLimitExceeded":  # Celery's, which is not imported here
        return OutcomeUnknown("the time limit came in the middle of it", code="time_limit", operation="process")
    return Unexpected(f"{type(error).__name__} was raised", code="unexpected", operation="process")
