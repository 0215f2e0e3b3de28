"""Of each kind a few, then one a minute, and none is forgotten in the counting."""

from hypothesis import given
from hypothesis import strategies as st

from payments.alarms.damper import Damper, DampingPolicy

POLICY = DampingPolicy(burst=3, every_seconds=60.0, most_kinds=4)
ALARMS = st.lists(st.tuples(st.sampled_from("abcdefgh"), st.floats(0.0, 90.0)), max_size=200)


@given(ALARMS)
def test_what_is_told_and_what_is_left_out_add_up_to_what_there_was(alarms: list[tuple[str, float]]) -> None:
    damper: Damper[str] = Damper(POLICY)
    now, told = 0.0, 0
    for kind, pause_seconds in alarms:
        now += pause_seconds
        left_out = damper.admit((kind,), kind, now)
        told += 0 if left_out is None else 1 + left_out
    told += sum(1 + before for _latest, before in damper.left_out())
    assert told == len(alarms)


def test_each_kind_has_its_own_leave_and_gets_it_back_with_time() -> None:
    damper: Damper[int] = Damper(POLICY)
    assert [damper.admit(("a",), 0, 0.0) for _ in range(5)] == [0, 0, 0, None, None]
    assert damper.admit(("b",), 0, 0.0) == 0
    assert damper.admit(("a",), 0, 59.0) is None
    assert damper.admit(("a",), 0, 60.0) == 3
    assert damper.admit(("a",), 0, 61.0) is None


def test_ever_new_kinds_are_one_kind_together_until_the_old_ones_are_quiet() -> None:
    damper: Damper[int] = Damper(POLICY)
    told = [damper.admit((str(number),), number, 0.0) for number in range(100)]
    assert len([each for each in told if each is not None]) == POLICY.most_kinds + POLICY.burst
    assert damper.admit(("late",), 0, 10_000.0) == 0
    assert damper.left_out() == [(99, 92)]
