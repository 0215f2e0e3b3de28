import copy
import pickle
from collections.abc import Iterator

import pytest

from payments import failures
from payments.failures import Failure, OutcomeUnknown, Permanent, RateLimited, Transient, Undecodable, Unexpected
from payments.ledger.database import DatabaseAway, WriteConflict
from payments.queue.wakeups import QueueAway
from payments.streams.consumer import KafkaAway, OffsetLost
from payments.streams.publisher import PublishFailed
from tasks.again import Again

MADE_OTHERWISE: dict[type[Failure], Failure] = {
    RateLimited: RateLimited(
        "slow down", retry_after_seconds=2.5, code="http_429", service="stripe", operation="capture"
    ),
    Undecodable: Undecodable("$.data.object.amount", "negative"),
    Again: Again("http_503", 4.0),
}
ELSEWHERE = (DatabaseAway, WriteConflict, QueueAway, KafkaAway, OffsetLost, PublishFailed, Again)


def below(kind: type[Failure]) -> Iterator[type[Failure]]:
    yield kind
    for child in kind.__subclasses__():
        yield from below(child)


def one_of(kind: type[Failure]) -> Failure:
    made = MADE_OTHERWISE.get(kind)
    return made or kind("no answer", code="timeout", service="stripe", operation="capture")


KINDS = sorted({*below(Failure), *ELSEWHERE}, key=lambda kind: kind.__qualname__)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_every_failure_survives_pickling_with_all_that_it_tells(kind: type[Failure], protocol: int) -> None:
    failure = one_of(kind)
    revived = pickle.loads(pickle.dumps(failure, protocol))  # noqa: S301 - our own bytes
    assert type(revived) is kind
    assert vars(revived) == vars(failure)
    assert (str(revived), revived.args) == (str(failure), failure.args)


@pytest.mark.parametrize("kind", KINDS)
def test_a_failure_that_has_a_cause_survives_pickling_even_where_the_cause_could_not(kind: type[Failure]) -> None:
    failure = one_of(kind)
    failure.__cause__ = OSError(lambda: None)  # a lambda cannot be pickled
    assert str(pickle.loads(pickle.dumps(failure))) == str(failure)  # noqa: S301 - our own bytes


@pytest.mark.parametrize("kind", KINDS)
def test_a_failure_can_be_copied(kind: type[Failure]) -> None:
    assert vars(copy.copy(one_of(kind))) == vars(one_of(kind))


def test_the_text_of_a_failure_holds_its_code_place_and_message_and_nothing_of_its_cause() -> None:
    failure = OutcomeUnknown("no answer came", code="timeout", service="paypal", operation="capture")
    failure.__cause__ = ValueError("card 4242424242424242")
    assert str(failure) == "timeout: no answer came (paypal capture)"
    assert "4242" not in repr(failure)


def test_an_undecodable_record_names_the_path_and_the_reason() -> None:
    failure = Undecodable("$.data.object.amount", "negative")
    assert (failure.path, failure.reason, failure.code) == ("$.data.object.amount", "negative", "undecodable")
    assert failure.message == "$.data.object.amount: negative"


def test_a_rate_limit_carries_the_pause_that_is_asked_for() -> None:
    assert RateLimited("slow down", retry_after_seconds=2.5, code="http_429").retry_after_seconds == 2.5


def test_no_failure_is_both_transient_and_permanent() -> None:
    assert not set(below(Transient)) & set(below(Permanent))
    assert not issubclass(OutcomeUnknown, Transient | Permanent)
    assert not issubclass(Unexpected, Transient | Permanent)


def test_the_tree_that_is_drawn_is_the_tree_that_is_coded() -> None:
    drawn = failures.__doc__ or ""
    for kind in below(Failure):
        if kind.__module__ == failures.__name__:
            assert kind.__name__ in drawn
