"""What a dead letter meets before it goes back: its provider's breaker, and events that have overtaken its own."""

from enum import StrEnum

import msgspec

from payments.event import Provider
from payments.ledger.dead_letters.replays import Candidate, Turn
from payments.lifecycle import Superseded, decide, leaves_effect
from payments.resilience.breaker_state import State
from payments.resilience.switchboard import Switchboard
from payments.saga import Journal

_MANY = 1_000_000_000


class Gate(StrEnum):
    """What a provider's breaker lets through."""

    OPEN = "open"
    """All."""
    CANARY = "canary"
    """One, for as long as none is on its way."""
    SHUT = "shut"
    """None."""


class Sorted(msgspec.Struct, frozen=True):
    """Candidates by what is to become of them."""

    to_send: tuple[Candidate, ...]
    superseded: tuple[Candidate, ...]
    to_read: tuple[Candidate, ...]
    """Those that never became an event."""
    to_send_out: tuple[Candidate, ...]
    """Messages of ours that the brokers refused."""


def gate_of(switchboard: Switchboard, provider: str) -> Gate:
    """Return the gate of a provider's letters; those of none that is known ask nobody."""
    if provider not in {str(each) for each in Provider}:
        return Gate.OPEN
    standing = switchboard.standing(provider)
    return {State.CLOSED: Gate.OPEN, State.HALF_OPEN: Gate.CANARY, State.OPEN: Gate.SHUT}[standing]


def most_through(gate: Gate, turn: Turn, provider: str) -> int:
    """Return how many letters the gate lets through in this turn, which must hold the provider's lane."""
    if gate is Gate.CANARY:
        return 0 if turn.replaying(provider) else 1
    return _MANY if gate is Gate.OPEN else 0


def sort_out(candidates: list[Candidate]) -> Sorted:
    """Judge each candidate by its payment as it is booked now."""
    superseded = tuple(each for each in candidates if is_superseded(each))
    to_send_out = tuple(each for each in candidates if each.goes_out)
    to_read = tuple(each for each in candidates if each.inbox_id is None and not each.goes_out)
    rest = {each.letter_id for each in (*superseded, *to_read, *to_send_out)}
    return Sorted(tuple(each for each in candidates if each.letter_id not in rest), superseded, to_read, to_send_out)


def is_superseded(candidate: Candidate) -> bool:
    """Return whether what its event tells has taken effect already, or no longer can."""
    event = candidate.event
    if event is None or not isinstance(decide(candidate.payment, event), Superseded):
        return False
    return not leaves_effect(candidate.payment, Journal(candidate.saga))  # a worker is to see to that
