"""A provider that is played by a list."""

from collections.abc import Sequence

import msgspec

from payments.gateway.result import Answer, Charge, Stage, Standing, Verb, Verdict


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One call that came in. `key` is empty for a question."""

    verb: str
    charge: Charge
    key: str


class After(msgspec.Struct, frozen=True):
    """The step takes effect as `answer` says, or else as asked for, and the answer gets lost: `failure` is raised."""

    failure: BaseException
    answer: Answer | None = None


Scripted = Answer | BaseException | After
Told = Standing | BaseException | None


class FakeGateway:
    """Gives the scripted answers of each verb in their order, raises those that are failures, and then says yes.

    What it was asked is in `asked`. What took effect is in `effects`, once for an idempotency key, as at a provider: a
    key that took effect gets its first answer again, unless the list says otherwise. `stand` tells what took effect,
    and None of a payment to which nothing has happened; its list comes first, and a None in it is one of its answers.
    """

    def __init__(
        self,
        *,
        authorize: Sequence[Scripted] = (),
        capture: Sequence[Scripted] = (),
        void: Sequence[Scripted] = (),
        refund: Sequence[Scripted] = (),
        stand: Sequence[Told] = (),
    ) -> None:
        self.keeps_errors = False
        self._script = {
            "authorize": list(authorize),
            "capture": list(capture),
            "void": list(void),
            "refund": list(refund),
        }
        self._told = list(stand)
        self._standings: dict[str, Standing] = {}
        self._answers: dict[str, Answer] = {}
        self.asked: list[Asked] = []
        self.effects: dict[str, str] = {}

    def authorize(self, charge: Charge, idempotency_key: str) -> Answer:
        """Reserve the amount."""
        return self._play("authorize", charge, idempotency_key, f"auth-{charge.payment_id}")

    def capture(self, charge: Charge, idempotency_key: str) -> Answer:
        """Take the reserved amount."""
        return self._play("capture", charge, idempotency_key, f"capture-{charge.payment_id}")

    def void(self, charge: Charge, idempotency_key: str) -> Answer:
        """Give the reservation back."""
        return self._play("void", charge, idempotency_key, None)

    def refund(self, charge: Charge, idempotency_key: str) -> Answer:
        """Give a captured amount back."""
        return self._play("refund", charge, idempotency_key, f"refund-{self.count('refund') + 1}-{charge.payment_id}")

    def stand(self, charge: Charge) -> Standing | None:
        """Return what took effect."""
        self.asked.append(Asked(verb="stand", charge=charge, key=""))
        told = self._told.pop(0) if self._told else self._standings.get(charge.payment_id)
        if isinstance(told, BaseException):
            raise told
        return told

    def verbs(self) -> list[str]:
        """Return the verbs that were asked for, in their order, with `stand` for a question."""
        return [asked.verb for asked in self.asked]

    def keys(self, verb: str) -> list[str]:
        """Return the idempotency keys under which `verb` was asked for, in their order."""
        return [asked.key for asked in self.asked if asked.verb == verb]

    def count(self, verb: str) -> int:
        """Return how often `verb` really took effect."""
        return list(self.effects.values()).count(verb)

    def _play(self, verb: Verb, charge: Charge, key: str, reference_id: str | None) -> Answer:
        self.asked.append(Asked(verb=verb, charge=charge, key=key))
        scripted = self._script[verb].pop(0) if self._script[verb] else None
        if isinstance(scripted, BaseException):
            raise scripted
        answer = scripted.answer if isinstance(scripted, After) else scripted
        answer = answer or self._answers.get(key) or _yes(charge, reference_id)
        self._take_effect(verb, charge, key, answer)
        if isinstance(scripted, After):
            raise scripted.failure
        return answer

    def _take_effect(self, verb: Verb, charge: Charge, key: str, answer: Answer) -> None:
        """Change the standing, unless this key has done so before."""
        if key in self.effects:
            return
        if answer.verdict is Verdict.DONE:
            self.effects[key] = verb
            self._answers[key] = answer
        before = self._standings.get(charge.payment_id, Standing(stage=Stage.OPEN))
        after = _done(verb, before, answer) if answer.verdict is Verdict.DONE else _refused(verb, before, answer)
        self._standings[charge.payment_id] = after


def refusal(code: str = "insufficient_funds") -> Answer:
    """Return a decline."""
    return Answer(verdict=Verdict.DECLINED, amount_minor=0, code=code)


def _yes(charge: Charge, reference_id: str | None) -> Answer:
    return Answer(verdict=Verdict.DONE, amount_minor=charge.amount_minor, reference_id=reference_id)


def _done(verb: Verb, before: Standing, answer: Answer) -> Standing:
    """Return the standing after the step took effect."""
    amount, name = answer.amount_minor, answer.reference_id
    replaced = msgspec.structs.replace
    match verb:
        case "authorize":
            return replaced(before, stage=Stage.AUTHORIZED, amount_minor=amount, authorization_id=name, code=None)
        case "capture":
            return replaced(before, stage=Stage.CAPTURED, captured_minor=amount, capture_id=name, code=None)
        case "void":
            return replaced(before, stage=Stage.VOIDED)
        case "refund":
            return replaced(before, stage=Stage.CAPTURED, refunded_minor=before.refunded_minor + amount, refund_id=name)


def _refused(verb: Verb, before: Standing, answer: Answer) -> Standing:
    """Return the standing after a decline: of an authorization it is the end, anything else stays as it was."""
    if verb != "authorize":
        return before
    return msgspec.structs.replace(before, stage=Stage.DECLINED, code=answer.code)
