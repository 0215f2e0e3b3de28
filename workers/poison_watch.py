"""Poison or outage: when bad records are so many that a person must look, and when to go on."""

import math
from collections.abc import Callable, Collection
from datetime import datetime
from functools import partial

from payments.ledger.bridge_pauses import PROBE, BridgePauses, Pause
from payments.log_events import Tell
from payments.resilience.poison import PoisonPolicy, PoisonWindow
from workers.brake import Brake

POISON = "poison"
_LOOK_SECONDS = 1.0  # between two looks at what the ledger says for all bridges of the group


class PoisonWatch:
    """What one bridge has seen of its topic, and what all bridges of its group do about it.

    The pause is a row of the ledger, so they stop together, a bridge that is started anew stays paused, and whoever may
    write that row can say go on. After a person said so, nothing that is seen pauses again until the records have been
    well once. While a pause is open one bridge at a time takes a probe, through the intake like everything, so nothing
    is lost by it; a probe without too many bad records ends the pause. It is the bridge that has paused, as long as it
    is there.

    What is to be written is written by `look`, and kept until the ledger takes it. No method blocks but that one.
    """

    def __init__(
        self,
        pauses: BridgePauses,
        brake: Brake,
        policy: PoisonPolicy,
        name: str,
        tell: Tell,
        clock: Callable[[], float],
    ) -> None:
        self._pauses = pauses
        self._brake = brake
        self._policy = policy
        self._name = name
        self._tell = tell
        self._clock = clock
        self._window = PoisonWindow(policy.window)
        self._probe: PoisonWindow | None = None
        self._latest: Pause | None = None
        self._is_overruled = False
        self._unwritten: Callable[[], object] | None = None
        self._look_at = -math.inf
        self.has_looked = False

    def room(self, batch_size: int) -> int:
        """Return how many records may be taken at once: a probe takes no more than it needs."""
        return batch_size if self._probe is None else min(batch_size, self._probe.room)

    def look(self) -> bool:
        """Write what is to be written, and do as the ledger says. Asks at most once a second. Raises Transient.

        Returns whether the ledger was asked.
        """
        if self._clock() < self._look_at:
            return False
        self._look_at = self._clock() + _LOOK_SECONDS
        if self._unwritten is not None:
            self._unwritten()
            self._unwritten = None
        self._heed(self._pauses.latest())
        self.has_looked = True
        return True

    def taken(self, how_many: int, undecodable: Collection[int]) -> None:
        """Note a batch that is stored; `undecodable` are the places of the bad ones in it."""
        places = frozenset(undecodable)
        outcomes = (place in places for place in range(how_many))
        if places:
            self._look_at = -math.inf  # another bridge may have seen as many, and paused the group
        if self._probe is not None:
            self._probe.add(outcomes)
            self._end_probe(self._probe, is_over=not self._probe.room)
        else:
            self._window.add(outcomes)
            self._judge()

    def nothing_came(self) -> None:
        """Note that a poll gave nothing: a probe is content with what it has, if anything could come."""
        if self._probe is not None:
            self._end_probe(self._probe, is_over=self._probe.looked_at > 0 and not self._brake.is_pressed)

    def _heed(self, latest: Pause | None) -> None:
        before, self._latest = self._latest, latest
        if latest is not None and latest.is_open:
            self._hold(latest)
        elif self._brake.is_on_for(POISON) or _ended_at(latest) != _ended_at(before):
            self._go_on(latest)

    def _hold(self, pause: Pause) -> None:
        """Take nothing, except for a probe if it is this bridge's turn, and nothing else is in its way."""
        if self._probe is not None:
            return
        self._brake.put_on(POISON)
        if self._brake.is_on_only_for(POISON) and self._pauses.claim_probe(pause, self._probe_seconds(pause)):
            self._probe = PoisonWindow(self._policy.probe_size)
            self._brake.ease(POISON)

    def _probe_seconds(self, pause: Pause) -> float:
        """Leave the probe to the bridge that has seen the poison: what the others have may be well all the time."""
        return self._policy.probe_seconds * (1 if pause.paused_by == self._name else 2)

    def _go_on(self, latest: Pause | None) -> None:
        """Judge anew, by what comes from now on. A pause that ended while nobody looked counts as well."""
        if latest is not None and self._brake.is_on_for(POISON):
            self._tell("bridge_poison_over", by=latest.resumed_by)
        self._window.clear()
        self._probe = None
        self._is_overruled = latest is not None and latest.is_overruled
        self._brake.take_off(POISON)

    def _judge(self) -> None:
        if self._window.room or self._brake.is_on_for(POISON):
            return
        if not self._policy.is_passed_by(self._window):
            self._be_well()
        elif not self._is_overruled:
            self._be_poisoned()

    def _be_well(self) -> None:
        """After this, a person's word to go on is used up."""
        if self._is_overruled and self._latest is not None:
            self._is_overruled = False
            self._write(partial(self._pauses.mark_well, self._latest))

    def _be_poisoned(self) -> None:
        seen = {"bad": self._window.bad, "looked_at": self._window.looked_at}
        self._tell("bridge_poisoned", **seen, topic=self._pauses.topic, group=self._pauses.group_id)
        self._brake.put_on(POISON)
        knows = _ended_at(self._latest)
        self._write(partial(self._pauses.pause, POISON, **seen, by=self._name, knows=knows))

    def _end_probe(self, probe: PoisonWindow, *, is_over: bool) -> None:
        if not is_over:
            return
        self._probe = None
        self._brake.put_on(POISON)
        self._tell("bridge_probed", bad=probe.bad, looked_at=probe.looked_at)
        if not self._policy.is_passed_by(probe) and self._latest is not None:
            why = f"{probe.bad} of the {probe.looked_at} records of a probe were bad"
            self._write(partial(self._pauses.resume, self._latest, PROBE, why))

    def _write(self, what: Callable[[], object]) -> None:
        """Let the next look write this; what was not yet written is out of date."""
        self._unwritten = what
        self._look_at = -math.inf


def _ended_at(pause: Pause | None) -> datetime | None:
    return pause.resumed_at if pause is not None else None
