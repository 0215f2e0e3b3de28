"""What is true of a breaker only because the fleet shares it. Two processes are played by two switchboards."""

import json
from collections.abc import Callable, Iterator

import msgspec
import pytest
import redis

from payments.failures import CircuitOpen, QueueAway
from payments.resilience.breaker_state import BreakerEvent
from payments.resilience.exchange import connect
from payments.resilience.shared_breaker import EVENTS, key_of
from payments.resilience.switchboard import Switchboard
from tests.integration.resilience.breakers import FAILURE, POLICY, SUCCESS, Clock, Trial
from workers.embedded.valkey import Valkey


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def one(line: redis.Redis, clock: Clock) -> Trial:
    return Trial(line, clock=clock)


@pytest.fixture
def other(line: redis.Redis, one: Trial) -> Trial:
    return Trial(line, clock=one.clock)


def test_what_one_process_sees_another_knows_a_tenth_of_a_second_later(one: Trial, other: Trial) -> None:
    one.calls(*[FAILURE] * 5)
    other.permit()
    one.clock.advance(0.1)
    assert other.refused_seconds() == pytest.approx(29.9)


def test_failures_in_a_row_add_up_over_processes(one: Trial, other: Trial) -> None:
    one.calls(*[FAILURE] * 3)
    other.calls(*[FAILURE] * 2)
    other.refused_seconds()


def test_a_report_keeps_the_order_of_what_it_sums_up(line: redis.Redis, one: Trial) -> None:
    def tell(*outcomes: object) -> bytes | None:
        for outcome in outcomes:
            one.breaker.after(one.permit(), outcome, 0.01)  # type: ignore[arg-type]  # outcomes
        one.settle()
        return line.hget(key_of("stripe"), "consecutive")  # type: ignore[return-value]  # this client is not async

    assert tell(SUCCESS, FAILURE, FAILURE) == "2"
    assert tell(FAILURE) == "3"
    assert tell(FAILURE, SUCCESS, FAILURE) == "1"
    assert tell(SUCCESS) == "0"
    assert one.changes() == []


def test_a_row_of_failures_in_the_middle_of_a_report_opens_it(line: redis.Redis, clock: Clock) -> None:
    one = Trial(line, msgspec.structs.replace(POLICY, failure_rate=1.0), clock)
    one.exchange.hurry()  # so that it does not hurry below
    for outcome in (SUCCESS, *[FAILURE] * 5, SUCCESS):
        one.breaker.after(one.permit(), outcome, 0.01)
    one.settle()
    assert one.changes() == [("closed", "open", "consecutive_failures")]


def test_a_process_that_sees_enough_by_itself_tells_at_once_twice_a_second(one: Trial, other: Trial) -> None:
    one.clock.advance(0.1)
    one.permit()
    for _ in range(5):
        one.breaker.after(one.permit(), FAILURE, 0.01)
    one.refused_seconds()
    one.board.reset("stripe")
    for _ in range(5):
        one.breaker.after(one.permit(), FAILURE, 0.01)
    one.permit()  # the second time within half a second it waits for the next exchange
    one.clock.advance(0.1)
    one.refused_seconds()
    other.refused_seconds()


def test_a_report_of_an_earlier_generation_is_ignored(one: Trial, other: Trial) -> None:
    for _ in range(5):
        one.breaker.after(one.permit(), SUCCESS, 0.01)
    other.board.reset("stripe")
    one.settle()
    [view] = one.board.shown()
    assert (view.state, view.calls) == ("closed", 0)


def test_what_a_process_saw_longer_ago_than_the_window_is_not_told(one: Trial) -> None:
    for _ in range(4):
        one.breaker.after(one.permit(), FAILURE, 0.01)
    one.clock.advance(60)
    one.calls(FAILURE)
    one.permit()


def test_what_was_counted_before_a_reset_is_not_told_after_it(one: Trial) -> None:
    for _ in range(4):
        one.breaker.after(one.permit(), FAILURE, 0.01)
    one.board.reset("stripe")
    one.settle()
    assert one.board.shown()[0].calls == 0


def test_a_failure_is_told_when_the_call_ends_and_not_with_the_next_call(one: Trial, other: Trial) -> None:
    for _ in range(3):
        one.breaker.after(one.permit(), FAILURE, 0.01)
    permit = one.permit()
    one.clock.advance(0.2)
    one.breaker.after(permit, FAILURE, 0.2)
    other.calls(FAILURE)
    other.refused_seconds()


@pytest.mark.parametrize("order", [Switchboard.trip, Switchboard.isolate])
def test_a_breaker_that_no_exchange_has_asked_about_is_asked_about_at_its_first_call(
    one: Trial, other: Trial, order: Callable[[Switchboard, str], None]
) -> None:
    order(one.board, "paypal")
    with pytest.raises(CircuitOpen):
        other.board.breaker("paypal").before()
    other.board.breaker("razorpay").before()


