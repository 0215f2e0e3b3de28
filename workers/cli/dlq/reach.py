"""Which dead letters a verb can act on, and what is said about the others."""

from collections.abc import Sequence

import msgspec

from payments.ledger.dead_letters.choice import Choice
from payments.ledger.dead_letters.search import Search
from workers.cli.dlq.filters import Meant
from workers.cli.terminal.refusal import cannot, wrong


class Reach(msgspec.Struct, frozen=True, kw_only=True):
    """The states that a verb acts on. `otherwise` says of each other one what to do instead."""

    done: str
    """What the letters are afterwards, such as `discarded`."""
    states: tuple[str, ...]
    otherwise: dict[str, str]

    def within(self, meant: Meant, search: Search) -> Choice:
        """Return the choice within these states.

        A state that is told and cannot be, and a letter that is named and is not there or in none of these states, end
        the command: what was asked for cannot be done as a whole. Of a range of ids those count that there are.
        """
        for state in meant.choice.states:
            if state not in self.states:
                allowed = " and ".join(self.states)
                wrong(f"--state {state}: only {allowed} ones can be {self.done}; {self.otherwise[state]}")
        if meant.named:
            self._check(meant.named, search)
        return meant.with_states(*self.states)

    def _check(self, named: Sequence[int], search: Search) -> None:
        found = {brief.id: brief for brief in search.page(Choice(ids=tuple(named)), len(named)).letters}
        for letter_id in named:
            if letter_id not in found:
                cannot(missing(letter_id, search))
            if found[letter_id].state not in self.states:
                cannot(self.unfit(letter_id, found[letter_id].state, search))

    def unfit(self, letter_id: int, state: str, search: Search) -> str:
        """Return what is said of a letter in a state that is none of these."""
        record = search.record(letter_id) or {}
        if record.get("replaced_by"):
            return f"dead letter {letter_id} was edited: number {record['replaced_by']} took its place; name that one"
        return f"dead letter {letter_id} is {state}: {self.otherwise[state]}"


def missing(letter_id: int, search: Search) -> str:
    """Return what is said of a number under which there is nothing."""
    if any(change.what == "purge" for change in search.audit(letter_id)):
        return f"dead letter {letter_id} was purged; it is in one of `payferry dlq archives`"
    return f"there is no dead letter {letter_id}; see `payferry dlq list`"


_ON_ITS_WAY = "it is on its way now: wait for it, see `payferry dlq show`"

REPLAY = Reach(
    done="replayed",
    states=("pending", "parked"),
    otherwise={
        "replaying": _ON_ITS_WAY,
        "resolved": "it has ended well, so nothing is left to send",
        "discarded": "restore it first, with `payferry dlq restore`",
    },
)

PARK = Reach(
    done="parked",
    states=("pending",),
    otherwise={
        "replaying": _ON_ITS_WAY,
        "resolved": "it has ended well, and does not come back by itself",
        "parked": "there is nothing left to do",
        "discarded": "it does not come back by itself; to have it parked again, restore it",
    },
)

DISCARD = Reach(
    done="discarded",
    states=("pending", "parked"),
    otherwise={
        "replaying": _ON_ITS_WAY,
        "resolved": "it has ended well, and is archived by itself in time",
        "discarded": "there is nothing left to do",
    },
)

RESTORE = Reach(
    done="restored",
    states=("discarded",),
    otherwise={
        "pending": "nobody has discarded it",
        "replaying": "nobody has discarded it",
        "resolved": "it has ended well, and a restored one would be sent again",
        "parked": "nobody has discarded it",
    },
)

PURGE = Reach(
    done="purged",
    states=("resolved", "discarded"),
    otherwise={
        "pending": "what is open is never purged; discard it first, with `payferry dlq discard`",
        "replaying": "what is open is never purged; wait for it",
        "parked": "what is open is never purged; discard it first, with `payferry dlq discard`",
    },
)

EDIT = Reach(
    done="edited",
    states=("pending", "parked"),
    otherwise={
        "replaying": _ON_ITS_WAY,
        "resolved": "it has ended well, so nothing is left to mend",
        "discarded": "restore it first, with `payferry dlq restore`",
    },
)
