"""A watch hands out each event once and in order, whatever its server does."""

import threading
from collections.abc import Iterator

import grpc
import msgspec
import pytest

from payments.client import Filter, PaymentClient, Reconnect, Reconnecting, Watch
from payments.failures import (
    Conflict,
    Failure,
    Forbidden,
    NotFound,
    RateLimited,
    Unanswered,
    Unauthorized,
    ValidationFailed,
)
from tests.integration.client.conftest import QUICK, taken
from tests.integration.client.twin import Scene, Twin, alive, batch, hang, scene
from workers.api.refusals import (
    Refusal,
    cursor_lost,
    exhausted,
    internal,
    invalid_argument,
    not_found,
    permission_denied,
    unauthenticated,
    unavailable,
)

AWAY = unavailable("going_down", "this server is ending", 0.0)


def told_by(watch: Watch, many: int) -> list[str]:
    return [event.payment.payment_id.removeprefix("pi_") for event in taken(watch, many)]


def with_reconnect(**told: float) -> Reconnect:
    return msgspec.structs.replace(QUICK.reconnect, **told)


def test_events_come_as_values_with_the_amount_in_their_currency(twin: Twin, client: PaymentClient) -> None:
    twin.plays(scene(batch(1), then_hangs=True))
    with client.watch(policy=QUICK) as watch:
        event = next(watch)
    assert (event.cursor, event.existing, event.kind) == ("1", False, None)
    payment = event.payment
    told = (payment.id, payment.provider, payment.status, payment.amount, payment.currency, payment.customer_email)
    assert told == ("stripe:pi_1", "stripe", "completed", "12.50", "EUR", None)
    assert event.at is not None
    assert event.at.isoformat() == "2026-01-01T00:00:01+00:00"
    assert twin.tokens == ["Bearer a-token-for-tests"]


def test_what_is_meant_reaches_the_server(twin: Twin, client: PaymentClient) -> None:
    twin.plays(scene(batch(1), then_hangs=True))
    meant = Filter(providers=("paypal",), statuses=("partially_refunded",), currencies=("EUR",))
    with client.watch(meant, include_existing=True, policy=QUICK) as watch:
        next(watch)
    [asked] = twin.asked
    assert (list(asked.filter.providers), list(asked.filter.statuses)) == ([3], [4])
    assert (list(asked.filter.currencies), asked.include_existing) == (["EUR"], True)


def test_a_stream_that_breaks_goes_on_after_the_last_event_handed_out(twin: Twin, client: PaymentClient) -> None:
    twin.plays(scene(batch(1, 2, 3), AWAY), scene(batch(4), batch(5, 6), AWAY), scene(batch(7), then_hangs=True))
    with client.watch(policy=QUICK) as watch:
        assert told_by(watch, 7) == ["1", "2", "3", "4", "5", "6", "7"]
        assert twin.cursors == ["", "3", "6"]
        assert (watch.statistics.new, watch.statistics.reconnects) == (7, 2)


def test_a_batch_that_is_not_handed_out_to_its_end_leaves_the_cursor_within_it(
    twin: Twin, client: PaymentClient
) -> None:
    twin.plays(scene(batch(1, 2, 3, cursor="3+"), then_hangs=True))
    with client.watch(policy=QUICK) as watch:
        assert told_by(watch, 2) == ["1", "2"]
    assert watch.cursor == "2"
    assert list(watch) == []  # it is closed
    with client.watch(cursor=watch.cursor, policy=QUICK) as another:
        next(another)
    assert twin.cursors == ["", "2"]


def test_a_sign_of_life_moves_the_cursor_on(twin: Twin, client: PaymentClient) -> None:
    twin.plays(scene(batch(1), alive("5"), alive("9"), AWAY), scene(batch(10), then_hangs=True))
    with client.watch(policy=QUICK) as watch:
        assert told_by(watch, 2) == ["1", "10"]
    assert twin.cursors == ["", "9"]


def test_existing_payments_are_told_apart_and_their_end_is_known(twin: Twin, client: PaymentClient) -> None:
    twin.plays(scene(batch(1, 2, existing=True), alive("2"), batch(3), then_hangs=True))
    with client.watch(include_existing=True, policy=QUICK) as watch:
        assert [event.existing for event in taken(watch, 2)] == [True, True]
        assert not watch.is_live
        assert not next(watch).existing
        assert watch.is_live
        statistics = watch.statistics
    assert (statistics.existing, statistics.new) == (2, 1)


