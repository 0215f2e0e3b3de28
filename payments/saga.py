"""A saga: steps that take effect at the provider, one after the other, and what takes each of them back.

    forward      authorize ──▶ capture ──▶ record ──▶ finished
                     │            │           │
    for good failed  ▼            ▼           ▼
    backward      (nothing) ◀── void ◀──── refund         in reverse, until all is taken back

Its log is its whole memory: what is written there before and after every step tells, after a crash anywhere, what is
done, what is not, and what is in doubt. What is in doubt is asked for before it is repeated. A capture uses the
authorization up, so once something was captured there is nothing to void any more. Pure: the log goes in, the next move
comes out.

Source: Garcia-Molina and Salem, "Sagas" (SIGMOD 1987), backward recovery.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum

import msgspec


class Step(StrEnum):
    """What a saga does, in this order."""

    AUTHORIZE = "authorize"
    CAPTURE = "capture"
    RECORD = "record"


class Mark(StrEnum):
    """What the log can say of a step."""

    STARTED = "started"
    DONE = "done"
    FAILED = "failed"
    COMPENSATION_STARTED = "compensation_started"
    COMPENSATION_DONE = "compensation_done"
    COMPENSATION_FAILED = "compensation_failed"


BACKWARD = frozenset({Mark.COMPENSATION_STARTED, Mark.COMPENSATION_DONE, Mark.COMPENSATION_FAILED})
"""The marks of what is taken back."""


class Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of the log. Nothing in it is personal data.

    `reference_id` and `amount_minor` are the provider's, of what the step made. A step that `failed` took no effect; it
    may be tried again, unless that was `final`. `declined` says that the provider said no to the payer; `answered` that
    it answered with an error, which some providers keep under the idempotency key and repeat from then on; `given` that
    somebody else has taken the step before the saga began, so that it is not ours to take back. `reason` is what a dead
    letter will say once all is taken back.
    """

    step: Step
    mark: Mark
    attempt: int = 0
    reference_id: str | None = None
    amount_minor: int | None = None
    final: bool = False
    declined: bool = False
    answered: bool = False
    given: bool = False
    code: str | None = None
    service: str | None = None
    reason: str | None = None

    @property
    def took_effect(self) -> bool:
        """Whether it says that something was done at the provider."""
        return self.mark in {Mark.DONE, Mark.COMPENSATION_DONE} and self.step is not Step.RECORD


class Take(msgspec.Struct, frozen=True):
    """Take this step. `in_doubt`: it was started before and nobody knows how it ended, so ask first."""

    step: Step
    in_doubt: bool = False


class Undo(msgspec.Struct, frozen=True):
    """Take this step back; `in_doubt` likewise."""

    step: Step
    in_doubt: bool = False


class Finished(msgspec.Struct, frozen=True):
    """Every step is done."""


class Undone(msgspec.Struct, frozen=True):
    """Nothing is left of it at the provider. `cause` is the failure that turned the saga round."""

    cause: Line


Move = Take | Undo | Finished | Undone

SAGA = (Step.AUTHORIZE, Step.CAPTURE, Step.RECORD)


def next_move(log: Sequence[Line]) -> Move:
    """Return what is to be done next, as the log tells it."""
    last = latest(log)
    cause = turned_by(log)
    return _forward(last) if cause is None else _backward(last, cause)


def latest(log: Iterable[Line]) -> dict[Step, Line]:
    """Return the last line of each step."""
    return {line.step: line for line in log}


def turned_by(log: Iterable[Line]) -> Line | None:
    """Return the failure that turned the saga round, or None while it goes forward."""
    return next((line for line in log if line.mark is Mark.FAILED and line.final), None)


def done(log: Iterable[Line], step: Step) -> Line | None:
    """Return the line that says that `step` took effect, if there is one, even if it was taken back since."""
    return next((line for line in log if line.step is step and line.mark is Mark.DONE), None)


def to_take_back(log: Sequence[Line]) -> Step | None:
    """Return the step that a saga which turned round now would take back first, if there is one."""
    last = latest(log)
    return next((step for step in reversed(SAGA) if _stands(last, step)), None)


def _forward(last: dict[Step, Line]) -> Move:
    for step in SAGA:
        line = last.get(step)
        if line is None or line.mark is not Mark.DONE:
            return Take(step, in_doubt=line is not None and line.mark is Mark.STARTED)
    return Finished()


def _backward(last: dict[Step, Line], cause: Line) -> Move:
    for step in reversed(SAGA):
        if _stands(last, step):
            return Undo(step, in_doubt=last[step].mark is Mark.COMPENSATION_STARTED)
    return Undone(cause)


def _stands(last: dict[Step, Line], step: Step) -> bool:
    """Return whether the step has an effect at the provider that is ours and not known to be taken back."""
    if step is Step.RECORD or step not in last or last[step].mark not in _STANDING or last[step].given:
        return False
    used_up = step is Step.AUTHORIZE and Step.CAPTURE in last and last[Step.CAPTURE].mark in _EFFECTIVE
    return not used_up


_STANDING = frozenset({Mark.DONE, Mark.COMPENSATION_STARTED, Mark.COMPENSATION_FAILED})
_EFFECTIVE = _STANDING | {Mark.COMPENSATION_DONE}


class Journal:
    """The log of one saga while somebody works on it, and how much of it is not written down yet."""

    def __init__(self, log: Iterable[Line]) -> None:
        self.log = list(log)
        self._written = len(self.log)

    def assume(self, line: Line) -> None:
        """Put a line before all others: what somebody else has done before the saga began. It is never written."""
        if done(self.log, line.step) is None:
            self.log.insert(0, line)
            self._written += 1

    def note(self, line: Line) -> None:
        """Add a line, to be written with the next statement."""
        self.log.append(line)

    def unwritten(self) -> tuple[Line, ...]:
        """Return the lines that are not written down yet."""
        return tuple(self.log[self._written :])

    @property
    def has_begun(self) -> bool:
        """Whether anything of ours stands at the provider, or may."""
        return self.in_doubt or to_take_back(self.log) is not None

    @property
    def has_just_turned(self) -> bool:
        """Whether the failure that turned the saga round is not written down yet."""
        return turned_by(self.unwritten()) is not None

    @property
    def in_doubt(self) -> bool:
        """Whether something was asked for, and nobody knows how it ended."""
        move = next_move(self.log)
        return isinstance(move, Take | Undo) and move.in_doubt

    def wrote(self) -> None:
        """Note that all of it is written down."""
        self._written = len(self.log)
