"""The rules of a breaker, written once, and held against both that keep them: Python in the process, Lua in Redis."""

from collections.abc import Callable

import msgspec
import pytest

from payments.resilience.breaker_state import Permit
from payments.resilience.outcome import Outcome
from payments.resilience.policy import BreakerPolicy
from tests.integration.resilience.breakers import EXCLUDED, FAILURE, POLICY, SUCCESS, Trial

Make = Callable[..., Trial]


@pytest.fixture(params=["process", "fleet"])
def make(request: pytest.FixtureRequest) -> Make:
    """Return a function that makes a process with one breaker; `changed` are the rules that differ."""
    client = request.getfixturevalue("line") if request.param == "fleet" else None

    def made(**changed: object) -> Trial:
        if client is not None:
            client.flushall()
        policy = msgspec.convert(msgspec.to_builtins(POLICY) | changed, BreakerPolicy)
        trial = Trial(client, policy)
        assert trial.exchange.alone is (client is None)
        return trial

    return made


@pytest.fixture
def trial(make: Make) -> Trial:
    return make()


# closed


def test_a_closed_breaker_lets_every_call_through(trial: Trial) -> None:
    permits = {trial.permit() for _ in range(100)}
    assert len(permits) == 1
    assert permits.pop().probe is None


def test_the_last_of_so_many_failures_in_a_row_opens_it(trial: Trial) -> None:
    trial.calls(*[FAILURE] * 4)
    trial.permit()
    trial.calls(FAILURE)
    assert trial.refused_seconds() == pytest.approx(30)
    assert trial.changes() == [("closed", "open", "consecutive_failures")]


def test_a_success_ends_the_row_and_an_excluded_call_does_not(make: Make) -> None:
    trial = make(failure_rate=1.0)
    trial.calls(*[FAILURE] * 4, SUCCESS, *[FAILURE] * 4, EXCLUDED)
    trial.permit()
    trial.calls(FAILURE)
    trial.refused_seconds()


def test_half_of_the_calls_failing_opens_it_once_there_are_enough(trial: Trial) -> None:
    trial.calls(*[FAILURE, SUCCESS] * 4, FAILURE)
    trial.permit()
    trial.calls(SUCCESS)
    trial.refused_seconds()
    assert trial.changes() == [("closed", "open", "failure_rate")]


def test_less_than_the_failure_rate_never_opens_it(trial: Trial) -> None:
    trial.calls(*[SUCCESS, SUCCESS, FAILURE] * 20)
    trial.permit()


def test_slow_calls_open_it_even_though_they_succeed(trial: Trial) -> None:
    trial.calls(*[SUCCESS] * 2)
    trial.calls(*[SUCCESS] * 7, seconds=3.001)
    trial.permit()
    trial.calls(SUCCESS, seconds=3.001)
    trial.refused_seconds()
    assert trial.changes() == [("closed", "open", "slow_rate")]


def test_a_call_that_takes_just_as_long_as_allowed_is_not_slow(trial: Trial) -> None:
    trial.calls(*[SUCCESS] * 20, seconds=3.0)
    trial.permit()


def test_excluded_calls_count_for_nothing_however_many_and_slow(trial: Trial) -> None:
    trial.calls(*[EXCLUDED] * 50, seconds=10)
    trial.permit()
    trial.calls(*[FAILURE] * 4)
    trial.permit()


def test_what_is_older_than_the_window_is_forgotten(trial: Trial) -> None:
    trial.calls(*[FAILURE, SUCCESS] * 4)
    trial.clock.advance(60)
    trial.calls(FAILURE, SUCCESS)
    trial.permit()


def test_what_is_in_the_window_is_remembered_over_its_buckets(trial: Trial) -> None:
    for _ in range(4):
        trial.calls(FAILURE, SUCCESS)
        trial.clock.advance(12)
    trial.calls(FAILURE)
    trial.permit()
    trial.calls(SUCCESS)
    trial.refused_seconds()


# open


def test_an_open_breaker_refuses_for_its_time_and_says_for_how_long(trial: Trial) -> None:
    trial.open()
    trial.clock.advance(29.5)
    assert trial.refused_seconds() == pytest.approx(0.5)
    trial.clock.advance(0.5)
    assert trial.permit().probe is not None
    assert trial.changes()[1:] == [("open", "half_open", "open_time_over")]


def test_each_opening_in_a_row_lasts_longer_up_to_the_cap(trial: Trial) -> None:
    probe = trial.half_open()
    for seconds in (60, 100, 100, 100):
        trial.after(probe, FAILURE)
        assert trial.refused_seconds() == pytest.approx(seconds)
        trial.clock.advance(seconds)
        probe = trial.permit()


@pytest.mark.parametrize(("quiet_seconds", "open_seconds"), [(59, 60), (60, 30)])
def test_the_row_of_openings_ends_with_a_whole_window_of_quiet(
    trial: Trial, quiet_seconds: float, open_seconds: float
) -> None:
    trial.after(trial.half_open(), SUCCESS)
    trial.calls(SUCCESS)
    trial.clock.advance(quiet_seconds)
    trial.open()
    assert trial.refused_seconds() == pytest.approx(open_seconds)