@pytest.mark.parametrize(
    "ending",
    [
        AWAY,
        exhausted("too_slow", "the client reads too slowly", 0.0),
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        None,
    ],
    ids=str,
)
def test_what_may_go_well_again_is_tried_again(
    twin: Twin, client: PaymentClient, ending: Refusal | grpc.StatusCode | None
) -> None:
    broken = scene(batch(1), ending) if ending is not None else scene(batch(1))
    twin.plays(broken, scene(batch(2), then_hangs=True))
    policy = msgspec.structs.replace(QUICK, reconnect=with_reconnect(base_seconds=0.01))
    with client.watch(policy=policy) as watch:
        assert told_by(watch, 2) == ["1", "2"]
    assert twin.cursors == ["", "1"]


@pytest.mark.parametrize(
    ("ending", "kind", "code"),
    [
        (unauthenticated("no such token"), Unauthorized, "unauthenticated"),
        (permission_denied("read"), Forbidden, "permission_denied"),
        (not_found("stripe:pi_1"), NotFound, "not_found"),
        (cursor_lost("this cursor is older than what is kept"), ValidationFailed, "cursor_lost"),
        (internal("an-id"), Unanswered, "internal"),
        (grpc.StatusCode.UNIMPLEMENTED, Failure, "grpc_unimplemented"),
        (grpc.StatusCode.INTERNAL, Failure, "grpc_internal"),
        (grpc.StatusCode.UNKNOWN, Failure, "grpc_unknown"),
        (grpc.StatusCode.DATA_LOSS, Failure, "grpc_data_loss"),
    ],
    ids=lambda told: told if isinstance(told, str) else None,
)
def test_what_would_come_again_ends_the_watch_at_once(
    twin: Twin, client: PaymentClient, ending: Refusal | grpc.StatusCode, kind: type[Failure], code: str
) -> None:
    twin.plays(scene(batch(1), ending))
    with client.watch(policy=QUICK) as watch:
        assert told_by(watch, 1) == ["1"]
        with pytest.raises(kind) as raised:
            next(watch)
    assert raised.value.code == code
    assert (len(twin.asked), watch.cursor) == (1, "1")


def test_a_wrong_request_is_told_with_its_field(twin: Twin, client: PaymentClient) -> None:
    twin.plays(scene(invalid_argument("cursor", "is no cursor; leave it out")))
    with client.watch(cursor="nonsense", policy=QUICK) as watch, pytest.raises(Failure) as raised:
        next(watch)
    assert raised.value.message == "cursor: is no cursor; leave it out"


def test_a_cursor_that_is_too_old_is_told_with_the_way_out(twin: Twin, client: PaymentClient) -> None:
    twin.plays(scene(cursor_lost("this cursor is older than what is kept")))
    with client.watch(cursor="1", policy=QUICK) as watch, pytest.raises(ValidationFailed) as raised:
        next(watch)
    assert "begin anew without it, with include_existing" in raised.value.message


def test_a_watch_gives_up_after_so_many_failures_in_a_row_with_the_last_one(twin: Twin, client: PaymentClient) -> None:
    twin.plays(scene(AWAY), scene(AWAY), scene(AWAY), scene(grpc.StatusCode.ABORTED))
    policy = msgspec.structs.replace(QUICK, reconnect=with_reconnect(most_in_a_row=3))
    with client.watch(policy=policy) as watch, pytest.raises(Conflict, match="given up after 4 failures in a row"):
        next(watch)
    assert len(twin.asked) == 4  # the first, and three more


def test_data_begins_the_count_of_failures_anew(twin: Twin, client: PaymentClient) -> None:
    twin.plays(
        *(scene(AWAY), scene(AWAY), scene(batch(1), AWAY), scene(AWAY), scene(batch(2), AWAY)), scene(batch(3), AWAY)
    )
    told: list[Reconnecting] = []
    policy = msgspec.structs.replace(QUICK, reconnect=with_reconnect(most_in_a_row=2))
    with client.watch(policy=policy, on_reconnect=told.append) as watch:
        assert told_by(watch, 3) == ["1", "2", "3"]
    assert [each.failures_in_a_row for each in told] == [1, 2, 1, 2, 1]


def test_a_server_that_greets_and_dies_each_time_is_given_up(twin: Twin, client: PaymentClient) -> None:
    twin.plays(scene(alive("1"), AWAY))
    policy = msgspec.structs.replace(QUICK, reconnect=with_reconnect(most_in_a_row=2))
    with client.watch(policy=policy) as watch, pytest.raises(Failure, match="given up"):
        next(watch)


