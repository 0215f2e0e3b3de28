"""Each failure is answered by the policy of the nearest type that has one, and what cannot be is refused in words."""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

import config
from config.policies import KeyPath, Leaf, Told
from payments import failures as f
from payments.event import Provider
from payments.failures import ConfigurationError, Failure, lineage
from payments.policies import KINDS, FailureKeys, FailurePolicy, Last, Policies, Read
from payments.policy_check import load_policies
from payments.resilience.backoff import Shape
from payments.resilience.policy import BreakerPolicy, BudgetPolicy, RatePolicy


def leaves(table: dict[str, Any], above: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from leaves(value, (*above, name))
        else:
            yield (*above, name), value


OURS: Told = {
    path: Leaf(value, "default")
    for path, value in leaves(tomllib.loads((Path(config.__file__).parent / "policies.toml").read_text()))
}


def loaded(**values: object) -> Policies:
    """Return our policies with others over them, whose paths are written with two underscores."""
    over = {tuple(name.split("__")): Leaf(value, f"variable {name}") for name, value in values.items()}
    return load_policies({**OURS, **over})


@pytest.fixture(scope="module")
def ours() -> Policies:
    return loaded()


# ---- What Payferry comes with


def test_a_transient_failure_is_tried_three_more_times_with_growing_delays(ours: Policies) -> None:
    answer = ours.answer("stripe", f.Transient)
    assert (answer.retries, answer.burns_attempt, answer.compensate) == (3, True, False)
    assert (answer.backoff.shape, answer.backoff.base_seconds, answer.backoff.cap_seconds) == ("exponential", 1, 60)
    assert [answer.backoff.delay_seconds(attempt, chance=lambda: 1.0) for attempt in (1, 2, 3)] == [1, 2, 4]
    assert [answer.backoff.delay_seconds(attempt, chance=lambda: 0.0) for attempt in (1, 2, 3)] == [0.5, 1, 2]


def test_what_nobody_foresaw_is_tried_at_most_twice_more(ours: Policies) -> None:
    assert ours.answer("stripe", f.Unexpected).retries == 2
    assert ours.answer("stripe", f.AnswerTimeout).retries == 3


@pytest.mark.parametrize("kind", [f.RateLimited, f.RateExceeded, f.CircuitOpen, f.BudgetSpent])
def test_patience_costs_no_attempt_and_ends_after_a_day(ours: Policies, kind: type[Failure]) -> None:
    answer = ours.answer("paypal", kind)
    assert (answer.burns_attempt, answer.window_seconds, answer.compensate) == (False, 86_400, False)


def below(kind: type[Failure]) -> Iterator[type[Failure]]:
    return (each for each in KINDS.values() if issubclass(each, kind))


def test_nothing_permanent_is_tried_again_and_everything_else_is(ours: Policies) -> None:
    tried = {kind for kind in KINDS.values() if ours.answer("stripe", kind).retries}
    given_up = {Failure, f.OutOfOrder}  # which has waited for its window already, and is replayed
    assert tried == {kind for kind in KINDS.values() if not issubclass(kind, f.Permanent)} - given_up


def test_nothing_permanent_is_replayed_by_itself_and_everything_else_is(ours: Policies) -> None:
    replayed = {kind for kind in KINDS.values() if ours.answer("stripe", kind).automatic_replays}
    assert replayed == {kind for kind in KINDS.values() if not issubclass(kind, f.Permanent)} - {Failure}


def test_only_what_a_provider_or_the_ledger_refused_for_good_is_taken_back(ours: Policies) -> None:
    undone = {kind for kind in KINDS.values() if ours.answer("stripe", kind).compensate}
    refused = {*below(f.Refused)} - {f.Unauthorized, f.Forbidden}
    assert undone == refused | {*below(f.Declined)} | {*below(f.DataRefused)} | {f.Permanent}


def test_only_wrong_money_goes_to_a_person_by_policy(ours: Policies) -> None:
    reviewed = {kind for kind in KINDS.values() if ours.answer("stripe", kind).ending is Last.MANUAL_REVIEW}
    assert reviewed == {f.CapturedOtherAmount}  # a failed compensation has a reason of its own


def test_a_deadlock_is_tried_again_at_once_along_fibonacci(ours: Policies) -> None:
    backoff = ours.answer("stripe", f.Deadlock).backoff
    assert backoff.shape is Shape.FIBONACCI
    assert backoff.delay_seconds(1, chance=lambda: 1.0) < 0.1
    assert ours.answer("stripe", f.SerializationFailure) == ours.answer("stripe", f.Deadlock)


def test_the_breakers_are_the_documented_ones(ours: Policies) -> None:
    usual = BreakerPolicy(
        consecutive_failures=5,
        successes=2,
        open_seconds=30,
        window_seconds=60,
        buckets=10,
        minimum_volume=10,
        failure_rate=0.5,
        probes=3,
    )
    over = msgspec.structs.replace
    assert ours.breakers == {
        "default": usual,
        **dict.fromkeys(map(str, Provider), usual),
        "database": over(
            usual,
            failure_rate=0.6,
            slow_call_seconds=3.0,
            open_seconds=20.0,
            open_cap_seconds=20.0,
            disputed_seconds=3.0,
        ),
        "kafka": over(
            usual, failure_rate=0.7, minimum_volume=20, slow_call_seconds=2.0, slow_rate=0.0, open_cap_seconds=30.0
        ),
        "cache": over(usual, failure_rate=0.8, slow_call_seconds=1.0, open_seconds=15.0, minimum_volume=5),
    }
    assert ours.breaker("kafka") is ours.breakers["kafka"]
    assert ours.breaker("elsewhere") is ours.breakers["default"]


def test_only_stripe_has_a_rate_limit_and_every_provider_a_retry_budget(ours: Policies) -> None:
    limited = {name: limit.calls_per_second for name, limit in ours.rate_limits.items() if limit.calls_per_second}
    assert limited == {"stripe": 100}
    assert ours.rate_limits["paypal"] == RatePolicy()
    assert ours.retry_budgets == dict.fromkeys(("default", *map(str, Provider)), BudgetPolicy())


def test_what_cannot_be_has_its_fallback(ours: Policies) -> None:
    assert ours.fallbacks.process is Last.BURY
    assert ours.fallbacks.read is Read.LAST_KNOWN
    assert (ours.fallbacks.publish, ours.fallbacks.cache) == ("outbox", "miss")


def test_an_event_that_kills_its_worker_gets_no_more_attempts_than_any_other(ours: Policies) -> None:
    assert ours.most_retries("stripe") == 3
    raised = loaded(providers__paypal__failures__conflict__retries=9, failures__postponed__retries=50)
    assert (raised.most_retries("paypal"), raised.most_retries("stripe"), raised.most_retries("nobody")) == (9, 3, 3)


# ---- Who wins


SECTIONS = {path[:-1] for path in OURS}
INHERITING = [kind for kind in KINDS.values() if ("failures", kind.kind) not in SECTIONS]


@pytest.mark.parametrize("kind", INHERITING)
def test_every_type_without_a_section_of_its_own_is_answered_like_the_one_above_it(
    ours: Policies, kind: type[Failure]
) -> None:
    assert ours.answer("canonical", kind) == ours.answer("canonical", kind.__bases__[0])


@pytest.mark.parametrize("kind", KINDS.values())
def test_every_type_can_be_given_a_policy_of_its_own(kind: type[Failure]) -> None:
    changed = loaded(**{f"failures__{kind.kind}__factor": 7.5})
    assert changed.answer("stripe", kind).backoff.factor == 7.5
    others = [other for other in KINDS.values() if not issubclass(other, kind)]
    assert {changed.answer("stripe", other).backoff.factor for other in others} <= {2.0}


def test_a_provider_of_its_own_wins_over_all_providers_for_the_same_type() -> None:
    changed = loaded(providers__paypal__failures__transient__retries=7)
    assert changed.answer("paypal", f.ServiceUnavailable).retries == 7
    assert changed.answer("stripe", f.ServiceUnavailable).retries == 3


def test_a_special_type_wins_over_a_general_one_of_a_provider() -> None:
    changed = loaded(providers__paypal__failures__transient__retries=7, failures__unavailable__retries=1)
    assert changed.answer("paypal", f.ServiceUnavailable).retries == 1


def test_a_provider_that_nobody_knows_gets_what_holds_for_all(ours: Policies) -> None:
    assert ours.answer("nobody", f.RateLimited).backoff.base_seconds == 2
    assert ours.answer("stripe", f.RateLimited).backoff.base_seconds == 1


def test_a_type_that_is_not_in_the_tree_is_answered_like_the_one_above_it(ours: Policies) -> None:
    assert ours.answer("stripe", type("Elsewhere", (f.Conflict,), {})) == ours.answer("stripe", f.Conflict)


def test_the_same_answer_is_given_without_being_worked_out_again(ours: Policies) -> None:
    for provider in ("stripe", Provider.STRIPE, "nobody"):
        assert ours.answer(provider, f.TlsFailed) is ours.answer(provider, f.TlsFailed)


def test_an_ending_that_no_section_names_is_the_fallback_of_processing() -> None:
    changed = loaded(fallbacks__process="manual_review", failures__conflict__ending="bury")
    assert changed.answer("stripe", f.TlsFailed).ending is Last.MANUAL_REVIEW
    assert changed.answer("stripe", f.Conflict).ending is Last.BURY


def test_a_permanent_failure_may_be_tried_again_where_somebody_says_so() -> None:
    assert loaded(failures__not_found__retries=2).answer("stripe", f.NotFound).retries == 2


def test_a_breaker_takes_from_the_default_what_it_does_not_name() -> None:
    changed = loaded(breakers__default__probes=5, breakers__stripe__open_seconds=10)
    assert (changed.breakers["stripe"].probes, changed.breakers["stripe"].open_seconds) == (5, 10)
    assert (changed.breakers["cache"].probes, changed.breakers["cache"].open_seconds) == (5, 15)


OVERLAYS = st.dictionaries(
    st.tuples(st.sampled_from(["", "stripe", "paypal"]), st.sampled_from(sorted(KINDS))), st.integers(0, 100)
)


@hypothesis_settings(max_examples=60, deadline=None)
@given(overlays=OVERLAYS, kind=st.sampled_from(list(KINDS.values())), provider=st.sampled_from(["stripe", "razorpay"]))
def test_the_nearest_section_wins_whatever_else_is_told(
    overlays: dict[tuple[str, str], int], kind: type[Failure], provider: str
) -> None:
    over = {
        (("providers", whose) if whose else ()) + ("failures", name, "retries"): Leaf(retries, "somebody")
        for (whose, name), retries in overlays.items()
    }
    told = {**OURS, **over}
    nearest_first = (
        (*whose, "failures", name, "retries")
        for name in reversed(lineage(kind))
        for whose in (("providers", provider), ())
    )
    wanted = next(told[path].value for path in nearest_first if path in told)
    assert load_policies(told).answer(provider, kind).retries == wanted


# ---- Why


def test_why_names_the_section_and_the_source_of_each_key() -> None:
    reasons = {reason.key: reason for reason in loaded(failures__postponed__jitter="0.2").why("stripe", f.RateLimited)}
    assert {key: (reason.value, reason.section) for key, reason in reasons.items()} == {
        "retries": (3, "failures.transient"),
        "backoff": ("exponential", "failures.rate_limited"),
        "base_seconds": (1.0, "providers.stripe.failures.rate_limited"),
        "factor": (2.0, "failures.failure"),
        "cap_seconds": (60.0, "failures.rate_limited"),
        "jitter": (0.2, "failures.postponed"),
        "window_seconds": (86_400.0, "failures.postponed"),
        "burns_attempt": (False, "failures.postponed"),
        "compensate": (False, "failures.failure"),
        "ending": ("bury", "fallbacks"),
        "replays": (3, "failures.transient"),
    }
    sources = {key: reason.source for key, reason in reasons.items()}
    assert sources == dict.fromkeys(reasons, "default") | {"jitter": "variable failures__postponed__jitter"}


@pytest.mark.parametrize("provider", [*Provider, "nobody"])
def test_why_explains_every_answer_and_nothing_else(ours: Policies, provider: str) -> None:
    for kind in KINDS.values():
        reasons = {reason.key: reason.value for reason in ours.why(provider, kind)}
        assert list(reasons) == list(FailureKeys.__struct_fields__)
        answer = ours.answer(provider, kind)
        assert {key: value for key, value in reasons.items() if key in FailurePolicy.__struct_fields__} == {
            **msgspec.structs.asdict(answer),
            "backoff": answer.backoff.shape,
        }


def test_why_a_breaker_is_as_it_is() -> None:
    reasons = {reason.key: reason for reason in loaded(breakers__kafka__probes=4).why_section("breakers", "kafka")}
    assert set(reasons) == set(BreakerPolicy.__struct_fields__)
    assert (reasons["probes"].section, reasons["probes"].source) == (
        "breakers.kafka",
        "variable breakers__kafka__probes",
    )
    assert reasons["minimum_volume"].name == "breakers.kafka.minimum_volume"
    assert reasons["open_factor"].name == "breakers.default.open_factor"


def test_what_was_changed_is_told_and_only_that(ours: Policies) -> None:
    assert ours.changes() == []
    changed = loaded(fallbacks__read="fail", rate_limits__paypal__burst="20").changes()
    assert {(reason.name, reason.value) for reason in changed} == {
        ("fallbacks.read", "fail"),
        ("rate_limits.paypal.burst", 20),
    }


# ---- Text of variables, and what is refused


def test_text_that_reads_as_a_value_is_one() -> None:
    changed = loaded(
        failures__conflict__retries="5",
        failures__conflict__base_seconds="2",
        failures__conflict__compensate="TRUE",
        failures__conflict__backoff="linear",
        breakers__stripe__failure_rate="0.25",
    )
    answer = changed.answer("stripe", f.Conflict)
    assert (answer.retries, answer.backoff.base_seconds, answer.compensate) == (5, 2.0, True)
    assert answer.backoff.shape is Shape.LINEAR
    assert changed.breakers["stripe"].failure_rate == 0.25


BREAKERS = "default, stripe, razorpay, paypal, canonical, database, kafka, cache"

WRONG: dict[str, tuple[object, str]] = {
    # names
    "failure__transient__retries": (1, "failure: no such section; did you mean failures?"),
    "xyz__a": (
        1,
        (
            "xyz: no such section; there are failures, providers, breakers, rate_limits, retry_budgets, "
            "replay_velocities, fallbacks"
        ),
    ),
    "failures__rate_limitd__retries": (1, "failures.rate_limitd: no such failure; did you mean rate_limited?"),
    "failures__transient__retry": (1, "failures.transient.retry: no such key; did you mean retries?"),
    "providers__strip__failures__conflict__retries": (1, "providers.strip: no such provider; did you mean stripe?"),
    "providers__stripe__failure__conflict__retries": (
        1,
        "providers.stripe.failure: no such key; did you mean failures?",
    ),
    "providers__stripe__failures__conflicts__retries": (
        1,
        "providers.stripe.failures.conflicts: no such failure; did you mean conflict?",
    ),
    "breakers__postgres__probes": (1, f"breakers.postgres: no such breaker; there are {BREAKERS}"),
    "breakers__cache__opens_seconds": (1, "breakers.cache.opens_seconds: no such key; did you mean open_seconds?"),
    "rate_limits__database__burst": (
        1,
        "rate_limits.database: no such rate limit; there are default, stripe, razorpay, paypal, canonical",
    ),
    "retry_budgets__paypall__share": (1, "retry_budgets.paypall: no such retry budget; did you mean paypal?"),
    "fallbacks__reed": ("fail", "fallbacks.reed: no such key; did you mean read?"),
    # levels
    "failures": (3, "failures: expected a section with keys such as failure, got 3"),
    "failures__conflict": ("x", 'failures.conflict: expected a section with keys such as retries, got "x"'),
    "failures__conflict__retries__most": (
        3,
        "failures.conflict.retries: expected a whole number of at least 0 and at most 100, got a section",
    ),
    "failures__conflict__jitter": (
        {},
        "failures.conflict.jitter: expected a number of at least 0 and below 1, got a section",
    ),
    # values
    "failures__conflict__retries": (
        "many",
        'failures.conflict.retries: expected a whole number of at least 0 and at most 100, got "many"',
    ),
    "failures__transient__retries": (
        101,
        "failures.transient.retries: expected a whole number of at least 0 and at most 100, got 101",
    ),
    "failures__conflict__base_seconds": (
        0,
        "failures.conflict.base_seconds: expected a number above 0 and at most 86400, got 0",
    ),
    "failures__unknown__jitter": (1, "failures.unknown.jitter: expected a number of at least 0 and below 1, got 1"),
    "failures__permanent__jitter": (
        float("nan"),
        "failures.permanent.jitter: expected a number of at least 0 and below 1, got null",
    ),
    "failures__conflict__backoff": (
        "quick",
        'failures.conflict.backoff: expected one of exponential, linear, fibonacci, got "quick"',
    ),
    "failures__conflict__compensate": (
        "maybe",
        'failures.conflict.compensate: expected true or false, got "maybe"',
    ),
    "failures__conflict__ending": (
        "retry",
        'failures.conflict.ending: expected one of bury, manual_review, got "retry"',
    ),
    "breakers__stripe__open_seconds": (
        "x",
        'breakers.stripe.open_seconds: expected a number above 0 and at most 86400, got "x"',
    ),
    "fallbacks__publish": ("drop", 'fallbacks.publish: expected one of outbox, got "drop"'),
    "fallbacks__read": ([1], "fallbacks.read: expected one of last_known, fail, got [1]"),
    # values that contradict others
    "breakers__stripe__successes": (
        4,
        "breakers.stripe.successes: expected at most breakers.default.probes (3), got 4",
    ),
    "breakers__kafka__open_seconds": (
        400,
        "breakers.kafka.open_cap_seconds: expected at least breakers.kafka.open_seconds (400), got 30",
    ),
    "failures__postponed__window_seconds": (
        0,
        (
            "failures.postponed.window_seconds: expected more than 0, because "
            "failures.postponed.burns_attempt is false and postponed would be tried for ever"
        ),
    ),
    "failures__conflict__burns_attempt": (
        False,
        (
            "failures.failure.window_seconds: expected more than 0, because failures.conflict.burns_attempt is false "
            "and conflict would be tried for ever"
        ),
    ),
}


@pytest.mark.parametrize(("name", "value", "wrong"), [(name, *rest) for name, rest in WRONG.items()])
def test_what_cannot_be_is_refused_with_its_path_the_fix_and_who_told_it(name: str, value: object, wrong: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        loaded(**{name: value})
    message, _, source = refused.value.message.rpartition(" (from ")
    assert message == wrong
    assert source in {f"variable {name})", "default)"}  # the default, where the other of two that contradict is named


def test_a_section_without_a_key_is_allowed_if_there_is_such_a_section() -> None:
    assert loaded(failures__conflict={}).answer("stripe", f.Conflict) == loaded().answer("stripe", f.Conflict)
    with pytest.raises(ConfigurationError, match="did you mean conflict"):
        loaded(failures__conflikt={})


def test_our_own_file_names_every_key_at_the_root_and_in_every_default() -> None:
    named = {path[-1] for path in OURS if path[:2] == ("failures", "failure")}
    assert named == set(FailureKeys.__struct_fields__) - {"ending"}
    for group, policy in (("breakers", BreakerPolicy), ("rate_limits", RatePolicy), ("retry_budgets", BudgetPolicy)):
        assert {path[-1] for path in OURS if path[:2] == (group, "default")} == set(policy.__struct_fields__)
