"""Sending dead letters back: what is due, by beat; what was chosen, by a job. Both go through the same gates."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, suppress

import msgspec

from payments.event import Event
from payments.failures import DataRefused, Failure, QueueAway, Undecodable
from payments.flows.dead_letters.desk import ReplayDesk
from payments.flows.dead_letters.gate import Gate, gate_of, most_through, sort_out
from payments.flows.intake import CONTRADICTION, decode_record, gist
from payments.ledger.dead_letters.actor import Actor
from payments.ledger.dead_letters.pace import Lane, Pace
from payments.ledger.dead_letters.replays import DUE, Candidate, Selection, Turn
from payments.ledger.inbox import Wakeup
from payments.tracing.tracer import Span

BEAT = Actor("beat")
_SLOT = "replay"
_CLOSED_GATE_SECONDS = 1.0  # after which a gate that is not open is looked at again


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the letters that were looked at. `refused` ones were read again in vain."""

    sent: int = 0
    superseded: int = 0
    refused: int = 0

    def __add__(self, other: "Replayed") -> "Replayed":
        return Replayed(
            sent=self.sent + other.sent,
            superseded=self.superseded + other.superseded,
            refused=self.refused + other.refused,
        )

    @property
    def total(self) -> int:
        """How many were decided."""
        return self.sent + self.superseded + self.refused


def replay_due(desk: ReplayDesk, *, is_tick: bool, actor: Actor = BEAT) -> Replayed | None:
    """Send back what is due, oldest first and fairly across providers, up to the batch size.

    None where this is a tick of the schedule that somebody else has taken, or replay is paused. Raises DatabaseAway.
    """
    policy = desk.policy
    if is_tick and not desk.sweeps.take_slot(_SLOT, policy.least_gap_seconds * 0.8):  # beats are not exact
        return None
    if desk.switch.is_paused:
        return None
    waiting = desk.replays.due(policy.batch_size)
    gates = {provider: gate_of(desk.switchboard, provider) for provider in waiting}
    open_to = {provider: number for provider, number in waiting.items() if gates[provider] is not Gate.SHUT}
    replayed = Replayed()
    for provider, share in fair_shares(open_to, policy.batch_size).items():
        replayed += _replay_lane(desk, provider, share, gates[provider], actor)
    if replayed.total:
        desk.tell("dead_letters_replayed", by=actor.who, **msgspec.structs.asdict(replayed))
    return replayed


