import copy
import pickle
from collections.abc import Iterator

import pytest

from payments import failures
from payments.failures import (
    DatabaseAway,
    Failure,
    KafkaAway,
    OffsetLost,
    OutcomeUnknown,
    Permanent,
    Postponed,
    PublishFailed,
    QueueAway,
    RateLimited,
    Transient,
    Undecodable,
    Unexpected,
    Unknown,
    WriteConflict,
)
from tasks.again import Again

MADE_OTHERWISE: dict[type[Failure], Failure] = {
    Undecodable: Undecodable("$.data.object.amount", "negative"),
    Again: Again("http_503", 4.0),
}
ELSEWHERE = (DatabaseAway, WriteConflict, QueueAway, KafkaAway, OffsetLost, PublishFailed, Again)


def below(kind: type[Failure]) -> Iterator[type[Failure]]:
    yield kind
    for child in kind.__subclasses__():
        yield from below(child)


def one_of(kind: type[Failure]) -> Failure:
    if kind in MADE_OTHERWISE:
        return MADE_OTHERWISE[kind]
    pause = {"retry_after_seconds": 2.5} if issubclass(kind, Postponed) else {}
    return kind("no answer", code="timeout", service="stripe", operation="capture", **pause).at("evt_1", 2)


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


def test_every_failure_is_transient_unknown_or_permanent_and_only_one_of_them() -> None:
    families = [set(below(family)) for family in (Transient, Unknown, Permanent)]
    assert sum(map(len, families)) == len(set().union(*families)) == len(set(below(Failure))) - 1
    assert {OutcomeUnknown, Unexpected} <= set(below(Unknown))


def test_a_kind_is_the_name_of_its_class_and_unlike_any_other() -> None:
    assert (failures.ConnectTimeout.kind, failures.DnsFailed.kind) == ("connect_timeout", "dns_failed")
    assert len(failures.kinds()) == len(set(below(Failure)))


def test_the_lineage_of_a_kind_leads_from_the_root_to_it() -> None:
    assert failures.lineage(failures.TlsFailed) == ("failure", "transient", "unreachable", "tls_failed")


def test_only_what_the_other_end_is_to_blame_for_counts_against_it() -> None:
    blamed = {kind.kind for kind in below(Failure) if kind.blames_dependency}
    assert {"service_unavailable", "answer_timeout", "connection_refused", "database_away"} <= blamed
    assert not blamed & {"declined", "refused", "rate_limited", "circuit_open", "conflict", "deadlock", "unexpected"}


def test_the_tree_that_is_drawn_is_the_tree_that_is_coded() -> None:
    drawn = failures.__doc__ or ""
    for kind in below(Failure):
        if kind.__module__ == failures.__name__:
            assert kind.__name__ in drawn
