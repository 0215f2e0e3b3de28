"""How far behind the bridges are, and for how long they have taken nothing."""

from workers.monitor.lag import Untaken, lag_of


def test_the_lag_is_what_has_come_and_is_not_committed() -> None:
    assert lag_of({0: (5, 9), 1: (9, 9), 2: (10, 9)}) == {0: 4, 1: 0, 2: 0}


def test_what_comes_and_is_not_taken_counts_from_the_look_that_saw_it() -> None:
    untaken = Untaken()
    assert untaken.note({0: (5, 5)}, 0.0) == 0.0
    assert untaken.note({0: (5, 8)}, 10.0) == 0.0
    assert untaken.note({0: (5, 9)}, 75.0) == 65.0
    assert untaken.note({0: (6, 9)}, 80.0) == 0.0, "a commit, however small"


def test_a_quiet_topic_that_is_never_committed_to_its_end_is_well() -> None:
    untaken = Untaken()
    assert [untaken.note({0: (5, 8)}, moment) for moment in (0.0, 100.0, 200.0)] == [0.0, 0.0, 0.0]