def test_no_more_probes_go_out_than_allowed_in_all_processes_together(one: Trial, other: Trial) -> None:
    one.half_open()
    other.settle()
    other.permit()
    one.permit()
    other.refused_seconds()
    one.refused_seconds()


def test_a_refused_process_does_not_ask_redis_again_for_each_call(line: redis.Redis, one: Trial) -> None:
    one.half_open()
    one.permit()
    one.permit()
    line.config_resetstat()
    for _ in range(100):
        one.refused_seconds()
    assert "cmdstat_evalsha" not in line.info("commandstats")


def test_a_refusal_is_a_failure_that_postpones(one: Trial) -> None:
    one.open()
    with pytest.raises(CircuitOpen) as refused:
        one.breaker.before()
    assert (refused.value.code, refused.value.service) == ("circuit_open", "stripe")
    assert refused.value.retry_after_seconds == pytest.approx(30)


def test_what_redis_forgot_begins_closed_in_a_larger_generation(line: redis.Redis, one: Trial) -> None:
    one.calls(*[FAILURE] * 4)
    before = one.permit()
    line.flushall()
    one.clock.advance(0.001)
    one.breaker.after(before, FAILURE, 0.01)
    one.settle()
    assert one.permit().generation > before.generation
    assert line.hget(key_of("stripe"), "consecutive") == "0"


def test_an_open_breaker_that_redis_forgot_is_closed(line: redis.Redis, one: Trial) -> None:
    one.open()
    line.flushall()
    one.clock.advance(0.1)
    one.permit()


# what is told of it


def test_a_change_is_logged_once_by_the_process_that_made_it(one: Trial, other: Trial) -> None:
    one.open()
    other.settle()
    other.clock.advance(30)
    other.permit()
    one.settle()
    assert [name for name, _ in one.told] == ["breaker_opened"]
    assert [name for name, _ in other.told] == ["breaker_half_open"]
    assert one.told[0][1]["breaker"] == "stripe"
    assert one.told[0][1]["shared"] is True


def test_a_change_is_in_the_stream_on_the_channel_and_counted(line: redis.Redis, one: Trial) -> None:
    with line.pubsub(ignore_subscribe_messages=True) as heard:
        heard.subscribe(EVENTS)
        heard.get_message(timeout=1)
        one.after(one.half_open(), FAILURE)
        published = [heard.get_message(timeout=1) for _ in range(3)]
    generations = [each.generation for each in one.board.transitions()]
    opened_at = 1000.0
    assert one.board.transitions(3) == [
        BreakerEvent(
            name="stripe",
            was="half_open",
            now="open",
            reason="probe_failed",
            generation=generations[0],
            at=opened_at + 30,
        ),
        BreakerEvent(
            name="stripe",
            was="open",
            now="half_open",
            reason="open_time_over",
            generation=generations[1],
            at=opened_at + 30,
        ),
        BreakerEvent(
            name="stripe",
            was="closed",
            now="open",
            reason="consecutive_failures",
            generation=generations[2],
            at=opened_at,
        ),
    ]
    assert generations == sorted(set(generations), reverse=True)
    assert [json.loads(each["data"])["to"] for each in published if each] == ["open", "half_open", "open"]
    assert line.hmget(key_of("stripe"), "to:open", "to:half_open", "to:closed") == ["2", "1", None]


def test_the_stream_does_not_grow_for_ever(line: redis.Redis, one: Trial) -> None:
    for _ in range(1500):
        one.board.reset("stripe")
    assert 1000 <= line.xlen(EVENTS) < 1200


def test_failures_in_a_row_of_one_process_are_no_row_of_the_fleet_while_another_one_is_well(
    one: Trial, other: Trial
) -> None:
    for _ in range(3):
        other.calls(*[SUCCESS] * 20)
        one.calls(*[FAILURE] * 8)
        one.clock.advance(0.1)
    assert one.changes() == other.changes() == []
    one.clock.advance(0.2)
    one.calls(*[FAILURE] * 5)
    assert one.changes() == [("closed", "open", "consecutive_failures")]


def test_how_long_a_success_of_another_process_counts_is_policy(line: redis.Redis, clock: Clock) -> None:
    policy = msgspec.structs.replace(POLICY, disputed_seconds=3.0, minimum_volume=1000)
    lost, well = (Trial(line, policy, clock) for _ in range(2))
    for _ in range(4):
        well.calls(SUCCESS)
        clock.advance(1)
        lost.calls(*[FAILURE] * 2)
        clock.advance(1)
    assert lost.changes() == well.changes() == []
    clock.advance(3)
    lost.calls(*[FAILURE] * 5)
    assert lost.changes() == [("closed", "open", "consecutive_failures")]


