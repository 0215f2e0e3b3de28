"""What is answered, where there is more than an answer holds."""

from datetime import UTC, datetime

from payments.ledger.history import Failed, History, PastEvent, PastLetter
from workers.api.messages import LARGEST_BYTES, history_message

MOMENT = datetime(2026, 5, 4, 12, tzinfo=UTC)


def a_letter(number: int, reason: str) -> PastLetter:
    return PastLetter(
        id=number,
        event_id="evt",
        state="parked",
        resolution=None,
        reason=reason,
        failure_type="bad_request",
        message="m" * 20_000,
        replay_count=0,
        first_failed_at=MOMENT,
        last_failed_at=MOMENT,
        next_replay_at=None,
        correlation_id="evt",
    )


def an_event(number: int, failures: int) -> PastEvent:
    failed = Failed(at=MOMENT, attempt=1, kind="k", code="c", service="s", operation="o", message="m" * 3000)
    return PastEvent(
        event_id=f"evt_{number}",
        kind="captured",
        state="dead",
        attempts=1,
        received_at=MOMENT,
        finished_at=MOMENT,
        due_at=None,
        correlation_id=f"evt_{number}",
        trace_id=None,
        steps=(),
        failures=(failed,) * failures,
    )


def test_long_texts_are_cut_and_a_small_history_is_whole() -> None:
    history = History(events=(), entries=(), dead_letters=(a_letter(1, "r"),), declines=(), truncated=False)
    told = history_message(None, history, whole=False)
    assert len(told.dead_letters[0].message) == 2000
    assert not told.truncated


def test_of_what_is_too_large_the_oldest_of_the_largest_list_is_left_out() -> None:
    letters = tuple(a_letter(number, "r" * 30_000) for number in range(200))
    history = History(events=(an_event(1, 1),), entries=(), dead_letters=letters, declines=(), truncated=False)
    told = history_message(None, history, whole=False)
    assert told.ByteSize() <= LARGEST_BYTES
    assert told.truncated
    assert len(told.events) == 1
    assert told.dead_letters[-1].id == 199


def test_one_event_that_is_too_large_by_itself_leaves_an_answer_all_the_same() -> None:
    history = History(events=(an_event(1, 2000),), entries=(), dead_letters=(), declines=(), truncated=False)
    told = history_message(None, history, whole=False)
    assert told.ByteSize() <= LARGEST_BYTES
    assert (len(told.events), told.truncated) == (0, True)
