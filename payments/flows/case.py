"""One claim on its way through a worker, and how that can end."""

import msgspec

from payments.flows.desk import Desk
from payments.flows.ending import Buried, Ending, Overtaken
from payments.ledger.claims import Claim
from payments.ledger.dead_letters.burial import Burial
from payments.ledger.settlements import Ended
from payments.saga import Journal


class Done(msgspec.Struct, frozen=True):
    """How an event ended, which one of its payment is next, and what was written where it was buried."""

    ending: Ending
    successor_id: int | None = None
    burial: Burial | None = None


class Case(msgspec.Struct, frozen=True):
    """One claim with what its saga has done so far."""

    claim: Claim
    journal: Journal


def ended_as(ended: Ended | None, ending: Ending) -> Done:
    """Return `ending` if the ledger took it, and otherwise that somebody else has the event."""
    return Done(ending, ended.successor_id) if ended else Done(Overtaken())


def buried_as(ended: Ended | None, burial: Burial) -> Done:
    """Return that the event is buried if the ledger took that, and otherwise that somebody else has it."""
    return Done(Buried(burial.reason), ended.successor_id, burial) if ended else Done(Overtaken())


def booked(desk: Desk, case: Case, ended: Ended | None, ending: Ending) -> Done:
    """Return `ending` if the ledger took the books. If not, and the event is ours still, it is due again at once."""
    _give_back_unless(desk, case, ended)
    return ended_as(ended, ending)


def buried_booked(desk: Desk, case: Case, ended: Ended | None, burial: Burial) -> Done:
    """Return likewise that the event is buried, with books of its own."""
    _give_back_unless(desk, case, ended)
    return buried_as(ended, burial)


def _give_back_unless(desk: Desk, case: Case, ended: Ended | None) -> None:
    if ended is None:
        desk.claims.give_back(case.claim)  # no-one else's: the payment had moved on since it was read, so decide again
