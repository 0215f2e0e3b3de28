"""A provider that is played by a list."""

from collections.abc import Sequence

import msgspec

from payments.gateway.result import Answer, Charge, Verdict


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One call that came in."""

    verb: str
    charge: Charge
    key: str


Scripted = Answer | BaseException


class FakeGateway:
    """Gives the scripted answers of each verb in their order, raises those that are failures, and then says yes.

    What it was asked is in `asked`. What took effect is in `effects`, once for an idempotency key, as at a provider.
    """

    def __init__(self, *, authorize: Sequence[Scripted] = (), capture: Sequence[Scripted] = ()) -> None:
        self._script = {"authorize": list(authorize), "capture": list(capture)}
        self.asked: list[Asked] = []
        self.effects: dict[str, str] = {}
        self._captured: dict[str, Answer] = {}

    def authorize(self, charge: Charge, idempotency_key: str) -> Answer:
        """Reserve the amount."""
        return self._play("authorize", charge, idempotency_key, f"auth-{charge.payment_id}")

    def capture(self, charge: Charge, idempotency_key: str) -> Answer:
        """Take the reserved amount."""
        return self._play("capture", charge, idempotency_key, f"capture-{charge.payment_id}")

    def void(self, _charge: Charge, _idempotency_key: str) -> Answer:
        """Nobody asks for this."""
        raise NotImplementedError

    def refund(self, _charge: Charge, _idempotency_key: str) -> Answer:
        """Nobody asks for this."""
        raise NotImplementedError

    def fetch(self, charge: Charge) -> Answer | None:
        """Return the capture of the payment, if one took effect."""
        return self._captured.get(charge.payment_id)

    def verbs(self) -> list[str]:
        """Return the verbs that were asked for, in their order."""
        return [asked.verb for asked in self.asked]

    def keys(self, verb: str) -> list[str]:
        """Return the idempotency keys under which `verb` was asked for, in their order."""
        return [asked.key for asked in self.asked if asked.verb == verb]

    def count(self, verb: str) -> int:
        """Return how often `verb` really took effect."""
        return list(self.effects.values()).count(verb)

    def _play(self, verb: str, charge: Charge, key: str, reference_id: str) -> Answer:
        self.asked.append(Asked(verb=verb, charge=charge, key=key))
        scripted = self._script[verb].pop(0) if self._script[verb] else None
        if isinstance(scripted, BaseException):
            raise scripted
        answer = scripted or Answer(verdict=Verdict.DONE, amount_minor=charge.amount_minor, reference_id=reference_id)
        if answer.verdict is Verdict.DONE:
            self.effects[key] = verb
            if verb == "capture":
                self._captured[charge.payment_id] = answer
        return answer


def refusal(code: str = "insufficient_funds") -> Answer:
    """Return a decline."""
    return Answer(verdict=Verdict.DECLINED, amount_minor=0, code=code)