def test_a_late_success_of_the_closed_state_changes_nothing_once_it_is_open(trial: Trial) -> None:
    old = trial.permit()
    trial.open()
    trial.after(old, SUCCESS)
    trial.refused_seconds()
    trial.clock.advance(30)
    probe = trial.permit()
    for _ in range(5):
        trial.after(old, SUCCESS)
    trial.after(probe, SUCCESS)
    assert trial.changes()[-1][1] == "half_open"


def test_late_failures_of_an_earlier_closed_state_do_not_open_a_later_one(trial: Trial) -> None:
    old = trial.permit()
    trial.after(trial.half_open(), SUCCESS)
    trial.calls(SUCCESS)
    for _ in range(20):
        trial.after(old, FAILURE)
    assert trial.permit().generation > old.generation


# half-open


def test_exactly_so_many_probes_go_out(trial: Trial) -> None:
    probes = [trial.half_open(), trial.permit(), trial.permit()]
    assert 0 < trial.refused_seconds() <= 1
    assert len(set(probes)) == 3
    assert len({probe.generation for probe in probes}) == 1


def test_a_probe_that_went_well_keeps_its_place(make: Make) -> None:
    trial = make(successes=3)
    trial.after(trial.half_open(), SUCCESS)
    trial.after(trial.permit(), SUCCESS)
    held = trial.permit()
    trial.refused_seconds()
    trial.after(held, SUCCESS)
    assert trial.permit().probe is None


def test_an_excluded_probe_gives_its_place_back(trial: Trial) -> None:
    probes = [trial.half_open(), trial.permit(), trial.permit()]
    trial.refused_seconds()
    trial.after(probes[1], EXCLUDED)
    trial.permit()
    trial.refused_seconds()


def test_a_probe_that_nobody_reports_on_expires_and_is_given_again(trial: Trial) -> None:
    trial.half_open()
    trial.clock.advance(10)
    trial.permit()
    trial.permit()
    trial.clock.advance(4.9)
    assert trial.refused_seconds() == pytest.approx(0.1)
    trial.clock.advance(0.1)
    trial.permit()
    trial.refused_seconds()


@pytest.mark.parametrize("outcome", [SUCCESS, FAILURE])
def test_the_result_of_an_expired_probe_is_void(trial: Trial, outcome: Outcome) -> None:
    late = trial.half_open()
    trial.clock.advance(15)
    probe = trial.permit()
    trial.after(late, outcome)
    trial.after(probe, SUCCESS)
    assert trial.changes()[-1][1] == "half_open"


def test_a_probe_counts_once(trial: Trial) -> None:
    probe = trial.half_open()
    trial.after(probe, SUCCESS)
    trial.after(probe, SUCCESS)
    trial.after(probe, FAILURE)
    assert trial.changes()[-1][1] == "half_open"


def test_a_probe_that_nobody_was_given_counts_for_nothing(trial: Trial) -> None:
    probe = trial.half_open()
    trial.after(Permit(probe.generation, "999"), FAILURE)
    trial.after(Permit(probe.generation), FAILURE)
    assert trial.changes()[-1][1] == "half_open"


def test_enough_successes_close_it(trial: Trial) -> None:
    trial.after(trial.half_open(), SUCCESS)
    assert trial.permit().probe is not None
    trial.calls(SUCCESS)
    assert trial.permit().probe is None
    assert trial.changes()[-1] == ("half_open", "closed", "probes_succeeded")


def test_no_more_successes_are_asked_for_than_probes_are_given(make: Make) -> None:
    trial = make(probes=1, successes=5)
    trial.after(trial.half_open(), SUCCESS)
    assert trial.permit().probe is None


def test_one_failed_probe_opens_it_again(trial: Trial) -> None:
    probes = [trial.half_open(), trial.permit()]
    trial.after(probes[0], SUCCESS)
    trial.after(probes[1], FAILURE)
    assert trial.refused_seconds() == pytest.approx(60)
    assert trial.changes()[-1] == ("half_open", "open", "probe_failed")


def test_a_slow_probe_opens_it_again(trial: Trial) -> None:
    trial.after(trial.half_open(), SUCCESS, seconds=3.5)
    trial.refused_seconds()
    assert trial.changes()[-1] == ("half_open", "open", "probe_slow")


def test_a_probe_of_an_earlier_half_open_state_changes_nothing_in_a_later_one(trial: Trial) -> None:
    probe, old = trial.half_open(), trial.permit()
    trial.after(probe, FAILURE)
    trial.clock.advance(60)
    trial.permit()
    trial.after(old, FAILURE)
    assert trial.changes()[-1][1] == "half_open"


def test_it_closes_with_a_clean_slate(trial: Trial) -> None:
    trial.calls(*[SUCCESS] * 2)
    trial.after(trial.half_open(), SUCCESS)
    trial.calls(SUCCESS)
    trial.calls(*[FAILURE] * 4, SUCCESS, *[FAILURE] * 4)
    trial.permit()


def test_every_change_begins_a_new_and_larger_generation_even_within_one_microsecond(make: Make) -> None:
    trial = make(open_seconds=0.000_001, consecutive_failures=1, probes=1, successes=1)
    generations = [trial.permit().generation]
    for outcome in (FAILURE, SUCCESS, FAILURE, SUCCESS):
        trial.calls(outcome)
        trial.clock.advance(0.000_002)
        generations.append(trial.permit().generation)
        trial.clock.advance(15)
    assert generations == sorted(set(generations))
