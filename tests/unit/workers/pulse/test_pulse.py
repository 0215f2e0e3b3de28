"""How a process says how it fares. Time is a number that the test moves."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from workers.pulse.pulse import DATABASE_AWAY, Notes, Pulse
from workers.pulse.sign import SILENT_SECONDS, Life, Seen, Sign
from workers.pulse.worker import Progress

SIGN = Sign(name="bridge@box", role="bridge", host="box", pid=1, version="1", started_at=0.0)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def pulse(clock: Clock, report: Callable[[], Notes] = Notes) -> Pulse:
    return Pulse(SIGN, patience_seconds=15.0, report=report, clock=clock)


def test_a_loop_that_turns_is_alive(clock: Clock) -> None:
    made = pulse(clock)
    clock.now += 14.0
    made.turn()
    clock.now += 14.0
    sign = made.sign()
    assert (sign.stuck, sign.turned_seconds, sign.up_seconds) == ("", 14.0, 28.0)


def test_a_loop_that_has_not_turned_for_its_patience_is_stuck(clock: Clock) -> None:
    made = pulse(clock)
    clock.now += 15.5
    assert made.sign().stuck == "its main loop has made no progress for 15 s"
    made.turn()
    assert not made.sign().stuck


def test_a_loop_that_means_to_rest_is_not_expected_before(clock: Clock) -> None:
    made = pulse(clock)
    made.turn(300.0)
    clock.now += 310.0
    assert not made.sign().stuck
    clock.now += 6.0
    assert made.sign().stuck


def test_a_loop_that_waits_for_a_server_that_is_away_has_its_patience_anew_once_that_is_back(clock: Clock) -> None:
    is_away = True
    made = pulse(clock, lambda: Notes(is_excused=is_away))
    for _ in range(10):
        clock.now += 14.0
        assert not made.sign().stuck
    is_away = False
    clock.now += 14.0
    assert not made.sign().stuck
    clock.now += 2.0
    assert made.sign().stuck


def test_a_trouble_is_told_with_its_time_for_as_long_as_it_lasts(clock: Clock) -> None:
    troubles = [DATABASE_AWAY]
    made = pulse(clock, lambda: Notes(troubles=list(troubles)))
    assert made.sign().troubles == {DATABASE_AWAY: 0.0}
    clock.now += 4.0
    assert made.sign().troubles == {DATABASE_AWAY: 4.0}
    troubles.clear()
    assert made.sign().troubles == {}
    troubles.append(DATABASE_AWAY)
    assert made.sign().troubles == {DATABASE_AWAY: 0.0}


def test_a_report_that_hangs_keeps_no_other_thread_from_a_sign_of_the_loop(clock: Clock) -> None:
    asked, answered = Event(), Event()

    def report() -> Notes:
        asked.set()
        answered.wait(10.0)
        return Notes()

    made = pulse(clock)
    made.report_by(report)
    with ThreadPoolExecutor() as pool:
        hanging = pool.submit(made.sign)
        assert asked.wait(5.0)
        clock.now += 15.5
        stuck = made.sign().stuck
        made.turn()
        alive = made.sign()
        assert not hanging.done()
        answered.set()
    assert stuck == "its main loop has made no progress for 15 s"
    assert not alive.stuck


def test_a_report_that_fails_is_a_trouble_and_no_silence(clock: Clock) -> None:
    def fails() -> Notes:
        raise KeyError("jo@example.com")

    assert pulse(clock, fails).sign().troubles == {"its own report fails: KeyError": 0.0}


@pytest.mark.parametrize(
    ("seen_seconds", "stuck", "life"),
    [
        (SILENT_SECONDS, "", Life.ALIVE),
        (SILENT_SECONDS, "still", Life.STUCK),
        (SILENT_SECONDS + 0.1, "", Life.SILENT),
        (SILENT_SECONDS + 0.1, "still", Life.SILENT),
    ],
)
def test_who_gives_no_sign_is_silent_whatever_the_last_one_said(seen_seconds: float, stuck: str, life: Life) -> None:
    sign = Sign(name="a", role="worker", host="box", pid=1, version="1", started_at=0.0, stuck=stuck)
    seen = Seen(sign=sign, seen_seconds=seen_seconds)
    assert seen.life is life
    assert bool(seen.why) is (life is not Life.ALIVE)


def test_a_worker_neglects_only_what_waits_all_the_time() -> None:
    progress = Progress(now=0.0)
    progress.look((5, 1), waiting=3, now=1.0)
    progress.look((5, 1), waiting=3, now=11.0)
    assert (progress.neglects_seconds(11.0), progress.still_seconds(11.0)) == (10.0, 10.0)
    progress.look((5, 1), waiting=0, now=12.0)  # another has taken them
    progress.look((5, 1), waiting=2, now=15.0)
    assert (progress.neglects_seconds(15.0), progress.still_seconds(15.0)) == (3.0, 14.0)


@pytest.mark.parametrize("counts", [(6, 1), (5, 0)])
def test_a_worker_that_begins_or_ends_a_task_makes_progress(counts: tuple[int, int]) -> None:
    progress = Progress(now=0.0)
    progress.look((5, 1), waiting=3, now=1.0)
    progress.look(counts, waiting=3, now=20.0)
    assert progress.neglects_seconds(21.0) == 1.0


def test_what_waits_while_redis_cannot_be_asked_counts_against_nobody() -> None:
    progress = Progress(now=0.0)
    progress.look((5, 0), waiting=3, now=1.0)
    progress.look((5, 0), waiting=None, now=60.0)
    assert progress.neglects_seconds(61.0) == 1.0