def test_a_quiet_server_that_lives_for_a_while_each_time_is_not_given_up(twin: Twin, client: PaymentClient) -> None:
    twin.plays(*[scene(alive("1"), alive("2"), AWAY)] * 6, scene(batch(3), then_hangs=True))
    policy = msgspec.structs.replace(QUICK, reconnect=with_reconnect(most_in_a_row=2))
    with client.watch(policy=policy) as watch:
        assert told_by(watch, 1) == ["3"]


def test_the_pause_that_the_server_asks_for_is_kept(twin: Twin, client: PaymentClient) -> None:
    twin.plays(scene(exhausted("too_many_streams", "as many as it may have", 0.3)), scene(batch(1), then_hangs=True))
    told: list[Reconnecting] = []
    with client.watch(policy=QUICK, on_reconnect=told.append) as watch:
        next(watch)
        statistics = watch.statistics
    [one] = told
    assert isinstance(one.failure, RateLimited)
    assert 0.3 <= one.delay_seconds <= 0.32
    assert statistics.duration_seconds >= 0.3


def test_a_server_that_cuts_us_off_before_the_first_event_says_where_to_go_on(
    twin: Twin, client: PaymentClient
) -> None:
    twin.plays(scene(unavailable("going_down", "ending", 0.0, cursor="41")), scene(batch(42), then_hangs=True))
    with client.watch(policy=QUICK) as watch:
        assert told_by(watch, 1) == ["42"]
    assert twin.cursors == ["", "41"]


def test_our_own_cursor_counts_more_than_the_servers(twin: Twin, client: PaymentClient) -> None:
    twin.plays(scene(batch(1), exhausted("too_slow", "slow", 0.0, cursor="9")), scene(batch(2), then_hangs=True))
    with client.watch(policy=QUICK) as watch:
        assert told_by(watch, 2) == ["1", "2"]
    assert twin.cursors == ["", "1"]


def test_a_server_that_falls_silent_is_left_for_another_stream(twin: Twin, client: PaymentClient) -> None:
    twin.plays(scene(batch(1), then_hangs=True), scene(batch(2), then_hangs=True))
    told: list[Reconnecting] = []
    policy = msgspec.structs.replace(QUICK, silence_seconds=0.3)
    with client.watch(policy=policy, on_reconnect=told.append) as watch:
        assert told_by(watch, 2) == ["1", "2"]
    assert told[0].failure.code == "silence"


def test_who_takes_long_over_an_event_is_not_taken_for_a_silent_server(twin: Twin, client: PaymentClient) -> None:
    slow = threading.Event()
    twin.plays(scene(batch(1), batch(2), then_hangs=True))
    policy = msgspec.structs.replace(QUICK, silence_seconds=0.2)
    with client.watch(policy=policy) as watch:
        next(watch)
        slow.wait(0.5)  # longer than what counts as silence
        next(watch)
    assert len(twin.asked) == 1


def test_another_thread_may_close_a_watch_that_waits(twin: Twin, client: PaymentClient) -> None:
    waits = threading.Event()

    def quiet(_request: object, context: grpc.ServicerContext) -> Iterator[object]:
        waits.set()
        hang(context)
        yield from ()

    twin.plays(quiet)  # type: ignore[arg-type]  # it says nothing
    with client.watch(policy=QUICK) as watch:
        closing = threading.Thread(target=lambda: waits.wait(5) and watch.close())
        closing.start()
        assert list(watch) == []
        closing.join()


def test_a_watch_that_waits_to_come_back_can_be_closed(twin: Twin, client: PaymentClient) -> None:
    twin.plays(scene(exhausted("too_many_streams", "later", 60.0)))
    with client.watch(policy=QUICK, on_reconnect=lambda _told: watch.close()) as watch:
        assert list(watch) == []
        assert watch.statistics.duration_seconds < 30


def test_many_reconnects_leave_no_thread_and_no_connection_behind(twin: Twin, client: PaymentClient) -> None:
    rounds = 30
    twin.plays(*(_round(number) for number in range(1, rounds + 1)), scene(batch(rounds + 1), then_hangs=True))
    policy = msgspec.structs.replace(QUICK, reconnect=with_reconnect(base_seconds=0.001))
    before = threading.active_count()
    with client.watch(policy=policy) as watch:
        assert told_by(watch, rounds + 1) == [str(number) for number in range(1, rounds + 2)]
        assert threading.active_count() - before < 15


def _round(number: int) -> Scene:
    return scene(batch(number), AWAY)
