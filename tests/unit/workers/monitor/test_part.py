"""Reading the parts of a survey, each for itself."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from payments.failures import DatabaseAway
from workers.monitor.part import Part, Trusted, Unread

LONG = 10.0


class Server:
    """Answers when the test lets it."""

    def __init__(self) -> None:
        self.asked = 0
        self.may_answer = threading.Event()

    def __call__(self) -> int:
        self.asked += 1
        assert self.may_answer.wait(LONG)
        self.may_answer.clear()
        return self.asked


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as made:
        yield made


@pytest.mark.parametrize("slow", [False, True])
def test_who_does_not_answer_in_time_is_not_asked_a_second_time(pool: ThreadPoolExecutor, *, slow: bool) -> None:
    server = Server()
    part = Part(server, slow=slow)
    for _ in range(2):
        part.begin(pool)
        with pytest.raises(Unread, match="does not answer in time"):
            part.answer(0.01)
    server.may_answer.set()
    part.begin(pool)
    assert part.answer(LONG) == 1
    assert server.asked == 1


@pytest.mark.parametrize("slow", [False, True])
def test_what_is_slow_has_its_last_answer_until_the_next_one(pool: ThreadPoolExecutor, *, slow: bool) -> None:
    server = Server()
    part = Part(server, slow=slow)
    server.may_answer.set()
    part.begin(pool)
    assert part.answer(LONG) == 1
    part.begin(pool)
    if slow:
        assert part.answer(0.01) == 1
    else:
        with pytest.raises(Unread):
            part.answer(0.01)
    server.may_answer.set()
    assert part.answer(LONG) == 2


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (DatabaseAway("refused", service="postgresql"), "database_away: refused"),
        (redis.ConnectionError("redis://:secret@box"), "Redis: ConnectionError"),
        (KeyError("jo@example.com"), "KeyError"),
        (TimeoutError(), "it did not answer in time"),
    ],
)
def test_a_part_that_fails_says_why_without_what_is_personal(
    pool: ThreadPoolExecutor, error: Exception, why: str
) -> None:
    def fails() -> None:
        raise error

    part = Part(fails, slow=True)
    part.begin(pool)
    with pytest.raises(Unread) as unread:
        part.answer(LONG)
    assert str(unread.value) == why


def test_what_took_long_is_trusted_for_twenty_times_as_long() -> None:
    now, asked = 0.0, 0

    def takes_two_seconds() -> int:
        nonlocal now, asked
        now, asked = now + 2.0, asked + 1
        return asked

    trusted = Trusted(takes_two_seconds, clock=lambda: now)
    assert trusted() == 1
    now += 39.9
    assert trusted() == 1
    now += 0.1
    assert trusted() == 2
