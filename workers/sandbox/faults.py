"""What goes wrong in the sandbox, and how often."""

from hashlib import blake2b
from random import Random
from typing import Annotated, Literal

import msgspec

from payments.event import Provider
from workers.sandbox.effects import Action

Rate = Annotated[float, msgspec.Meta(ge=0, le=1)]
Milliseconds = Annotated[float, msgspec.Meta(ge=0, le=600_000)]

Verb = Literal["authorize", "capture", "void", "refund", "stand"]
"""What can be asked: the actions, and the question how a payment stands."""

DECLINE_CODE = "insufficient_funds"


class Faults(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One provider's faults. A rate is the share of requests that it befalls, from 0 to 1.

    `error_rate` answers 500, 502 or 503 before anything is done, `rate_limit_rate` 429 with Retry-After, `decline_rate`
    declines payments: always the same ones for one seed. `drop_before_effect_rate` closes the connection and does
    nothing; `timeout_after_effect_rate` does the work and then keeps the answer back until the client has gone.
    `drop_question_rate` closes the connection of those who ask how a payment stands, so that what was lost stays so.
    `strict` refuses payments that were never seen; `allow_double_capture` takes the money again for a second capture
    under another key, as a careless processor would. `only` limits what befalls requests (latency, rates and outage) to
    these verbs; empty means all.

    `refuse_verbs` are refused for good, with the code `refused_by_sandbox`. `keep_refusals` stores every refusal under
    its idempotency key, so that the same key is refused for ever, as at Stripe. `capture_extra_minor` is captured
    beyond what was asked for, or less where it is negative.
    """

    latency_ms: Milliseconds = 0
    latency_jitter_ms: Milliseconds = 0
    error_rate: Rate = 0
    rate_limit_rate: Rate = 0
    retry_after_seconds: Annotated[int, msgspec.Meta(ge=0, le=3600)] = 1
    decline_rate: Rate = 0
    timeout_after_effect_rate: Rate = 0
    drop_before_effect_rate: Rate = 0
    drop_question_rate: Rate = 0
    outage: bool = False
    strict: bool = False
    allow_double_capture: bool = False
    only: tuple[Verb, ...] = ()
    refuse_verbs: tuple[Action, ...] = ()
    keep_refusals: bool = False
    capture_extra_minor: int = 0
    seed: int = 0


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What will go wrong with one request."""

    latency_seconds: float = 0
    status: int | None = None
    retry_after_seconds: int | None = None
    decline_code: str | None = None
    drop_before_effect: bool = False
    hold_after_effect: bool = False


class FaultBoard:
    """The faults of every provider, which may change while the sandbox runs."""

    def __init__(self, faults: Faults) -> None:
        self._by_provider = dict.fromkeys(Provider, faults)
        self._random = Random(faults.seed)  # noqa: S311  # dice, not a secret

    def of(self, provider: Provider) -> Faults:
        """Return the provider's faults."""
        return self._by_provider[provider]

    def shown(self) -> dict[str, Faults]:
        """Return the faults of all."""
        return {str(provider): faults for provider, faults in self._by_provider.items()}

    def change(self, wanted: dict[str, Faults]) -> None:
        """Replace the faults of the providers named; `*` names all of them. Raises ValueError for an unknown name."""
        changed = {name: list(Provider) if name == "*" else [Provider(name)] for name in wanted}
        for name, providers in sorted(changed.items()):
            self._by_provider.update(dict.fromkeys(providers, wanted[name]))

    def plan(self, provider: Provider, verb: Verb, payment_id: str, asked: str | None) -> Plan:
        """Return what befalls a request about a payment. `asked` is its X-Sandbox-Fault header, which comes first."""
        faults = self._by_provider[provider]
        plan = self._thrown(faults, provider, verb, payment_id) if not faults.only or verb in faults.only else Plan()
        return plan if asked is None else as_asked(plan, asked)

    def _thrown(self, faults: Faults, provider: Provider, verb: Verb, payment_id: str) -> Plan:
        """Return what the dice say."""
        dice = self._random.random
        if verb == "stand" and faults.drop_question_rate and dice() < faults.drop_question_rate:
            return Plan(drop_before_effect=True)
        plan = Plan(
            latency_seconds=(faults.latency_ms + faults.latency_jitter_ms * dice()) / 1000,
            decline_code=DECLINE_CODE if is_declined(faults, provider, payment_id) else None,
            drop_before_effect=dice() < faults.drop_before_effect_rate,
            hold_after_effect=dice() < faults.timeout_after_effect_rate,
        )
        return msgspec.structs.replace(plan, **self._status(faults))

    def _status(self, faults: Faults) -> dict[str, int]:
        """Return the status that the request gets instead of an answer, if it gets one."""
        if faults.outage:
            return {"status": 503}
        if self._random.random() < faults.rate_limit_rate:
            return {"status": 429, "retry_after_seconds": faults.retry_after_seconds}
        if self._random.random() < faults.error_rate:
            return {"status": self._random.choice((500, 502, 503))}
        return {}


def is_declined(faults: Faults, provider: Provider, payment_id: str) -> bool:
    """Return whether the payment is one of those declined: the same for every try of every step of it."""
    if faults.decline_rate == 0:
        return False
    digest = blake2b(f"{faults.seed}:{provider}:{payment_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") < faults.decline_rate * 2**64


def as_asked(plan: Plan, asked: str) -> Plan:
    """Return the plan with what a request asks for itself, such as `latency=200, decline=expired_card`.

    Raises ValueError for a word that is not known.
    """
    for word in asked.split(","):
        name, _, value = word.strip().partition("=")
        plan = msgspec.structs.replace(plan, **_wish(name, value))
    return plan


def _wish(name: str, value: str) -> dict[str, object]:
    """Return the part of a plan that one word of X-Sandbox-Fault stands for."""
    match name:
        case "latency":
            return {"latency_seconds": float(value) / 1000}
        case "status":
            return {"status": int(value)}
        case "rate-limit":
            return {"status": 429, "retry_after_seconds": int(value)}
        case "decline":
            return {"decline_code": value or DECLINE_CODE}
        case "drop-before-effect":
            return {"drop_before_effect": True}
        case "timeout-after-effect":
            return {"hold_after_effect": True}
    raise ValueError(f"unknown fault: {name}")
