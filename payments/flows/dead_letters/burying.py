"""What a dead letter is to say: how often it comes back by itself, and whether a person must hear of it at once."""

import msgspec

from payments.event import Event
from payments.failures import CompensationFailed, Failure
from payments.ledger.claims import Claim
from payments.ledger.dead_letters.burial import NORMAL, Burial, ReplayDelays
from payments.money import EXPONENTS
from payments.saga import Journal, Step, to_take_back


class BurialPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """When dead letters come back, and over which amount, in whole units of its currency, one is critical; 0: none."""

    delays: ReplayDelays
    critical_amount: float


def burial_of(
    policy: BurialPolicy, claim: Claim, journal: Journal, failure: Failure, reason: str, replays: int = 0
) -> Burial:
    """Return the burial of the claim's event, which is sent back by itself `replays` times."""
    return Burial(
        reason=reason,
        failure=failure,
        replays=replays,
        delays=policy.delays,
        in_doubt=journal.in_doubt,
        criticality=criticality_of(policy, claim.event, journal, failure),
    )


def criticality_of(policy: BurialPolicy, event: Event, journal: Journal, failure: Failure) -> str:
    """Return why a person must hear of it at once, the gravest reason where there are several; otherwise `normal`."""
    if isinstance(failure, CompensationFailed):
        return "compensation_failed"
    if to_take_back(journal.log) is Step.CAPTURE or failure.code == "overtaken_with_effect":
        return "effect_without_record"
    if policy.critical_amount and _whole_units(event) > policy.critical_amount:
        return "amount_over_limit"
    return NORMAL


def _whole_units(event: Event) -> float:
    """Return the amount in whole units, a currency that is not known counting as one with two decimals."""
    return (event.amount_minor or 0) / 10.0 ** EXPONENTS.get(event.currency or "", 2)
