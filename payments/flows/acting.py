"""Working on a saga at its provider: one step after the other, or back again."""

import uuid
from collections.abc import Callable

import msgspec

from payments.failures import (
    CapturedOtherAmount,
    ConfigurationError,
    Conflict,
    Failure,
    Permanent,
    Postponed,
    Refused,
    ServerError,
    Transient,
)
from payments.flows.desk import Desk
from payments.flows.guard import Leave
from payments.gateway.gateway import Gateway
from payments.gateway.result import Answer, Charge, Verb, Verdict
from payments.ledger.aliases import other_name
from payments.ledger.claims import Claim
from payments.lifecycle import Act, Apply, completed, declined, taken_back, voided
from payments.payment import Status
from payments.saga import BACKWARD, Journal, Line, Mark, Step, Take, Undo, Undone, done, next_move

_KEYS = uuid.UUID("8f7bb8e6-8d0b-5e05-a1f8-0c5a2c5d0d6e")


class LeaseLost(Exception):
    """Between two steps the row turned out to be somebody else's. They go on from here, under the same keys."""


class Recorded(msgspec.Struct, frozen=True):
    """Every step at the provider is done: book it."""

    apply: Apply


class Reversed(msgspec.Struct, frozen=True):
    """It failed for good, and nothing is left of it at the provider: book that. `cause` says what failed."""

    apply: Apply
    cause: Line


class Turned(msgspec.Struct, frozen=True):
    """The provider declined, and what was done before is to be taken back: write that down first, then go on."""


def act(desk: Desk, claim: Claim, plan: Act, journal: Journal) -> Recorded | Reversed | Turned:
    """Take the saga of `plan` to one of its two ends, or to the point where it turns round.

    Raises what the gateway and its guard raise, CapturedOtherAmount, and LeaseLost. Everything that took effect until
    then is in `journal`. No connection or lock is held while the provider is asked.
    """
    saga = Acting(desk, claim, plan, journal)
    while True:
        match next_move(journal.log):
            case Take(step=Step.RECORD):
                return saga.recorded()
            case Take(step=step, in_doubt=in_doubt):
                saga.take(step, in_doubt=in_doubt)
            case Undo() if journal.has_just_turned:
                return Turned()
            case Undo(step=step, in_doubt=in_doubt):
                saga.undo(step, in_doubt=in_doubt)
            case Undone(cause=cause):
                return saga.reversed(cause)
            case _:
                raise AssertionError("what is recorded has ended, and is not claimed again")


def settle_doubt(desk: Desk, claim: Claim, plan: Act, journal: Journal) -> bool:
    """Ask once more how the step that is in doubt has ended, or its taking back; return whether it did take effect.

    What the provider cannot tell now stays in doubt. Raises Postponed where it may not be asked now.
    """
    if not journal.in_doubt:
        return False
    saga = Acting(desk, claim, plan, journal)
    try:
        match next_move(journal.log):
            case Take(step=step):
                return saga.look(step)
            case Undo(step=step):
                return saga.look_back(step)
            case _:
                return False
    except Postponed:
        raise
    except Failure:
        return False


def idempotency_key(ordering_key: str, verb: Verb, generation: int = 0) -> str:
    """Return the key under which a provider knows this verb of this payment, whoever asks and how often.

    It has a later `generation` only where the provider keeps errors under a key and has answered with so many.
    """
    return str(uuid.uuid5(_KEYS, f"{ordering_key}/{verb}" + (f"/{generation}" if generation else "")))