def test_a_view_shows_what_the_fleet_knows(one: Trial, other: Trial) -> None:
    one.calls(SUCCESS, FAILURE)
    one.clock.advance(1)
    other.calls(FAILURE)
    [view] = other.board.shown()
    assert (view.state, view.calls, view.failures, view.consecutive_failures) == ("closed", 3, 2, 2)
    one.calls(*[FAILURE] * 3)
    one.clock.advance(12)
    [view] = other.board.shown()
    assert (view.state, view.until_seconds, view.opened, view.calls) == ("open", 18.0, 1, 0)
    one.clock.advance(18)
    one.after(one.permit(), SUCCESS)
    one.permit()
    [view] = other.board.shown()
    assert (view.state, view.active_probes, view.successful_probes) == ("half_open", 1, 1)


# orders


def test_an_order_is_obeyed_by_every_process(one: Trial, other: Trial) -> None:
    one.board.trip("stripe")
    other.settle()
    assert other.refused_seconds() == pytest.approx(30)
    other.board.reset("stripe")
    one.settle()
    one.permit()
    assert one.changes() == [("closed", "open", "tripped")]
    assert other.changes() == [("open", "closed", "reset")]


def test_an_isolated_breaker_stays_open_until_it_is_reset(one: Trial, other: Trial) -> None:
    one.board.isolate("stripe")
    for _ in range(3):
        one.clock.advance(1000)
        assert other.refused_seconds() == 30
    one.board.trip("stripe")
    one.board.isolate("stripe")
    assert one.board.shown()[0].isolated
    one.board.reset("stripe")
    other.settle()
    other.permit()
    assert one.changes() == [("closed", "isolated", "isolated"), ("open", "closed", "reset")]


def test_a_reset_ends_the_row_of_openings(one: Trial) -> None:
    one.after(one.half_open(), FAILURE)
    one.board.reset("stripe")
    one.open()
    assert one.refused_seconds() == pytest.approx(30)


def test_an_order_that_cannot_be_given_says_so() -> None:
    with pytest.raises(QueueAway, match="out of reach"):
        Trial(None).board.trip("stripe")


# without Redis


@pytest.fixture
def server() -> Iterator[Valkey]:
    with Valkey() as own:
        yield own


@pytest.fixture
def lone(server: Valkey) -> Iterator[Trial]:
    """A process whose Redis the test may stop."""
    with connect(server.url) as client:
        yield Trial(client)


def test_a_process_without_redis_goes_on_with_its_own_breaker_and_comes_back(server: Valkey, lone: Trial) -> None:
    lone.calls(*[FAILURE] * 4)
    server.kill()
    lone.clock.advance(0.1)
    lone.calls(*[FAILURE] * 4)  # its own breaker begins anew
    lone.permit()
    lone.calls(FAILURE)
    assert lone.refused_seconds() == pytest.approx(30)
    assert [name for name, _ in lone.told] == ["shared_state_away", "breaker_opened"]
    assert lone.told[1][1]["shared"] is False
    server.start()
    lone.clock.advance(1)
    lone.permit()  # the fleet's is closed
    assert lone.told[2:] == [("shared_state_back", {})]


def test_what_was_open_in_the_fleet_stays_open_without_redis_for_the_rest_of_its_time(
    server: Valkey, lone: Trial
) -> None:
    lone.open()
    lone.clock.advance(10)
    lone.settle()
    server.kill()
    lone.clock.advance(10)
    assert lone.refused_seconds() == pytest.approx(10)
    lone.clock.advance(10)
    probe = lone.permit()
    lone.after(probe, FAILURE)
    assert lone.refused_seconds() == pytest.approx(60)


def test_what_was_isolated_in_the_fleet_stays_so_without_redis(server: Valkey, lone: Trial) -> None:
    lone.board.isolate("stripe")
    server.kill()
    lone.clock.advance(1000)
    lone.refused_seconds()
    lone.clock.advance(1000)
    lone.refused_seconds()


def test_redis_going_away_while_a_permit_is_asked_for_leaves_the_say_to_the_process(
    server: Valkey, lone: Trial
) -> None:
    lone.open()
    lone.clock.advance(29.95)
    lone.refused_seconds()
    server.kill()
    lone.clock.advance(0.05)
    probe = lone.permit()
    assert str(probe.probe).startswith("alone")
    assert lone.exchange.alone


def test_a_result_that_comes_after_redis_does_counts_for_nothing(server: Valkey, lone: Trial) -> None:
    server.kill()
    lone.clock.advance(0.1)
    lone.open()
    lone.clock.advance(30)
    probe = lone.permit()
    server.start()
    lone.clock.advance(1)
    lone.settle()
    lone.after(probe, FAILURE)
    lone.permit()


def test_a_local_breaker_is_never_shared(line: redis.Redis, one: Trial) -> None:
    cache = one.board.local("cache")
    for _ in range(5):
        cache.after(cache.before(), FAILURE, 0.01)
    with pytest.raises(CircuitOpen):
        cache.before()
    one.settle()
    assert not line.exists(key_of("cache"))
    assert cache is one.board.local("cache")
