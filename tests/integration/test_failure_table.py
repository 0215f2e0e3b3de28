"""Everything that can come from outside, brought about, and the one place in the tree that it gets."""

import pickle

import pytest

from config.policies import told_policies
from config.settings import Settings
from payments import failures
from payments.policy_check import load_policies
from tests.failure_answers import ANSWERS
from tests.failure_cases import FAILURE_CASES, MADE_BY_US, FailureCase

NAMES = [case.name for case in FAILURE_CASES]


@pytest.mark.parametrize("case", FAILURE_CASES, ids=NAMES)
def test_what_happens_outside_has_its_place_in_the_tree(case: FailureCase, request: pytest.FixtureRequest) -> None:
    failure = case.happens(request)
    assert failure.kind == case.kind
    assert failure.code == (case.code or case.kind)
    assert pickle.loads(pickle.dumps(failure)).code == failure.code  # noqa: S301 - our own bytes


@pytest.mark.parametrize("kind", sorted({case.kind for case in FAILURE_CASES}))
def test_what_comes_from_outside_has_its_delay_and_its_end_in_the_table_of_answers(kind: str) -> None:
    expected = ANSWERS[kind]
    answer = load_policies(told_policies(Settings())).answer("canonical", failures.kinds()[kind])
    if expected.first == "retry":
        assert expected.tries == 1 + answer.retries
        delays = [answer.backoff.delay_seconds(1, chance) for chance in (lambda: 0.0, lambda: 1.0)]
        assert delays == [expected.least_seconds, expected.most_seconds]
    else:
        assert answer.burns_attempt is (expected.first == "bury")


def test_every_kind_is_in_the_table_or_made_by_ourselves() -> None:
    of_the_tree = {name for name, kind in failures.kinds().items() if kind.__module__ == failures.__name__}
    staged = {case.kind for case in FAILURE_CASES}
    assert staged | MADE_BY_US.keys() == of_the_tree
    assert not staged & MADE_BY_US.keys()


def test_every_case_has_a_name_of_its_own() -> None:
    assert len(NAMES) == len(set(NAMES))
