from workers.supervisor.backoff import RestartBackoff
from workers.supervisor.spec import RestartPolicy

POLICY = RestartPolicy(first_delay_seconds=1, longest_delay_seconds=5, stable_seconds=10, quick_deaths=6)


def test_the_delay_doubles_up_to_the_longest() -> None:
    backoff = RestartBackoff(POLICY)
    assert [backoff.after(0) for _ in range(5)] == [1, 2, 4, 5, 5]


def test_too_many_quick_deaths_in_a_row_are_the_end() -> None:
    backoff = RestartBackoff(POLICY)
    assert [backoff.after(0.1) for _ in range(6)][-1] is None


def test_a_stable_life_starts_the_count_afresh() -> None:
    backoff = RestartBackoff(POLICY)
    for _ in range(4):
        backoff.after(0)
    assert backoff.after(10) == 1
    assert backoff.after(0) == 2


def test_a_process_that_dies_only_after_stable_lives_is_restarted_for_ever() -> None:
    backoff = RestartBackoff(POLICY)
    assert {backoff.after(11) for _ in range(100)} == {1}
