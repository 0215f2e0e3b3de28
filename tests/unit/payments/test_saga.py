"""The moves of a saga, against a provider that can be asked and that keeps no idempotency keys at all."""

from itertools import product

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from payments.saga import (
    Finished,
    Journal,
    Line,
    Mark,
    Move,
    Step,
    Take,
    Undo,
    Undone,
    done,
    next_move,
    to_take_back,
    turned_by,
)

AUTHORIZED = Line(step=Step.AUTHORIZE, mark=Mark.DONE, reference_id="auth_1")
CAPTURED = Line(step=Step.CAPTURE, mark=Mark.DONE, reference_id="cap_1", amount_minor=100)


def line(step: Step, mark: Mark, **told: object) -> Line:
    return msgspec.structs.replace(Line(step=step, mark=mark), **told)


class Provider:
    """Does what it is asked, each time that it is asked, and can tell what it has done."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def stands(self, step: Step) -> bool:
        return {Step.AUTHORIZE: "authorize", Step.CAPTURE: "capture"}[step] in self.done

    def is_taken_back(self, step: Step) -> bool:
        return {Step.AUTHORIZE: "void", Step.CAPTURE: "refund"}[step] in self.done


def test_a_saga_goes_forward_step_by_step() -> None:
    log: list[Line] = []
    moves: list[Move] = []
    for step in Step:
        moves.append(next_move(log))
        log += [line(step, Mark.STARTED), line(step, Mark.DONE)]
    assert moves == [Take(Step.AUTHORIZE), Take(Step.CAPTURE), Take(Step.RECORD)]
    assert next_move(log) == Finished()


def test_a_step_that_was_started_and_not_ended_is_in_doubt() -> None:
    assert next_move([AUTHORIZED, line(Step.CAPTURE, Mark.STARTED)]) == Take(Step.CAPTURE, in_doubt=True)


def test_a_step_that_failed_without_an_effect_is_taken_again_and_not_asked_for() -> None:
    log = [AUTHORIZED, line(Step.CAPTURE, Mark.STARTED), line(Step.CAPTURE, Mark.FAILED, code="http_503")]
    assert next_move(log) == Take(Step.CAPTURE)


def test_a_capture_that_failed_for_good_voids_the_authorization() -> None:
    failed = line(Step.CAPTURE, Mark.FAILED, final=True)
    log = [AUTHORIZED, failed]
    assert next_move(log) == Undo(Step.AUTHORIZE)
    assert next_move([*log, line(Step.AUTHORIZE, Mark.COMPENSATION_STARTED)]) == Undo(Step.AUTHORIZE, in_doubt=True)
    assert next_move([*log, line(Step.AUTHORIZE, Mark.COMPENSATION_FAILED)]) == Undo(Step.AUTHORIZE)
    assert next_move([*log, line(Step.AUTHORIZE, Mark.COMPENSATION_DONE)]) == Undone(failed)


def test_a_record_that_failed_for_good_refunds_the_capture_and_leaves_the_used_up_authorization_alone() -> None:
    failed = line(Step.RECORD, Mark.FAILED, final=True)
    log = [AUTHORIZED, CAPTURED, failed]
    assert next_move(log) == Undo(Step.CAPTURE)
    assert next_move([*log, line(Step.CAPTURE, Mark.COMPENSATION_DONE)]) == Undone(failed)


def test_an_authorization_that_failed_for_good_leaves_nothing_to_take_back() -> None:
    failed = line(Step.AUTHORIZE, Mark.FAILED, final=True, declined=True)
    assert next_move([failed]) == Undone(failed)
    assert to_take_back([line(Step.AUTHORIZE, Mark.STARTED)]) is None


def test_what_somebody_else_has_authorized_is_not_taken_back() -> None:
    given = msgspec.structs.replace(AUTHORIZED, given=True)
    failed = line(Step.CAPTURE, Mark.FAILED, final=True, declined=True)
    assert next_move([given, failed]) == Undone(failed)
    assert next_move([given, CAPTURED, line(Step.RECORD, Mark.FAILED, final=True)]) == Undo(Step.CAPTURE)


def test_what_would_be_taken_back_is_the_latest_effect() -> None:
    assert to_take_back([AUTHORIZED]) is Step.AUTHORIZE
    assert to_take_back([AUTHORIZED, CAPTURED]) is Step.CAPTURE


def test_a_journal_writes_every_line_once_and_never_what_others_did_before() -> None:
    journal = Journal([])
    journal.assume(AUTHORIZED)
    journal.assume(AUTHORIZED)
    started = line(Step.CAPTURE, Mark.STARTED)
    journal.note(started)
    assert journal.unwritten() == (started,)
    assert journal.in_doubt
    journal.wrote()
    journal.note(CAPTURED)
    assert journal.unwritten() == (CAPTURED,)
    assert not journal.in_doubt
    assert journal.log == [AUTHORIZED, started, CAPTURED]


def test_every_log_of_up_to_four_lines_has_a_move_and_a_saga_that_turned_never_goes_forward_again() -> None:
    lines = [line(step, mark, final=final) for step, mark, final in product(Step, Mark, (False, True))]
    for length in range(4):
        for log in product(lines, repeat=length):
            move = next_move(log)
            assert isinstance(move, Undo | Undone) == (turned_by(log) is not None)


ENDINGS = (
    *("done", "killed before", "killed after", "no answer, no effect", "no answer, effect"),
    *("refused", "declined", "for good"),
)
EFFECTIVE = frozenset({"done", "killed after", "no answer, effect"})


class SagaAtWork(RuleBasedStateMachine):
    """Somebody works on the saga, is killed anywhere, and somebody else goes on from what was written down.

    The provider does everything that it is asked to do, so a step that is taken twice has two effects.
    """

    @initialize(authorized_before=st.booleans())
    def begin(self, *, authorized_before: bool) -> None:
        self.provider = Provider()
        self.given = [msgspec.structs.replace(AUTHORIZED, given=True)] if authorized_before else []
        if authorized_before:
            self.provider.done.append("authorize")
        self.written: list[Line] = []
        self.journal = Journal(self.written)
        self.resume()

    def resume(self) -> None:
        self.journal = Journal(self.written)
        for each in self.given:
            self.journal.assume(each)

    def write(self) -> None:
        self.written += self.journal.unwritten()
        self.journal.wrote()

    def move(self) -> Move:
        return next_move(self.journal.log)

    @rule(whats=st.lists(st.sampled_from([*ENDINGS, "crash", "put off"]), min_size=1, max_size=9))
    def work(self, whats: list[str]) -> None:
        for what in whats:
            self.go_on(what)
            self.nothing_ever_takes_effect_twice()
            self.what_is_taken_back_was_done_and_only_one_of_both_ways()
            self.its_end_tells_the_truth()

    def go_on(self, what: str) -> None:
        move = self.move()
        match what, move:
            case "crash", _:
                self.resume()
            case "put off", _:
                self.write()
            case _, Take(step=Step.RECORD):
                self.record(what)
            case _, Take(step=step, in_doubt=in_doubt):
                self.take(step, what, in_doubt=in_doubt)
            case _, Undo(step=step, in_doubt=in_doubt):
                self.undo(step, what, in_doubt=in_doubt)

    def record(self, how: str) -> None:
        if how == "done":
            self.journal.note(line(Step.RECORD, Mark.DONE))
            self.write()  # in the settlement itself
        elif how == "for good":
            self.journal.note(line(Step.RECORD, Mark.FAILED, final=True))
            self.write()

    def take(self, step: Step, how: str, *, in_doubt: bool) -> None:
        if in_doubt and self.provider.stands(step):
            self.journal.note(line(step, Mark.DONE))
            return
        self.journal.note(line(step, Mark.STARTED))
        self.write()
        if how in EFFECTIVE:
            self.provider.done.append(str(step))
        self._learn(step, how, Mark.DONE, Mark.FAILED)

    def undo(self, step: Step, how: str, *, in_doubt: bool) -> None:
        if in_doubt and self.provider.is_taken_back(step):
            self.journal.note(line(step, Mark.COMPENSATION_DONE))
            return
        self.journal.note(line(step, Mark.COMPENSATION_STARTED))
        self.write()
        if how in EFFECTIVE:
            self.provider.done.append("void" if step is Step.AUTHORIZE else "refund")
        self._learn(step, how, Mark.COMPENSATION_DONE, Mark.COMPENSATION_FAILED)

    def _learn(self, step: Step, how: str, good: Mark, bad: Mark) -> None:
        match how:
            case "done":
                self.journal.note(line(step, good))
            case "refused":
                self.journal.note(line(step, bad))
            case "declined" | "for good":
                forward = bad is Mark.FAILED
                self.journal.note(line(step, bad, final=forward, declined=forward and how == "declined"))
                self.write()
            case "killed before" | "killed after":
                self.resume()
            case _:
                self.write()

    def nothing_ever_takes_effect_twice(self) -> None:
        assert len(self.provider.done) == len(set(self.provider.done))

    def what_is_taken_back_was_done_and_only_one_of_both_ways(self) -> None:
        assert not {"void", "capture"} <= set(self.provider.done)
        assert "refund" not in self.provider.done or "capture" in self.provider.done

    def its_end_tells_the_truth(self) -> None:
        effects = set(self.provider.done)
        match self.move():
            case Finished():
                assert "capture" in effects
                assert "refund" not in effects
            case Undone():
                assert ("capture" in effects) == ("refund" in effects)
                assert self.given or "authorize" not in effects or effects & {"void", "capture"}
                assert not (self.given and "void" in effects)


@pytest.mark.parametrize("histories", [1_000, pytest.param(10_000, marks=pytest.mark.slow)])
def test_thousands_of_histories_of_crashes_and_lost_answers_never_repeat_an_effect_and_end_in_the_truth(
    histories: int,
) -> None:
    run_state_machine_as_test(
        SagaAtWork,
        settings=settings(
            max_examples=histories,
            stateful_step_count=2,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_a_done_step_is_found_even_after_it_was_taken_back() -> None:
    log = [AUTHORIZED, CAPTURED, line(Step.CAPTURE, Mark.COMPENSATION_DONE)]
    assert done(log, Step.CAPTURE) == CAPTURED
