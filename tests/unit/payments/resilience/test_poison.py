"""A window over the last records, and when it holds too many bad ones."""

from itertools import repeat

from hypothesis import given
from hypothesis import strategies as st

from payments.resilience.poison import PoisonPolicy, PoisonWindow

OUTCOMES = st.lists(st.booleans(), max_size=200)


def window_of(size: int, *runs: tuple[int, bool]) -> PoisonWindow:
    """Return a window that has seen so many good or bad records, one run after the other."""
    window = PoisonWindow(size)
    for how_many, is_bad in runs:
        window.add(repeat(is_bad, how_many))
    return window


@given(size=st.integers(1, 30), batches=st.lists(OUTCOMES, max_size=8))
def test_it_knows_the_last_records_however_they_come_in_batches(size: int, batches: list[list[bool]]) -> None:
    window = PoisonWindow(size)
    seen: list[bool] = []
    for batch in batches:
        window.add(batch)
        seen += batch
        last = seen[-size:]
        assert (window.looked_at, window.bad, window.room) == (len(last), sum(last), size - len(last))


@given(outcomes=OUTCOMES, size=st.integers(10, 60), share=st.floats(0.01, 1))
def test_too_many_is_more_than_the_share_and_never_the_share_itself(
    outcomes: list[bool], size: int, share: float
) -> None:
    window = PoisonWindow(size)
    window.add(outcomes)
    last = outcomes[-size:]
    assert PoisonPolicy(share=share, window=size).is_passed_by(window) == (bool(last) and sum(last) / len(last) > share)


def test_fifty_bad_ones_in_a_row_among_twelve_thousand_are_not_too_many() -> None:
    policy = PoisonPolicy()
    window = window_of(policy.window, (6_000, False))
    for outcome in [*repeat(True, 50), *repeat(False, 5_950)]:
        window.add([outcome])
        assert not policy.is_passed_by(window)


def test_a_fifth_is_not_too_many_and_one_more_is() -> None:
    policy = PoisonPolicy()
    assert not policy.is_passed_by(window_of(500, (400, False), (100, True)))
    assert policy.is_passed_by(window_of(500, (399, False), (101, True)))


def test_in_a_batch_larger_than_the_window_its_last_records_count() -> None:
    policy = PoisonPolicy()
    assert not policy.is_passed_by(window_of(500, (500, True), (500, False)))
    assert policy.is_passed_by(window_of(500, (500, False), (500, True)))


def test_a_share_of_one_is_never_passed() -> None:
    assert not PoisonPolicy(share=1.0).is_passed_by(window_of(500, (2_000, True)))


def test_nothing_seen_is_nothing_bad() -> None:
    window = window_of(500, (500, True))
    window.clear()
    assert (window.looked_at, window.bad, window.share, window.room) == (0, 0, 0.0, 500)
    assert not PoisonPolicy().is_passed_by(window)
