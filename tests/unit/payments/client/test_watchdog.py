import threading

from payments.client.watchdog import Watchdog

DEADLINE_SECONDS = 5.0


class Clock:
    """A time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_it_barks_once_somebody_has_listened_for_longer_than_the_limit() -> None:
    barked, clock = threading.Event(), Clock()
    watchdog = Watchdog(0.04, barked.set, clock)
    watchdog.start()
    with watchdog.listening():
        assert not barked.wait(0.1)  # by its clock, no time has passed
        clock.now = 0.05
        assert barked.wait(DEADLINE_SECONDS)
    assert watchdog.has_barked


def test_it_keeps_still_while_nobody_listens() -> None:
    barked, clock = threading.Event(), Clock()
    watchdog = Watchdog(0.04, barked.set, clock)
    watchdog.start()
    with watchdog.listening():
        pass
    clock.now = 100.0
    assert not barked.wait(0.1)
    with watchdog.listening():  # which begins now, and not with what was before
        assert not barked.wait(0.1)
    watchdog.stop()
    assert not watchdog.has_barked