def fair_shares(waiting: Mapping[str, int], most: int) -> dict[str, int]:
    """Return how many of `most` each gets: equal shares, and what one does not need goes to the others."""
    shares: dict[str, int] = {}
    left = most
    for place, (name, number) in enumerate(sorted(waiting.items(), key=lambda item: item[1])):
        shares[name] = min(number, -(-left // (len(waiting) - place)))
        left -= shares[name]
    return shares


def _replay_lane(desk: ReplayDesk, provider: str, most: int, gate: Gate, actor: Actor) -> Replayed:
    """Send back up to `most` due letters of one provider, in rounds: the events of a payment follow each other."""
    replayed = Replayed()
    while replayed.total < most:
        with desk.replays.turn(actor) as turn:
            work = Round(desk, turn, provider, None)
            found = work.run(Selection(choice=DUE), gate, most - replayed.total)
        work.wake()
        replayed += found
        if not found.total:
            break
    return replayed


class Round:
    """One transaction's work for one provider. `wake` is to be called once that is committed."""

    def __init__(self, desk: ReplayDesk, turn: Turn, provider: str, job_id: int | None) -> None:
        self._desk = desk
        self._turn = turn
        self._provider = provider
        self._job_id = job_id
        self._wakeups: list[Wakeup] = []
        self._sent: list[Candidate] = []
        self.last_id = 0
        """The last letter that was looked at; 0: none."""
        self.has_seen_all = False
        """Whether none that may go is left behind `last_id`."""
        self.waits_for: str | None = None
        """What nothing could go for, as `breaker of stripe`; it may go on in `wait_seconds`."""
        self.wait_seconds = 0.0

    def run(
        self, selection: Selection, gate: Gate, most: int, *, after_id: int = 0, pace: Lane | None = None
    ) -> Replayed:
        """Pick, judge and send back up to `most`, at `pace`, otherwise at the provider's velocity."""
        lane = self._lane()  # locks out all others who send to this provider, so that one canary is one
        tokens = (pace or lane).tokens
        most = min(most, self._most_through(gate), tokens)
        if most < 1:
            self._wait_for_tokens(pace or lane)
            return Replayed()
        candidates = self._turn.pick(selection, self._provider, most, after_id)
        self.has_seen_all = len(candidates) < most
        if not candidates:
            return Replayed()
        self.last_id = candidates[-1].letter_id
        with self._traced(candidates) as span:
            replayed = self._settle(candidates)
            span.tell(**msgspec.structs.asdict(replayed))
        if pace is None:
            lane.spend(replayed.sent)  # what the provider will meet
        else:
            pace.spend(replayed.total)  # what whoever named the pace will see
        return replayed

    def _traced(self, candidates: Sequence[Candidate]) -> AbstractContextManager[Span]:
        """Return a span that points to the traces of these letters' events: there their story goes on."""
        facts = {"provider": self._provider, "job": self._job_id, "letters": len(candidates)}
        others = (each.trace_parent for each in candidates)
        return self._desk.tracer.linked("dead_letter.replay", facts, others)

    def _lane(self) -> Lane:
        velocity = self._desk.policies.velocity(self._provider)
        return Lane(self._turn.connection, f"provider:{self._provider}", Pace(velocity.per_second, velocity.burst))

    def _most_through(self, gate: Gate) -> int:
        most = most_through(gate, self._turn, self._provider)
        if most < 1:
            self.waits_for, self.wait_seconds = f"the breaker of {self._provider}", _CLOSED_GATE_SECONDS
        return most

    def _wait_for_tokens(self, pace: Lane) -> None:
        if self.waits_for is None:
            self.waits_for, self.wait_seconds = "its pace", pace.wait_seconds

    def wake(self) -> None:
        """Wake the workers, once it is certain that they find something. What gets lost is found by the sweep."""
        for each in self._sent:
            self._desk.tell(
                "dead_letter_sent_back",
                dead_letter=each.letter_id,
                provider=self._provider,
                job=self._job_id,
                correlation_id=each.correlation_id,
            )
        with suppress(QueueAway):
            self._desk.wakeups.send(self._wakeups)

    def _settle(self, candidates: list[Candidate]) -> Replayed:
        found = sort_out(candidates)
        superseded = self._turn.supersede(found.superseded, self._job_id) if found.superseded else 0
        sent = self._turn.send(found.to_send, self._job_id) if found.to_send else []
        self._wakeups += sent
        sent_out = self._turn.send_out(found.to_send_out, self._job_id) if found.to_send_out else 0
        self._sent += (*found.to_send, *found.to_send_out)
        read = self._read(found.to_read) if found.to_read else Replayed()
        return Replayed(sent=len(sent) + sent_out, superseded=superseded) + read

    def _read(self, candidates: Sequence[Candidate]) -> Replayed:
        """Look again at records that were no events; what can be read now is taken in."""
        events, refused = self._decoded(candidates)
        known = self._turn.known(events) if events else {}
        told = {each.letter_id: event for each, event in events if each.letter_id in known}
        told_again = [letter_id for letter_id, event in told.items() if gist(known[letter_id]) == gist(event)]
        refused |= dict.fromkeys(told.keys() - set(told_again), CONTRADICTION)
        new = _first_of_each([(each, event) for each, event in events if each.letter_id not in known])
        refused |= self._take_in(new)
        superseded = self._turn.resolve_known(told_again, self._job_id) if told_again else 0
        in_vain = self._turn.refuse(refused, self._job_id) if refused else 0
        sent = [each for each, _ in new if each.letter_id not in refused]
        self._sent += sent
        return Replayed(sent=len(sent), superseded=superseded, refused=in_vain)

    def _take_in(self, letters: Sequence[tuple[Candidate, Event]]) -> dict[int, Failure]:
        """Store the events; where the ledger refuses them one by one, and return those that it cannot hold."""
        if not letters:
            return {}
        try:
            self._wakeups += self._turn.take_in(letters, self._job_id)
        except DataRefused as failure:
            if len(letters) == 1:
                return {letters[0][0].letter_id: failure}
            return {letter_id: why for each in letters for letter_id, why in self._take_in([each]).items()}
        return {}

    def _decoded(self, candidates: Sequence[Candidate]) -> tuple[list[tuple[Candidate, Event]], dict[int, Failure]]:
        events: list[tuple[Candidate, Event]] = []
        refused: dict[int, Failure] = {}
        for each in candidates:
            assert each.record is not None
            try:
                events.append((each, decode_record(each.record, self._desk.policy.max_event_bytes)))
            except Undecodable as failure:
                refused[each.letter_id] = failure
        return events, refused


def _first_of_each(letters: list[tuple[Candidate, Event]]) -> list[tuple[Candidate, Event]]:
    """Leave out those that tell the same event as one before: by the next round that is known."""
    first = {(event.provider, event.event_id): each for each, event in reversed(letters)}
    return [(each, event) for each, event in letters if first[event.provider, event.event_id] is each]