class Acting:
    """One claim's work on its saga."""

    def __init__(self, desk: Desk, claim: Claim, plan: Act, journal: Journal) -> None:
        self._desk = desk
        self._claim = claim
        self._payment = plan.payment
        self._journal = journal
        self._alias: str | None = None
        if Step.AUTHORIZE not in plan.steps:
            given = Line(step=Step.AUTHORIZE, mark=Mark.DONE, given=True)
            journal.assume(msgspec.structs.replace(given, reference_id=plan.payment.authorization_id))
        elif (authorized := done(journal.log, Step.AUTHORIZE)) is not None:
            self._remember(authorized.reference_id)

    def take(self, step: Step, *, in_doubt: bool) -> None:
        """Take a step. One that is in doubt is asked for first; if it was not done, it is taken under the same key."""
        if not (in_doubt and self.look(step)):
            self._took(step, self._ask(step, _VERBS[step], Mark.STARTED, Mark.FAILED))

    def look(self, step: Step) -> bool:
        """Ask how a step that is in doubt has ended, and note it if it took effect; return whether it did."""
        answer = self._found(_VERBS[step])
        if answer is not None:
            self._took(step, answer)
        return answer is not None

    def undo(self, step: Step, *, in_doubt: bool) -> None:
        """Take a step back."""
        verb = _REVERSE[step]
        self._desk.tell("saga_goes_back", event_id=self._claim.event.event_id, step=step, verb=verb)
        if in_doubt and self.look_back(step):
            return
        answer = self._ask(step, verb, Mark.COMPENSATION_STARTED, Mark.COMPENSATION_FAILED)
        if answer.verdict is Verdict.DECLINED:
            self._journal.note(self._line(step, Mark.COMPENSATION_FAILED, code=answer.code))
            raise Refused("the provider does not take it back", service=self._payment.provider, operation=verb)
        self._took_back(step, answer)

    def look_back(self, step: Step) -> bool:
        """Ask how the taking back of a step has ended, and note it if it took effect; return whether it did."""
        answer = self._found(_REVERSE[step])
        if answer is not None:
            self._took_back(step, answer)
        return answer is not None

    def recorded(self) -> Recorded:
        """Return what to book once the capture is done; raises CapturedOtherAmount."""
        capture = done(self._journal.log, Step.CAPTURE)
        assert capture is not None
        assert capture.amount_minor is not None
        asked_minor = self._payment.amount_minor
        if capture.amount_minor != asked_minor:
            raise CapturedOtherAmount(
                f"asked to capture {asked_minor}, the provider captured {capture.amount_minor}",
                service=self._payment.provider,
                operation="capture",
            )
        return Recorded(completed(self._payment, asked_minor, capture.reference_id))

    def reversed(self, cause: Line) -> Reversed:
        """Return what to book once nothing is left of it at the provider."""
        log = self._journal.log
        if (capture := done(log, Step.CAPTURE)) is not None:
            refund = next(line for line in reversed(log) if line.mark is Mark.COMPENSATION_DONE)
            assert capture.amount_minor is not None
            refund_id = refund.reference_id or "compensation"
            apply = taken_back(self._payment, capture.amount_minor, capture.reference_id, refund_id)
        else:
            authorized = done(log, Step.AUTHORIZE)
            ours = authorized is not None and not authorized.given
            apply = voided(self._payment) if ours else declined(self._payment)
        return Reversed(apply, cause)

    def _ask(self, step: Step, verb: Verb, before: Mark, without_effect: Mark) -> Answer:
        """Ask for `verb`, and write down before that it is asked for."""
        gateway = self._gateway()
        ask: Callable[[Charge, str], Answer] = getattr(gateway, verb)
        try:
            leave = self._leave()
        except Transient:
            if self._alias is not None:
                self._write()  # a name of the payment, just learned; its lines are written with the answer to this
            raise
        with leave:
            self._journal.note(self._line(step, before))
            self._write()
            leave.begin()  # a ledger that is slow to write this down makes no slow provider
            try:
                return ask(self._charge(), self._key(gateway, step, verb))
            except Conflict:
                raise  # an earlier request may still be at work: in doubt
            except ServerError as failure:
                self._journal.note(self._line(step, before, code=failure.code, answered=True))
                raise
            except (Transient, Permanent) as failure:
                answered = isinstance(failure, Refused)
                self._journal.note(self._line(step, without_effect, code=failure.code, answered=answered))
                raise

    def _key(self, gateway: Gateway, step: Step, verb: Verb) -> str:
        """Return the key to ask under.

        A provider that keeps errors would only repeat the one that is known by now, so it gets a new key. That is safe:
        a refusal had no effect, and after a server error the provider was asked, and said that there is none.
        """
        back = verb in _REVERSE.values()
        errors = [line for line in self._journal.log if line.step is step and line.answered]
        generation = sum((line.mark in BACKWARD) == back for line in errors) if gateway.keeps_errors else 0
        return idempotency_key(self._claim.ordering_key, verb, generation)

    def _found(self, verb: Verb) -> Answer | None:
        """Return the answer that a lost call would have given, as the provider tells it now; None: it had no effect."""
        gateway = self._gateway()
        with self._leave():
            standing = gateway.stand(self._charge())
        return standing.answer_to(verb, self._charge()) if standing is not None else None

    def _took(self, step: Step, answer: Answer) -> None:
        """Note what the provider answered to a step."""
        if answer.verdict is Verdict.DECLINED:
            self._journal.note(self._line(step, Mark.FAILED, code=answer.code, final=True, declined=True))
            return
        self._journal.note(self._line(step, Mark.DONE, answer))
        if step is Step.AUTHORIZE:
            self._remember(answer.reference_id)

    def _took_back(self, step: Step, answer: Answer) -> None:
        """Note that nothing is left of a step."""
        self._journal.note(self._line(step, Mark.COMPENSATION_DONE, answer))
        event = self._claim.event
        self._desk.tell("step_taken_back", provider=event.provider, event_id=event.event_id, step=step, result="done")

    def _remember(self, authorization_id: str | None) -> None:
        """Go on with the authorization's own name, which is to be learned before its capture can be told of."""
        self._alias = other_name(self._payment, authorization_id)
        self._payment = msgspec.structs.replace(
            self._payment, status=Status.AUTHORIZED, authorization_id=authorization_id
        )

    def _write(self) -> None:
        """Write down what is noted, learn the authorization's own name before its capture is told of, keep the row."""
        lease_seconds = self._desk.policy.lease_seconds
        if not self._desk.claims.keep(self._claim, lease_seconds, self._journal.unwritten(), self._alias):
            raise LeaseLost
        self._journal.wrote()
        self._alias = None

    def _leave(self) -> Leave:
        return self._desk.guard.leave(self._payment.provider, again=self._claim.attempts > 1)

    def _gateway(self) -> Gateway:
        gateway = self._desk.gateways.get(self._payment.provider)
        if gateway is None:
            raise ConfigurationError(
                "this provider has no base URL", code="gateway_not_configured", service=self._payment.provider
            )
        return gateway

    def _charge(self) -> Charge:
        payment, capture = self._payment, done(self._journal.log, Step.CAPTURE)
        amount_minor = capture.amount_minor if capture is not None else None
        return Charge(
            payment_id=payment.payment_id,
            amount_minor=payment.amount_minor if amount_minor is None else amount_minor,
            currency=payment.currency,
            authorization_id=payment.authorization_id,
            capture_id=capture.reference_id if capture is not None else None,
        )

    def _line(self, step: Step, mark: Mark, answer: Answer | None = None, **told: str | bool | None) -> Line:
        line = Line(step=step, mark=mark, attempt=self._claim.attempts, service=self._payment.provider)
        if answer is not None:
            told |= {"reference_id": answer.reference_id}
            line = msgspec.structs.replace(line, amount_minor=answer.amount_minor)
        return msgspec.structs.replace(line, **told)


_VERBS: dict[Step, Verb] = {Step.AUTHORIZE: "authorize", Step.CAPTURE: "capture"}
_REVERSE: dict[Step, Verb] = {Step.AUTHORIZE: "void", Step.CAPTURE: "refund"}
