import pytest

from payments.event import Event, Kind, Provider
from payments.failures import DatabaseAway, Failure, OutcomeUnknown, RateLimited, Refused, Unavailable
from payments.flows.desk import Desk
from payments.flows.ending import Buried, Declined, Ending, Overtaken, Passed, RetryLater, Settled, Superseded, Waiting
from payments.flows.process import process
from payments.gateway.result import Answer, Charge, Standing, Verdict
from payments.ledger.database import Database
from payments.ledger.inbox import Inbox
from payments.ledger.state import State
from tests.builders import an_arrival, an_event
from tests.fake_gateway import FakeGateway, refusal
from tests.integration.flows.conftest import MakeDesk, Queue

BUSY = Unavailable("cannot serve now", code="http_503", service="stripe", operation="capture")
LOST = OutcomeUnknown("no answer came in time", code="timeout", service="stripe", operation="capture")
REFUSED = Refused("the request is wrong", code="http_400", service="stripe", operation="authorize")


class KilledError(BaseException):
    """Stands for SIGKILL: nothing of ours gets to catch it."""


def receive(database: Database, *events: Event) -> list[int]:
    arrivals = [an_arrival(event, offset) for offset, event in enumerate(events)]
    return [call.inbox_id for call in Inbox(database).receive(arrivals)[1]]


def requested(payment_id: str = "p1", event_id: str = "evt_1") -> Event:
    return an_event(event_id, Kind.REQUESTED, payment_id)


def refunded(event_id: str = "evt_refund", payment_id: str = "p1") -> Event:
    return an_event(event_id, Kind.REFUNDED, payment_id, amount_minor=400, reference_id="r1")


def make_due(database: Database) -> None:
    database.run("UPDATE inbox SET due_at = now()")


def let_the_lease_end(desk: Desk, database: Database) -> None:
    database.run("UPDATE inbox SET lease_until = now() - '1 s'::INTERVAL WHERE state = 'processing'")
    assert desk.sweeps.free_expired() == 1


def states(database: Database) -> dict[str, str]:
    return dict(database.rows("SELECT event_id, state::TEXT FROM inbox"))


def entries(database: Database) -> dict[str, int]:
    return dict(database.rows("SELECT leg, amount_minor FROM entries"))


def dead_letter(database: Database) -> tuple[str, list[str]]:
    """Return the reason of the one dead letter, and the codes of its history."""
    [(reason, failures)] = database.rows("SELECT reason, failures FROM dead_letters")
    return reason, [failure["code"] for failure in failures]


# -- one event ---------------------------------------------------------------------------------------------------------


def test_a_requested_payment_is_authorized_captured_and_booked(
    desk: Desk, gateway: FakeGateway, database: Database
) -> None:
    [inbox_id] = receive(database, requested())
    assert process(desk, inbox_id) == Settled()
    assert gateway.verbs() == ["authorize", "capture"]
    assert gateway.asked[0].charge == Charge(payment_id="p1", amount_minor=1000, currency="EUR")
    assert gateway.asked[1].charge.authorization_id == "auth-p1"
    assert entries(database) == {"capture/debit": 1000, "capture/credit": -1000}
    assert database.row("SELECT status, captured_minor, authorization_id, capture_id FROM payments") == (
        *("completed", 1000, "auth-p1", "capture-p1"),
    )


def test_an_authorized_payment_is_captured_and_not_authorized_again(
    desk: Desk, gateway: FakeGateway, database: Database
) -> None:
    [inbox_id] = receive(database, an_event(kind=Kind.AUTHORIZED))
    assert process(desk, inbox_id) == Settled()
    assert gateway.verbs() == ["capture"]


@pytest.mark.parametrize("kind", [Kind.CAPTURED, Kind.FAILED, Kind.VOIDED])
def test_what_has_happened_at_the_provider_is_recorded_without_asking_it(
    desk: Desk, gateway: FakeGateway, database: Database, kind: Kind
) -> None:
    [inbox_id] = receive(database, an_event(kind=kind))
    assert process(desk, inbox_id) == Settled()
    assert gateway.asked == []


def test_the_end_of_an_event_is_announced_without_personal_data(desk: Desk, database: Database) -> None:
    [inbox_id] = receive(database, an_event(metadata={"email": "jo@example.com"}, **JO))
    process(desk, inbox_id)
    assert customers(database) == {"stripe:p1": ("cus_1", "jo@example.com")}
    row = database.row("SELECT topic, key, payload FROM outbox")
    assert row is not None
    assert row[:2] == ("payments.events", "stripe:p1")
    assert (row[2]["ending"], row[2]["status"], row[2]["captured_minor"]) == ("settled", "completed", 1000)
    assert "example.com" not in str(row[2])


JO = {"customer_reference": "cus_1", "customer_email": "jo@example.com"}


def customers(database: Database) -> dict[str, tuple[str | None, str | None]]:
    told = database.rows("SELECT ordering_key, customer_reference, customer_email FROM payments")
    return {key: (reference, email) for key, reference, email in told}


@pytest.mark.parametrize("kind", [Kind.REQUESTED, Kind.AUTHORIZED, Kind.CAPTURED, Kind.FAILED, Kind.VOIDED])
def test_a_payment_knows_the_customer_of_its_first_event(desk: Desk, database: Database, kind: Kind) -> None:
    [inbox_id] = receive(database, an_event(kind=kind, **JO))
    process(desk, inbox_id)
    assert customers(database) == {"stripe:p1": ("cus_1", "jo@example.com")}


def test_a_payment_that_is_declined_or_taken_back_knows_its_customer(make_desk: MakeDesk, database: Database) -> None:
    for payment_id, verb in (("p1", "authorize"), ("p2", "capture")):
        desk = make_desk(gateways={Provider.STRIPE: FakeGateway(**{verb: [refusal()]})})
        [inbox_id] = receive(database, an_event(f"evt_{payment_id}", Kind.REQUESTED, payment_id, **JO))
        process(desk, inbox_id)
    assert set(customers(database).values()) == {("cus_1", "jo@example.com")}
    assert set(customers(database)) == {"stripe:p1", "stripe:p2"}


def test_a_later_event_fills_in_what_was_not_known_of_the_customer_and_overwrites_nothing(
    desk: Desk, database: Database
) -> None:
    told = [
        an_event("evt_1", Kind.CAPTURED),
        an_event("evt_2", Kind.CAPTURED, customer_reference="cus_of_a_superseded_event"),
        an_event("evt_3", Kind.REFUNDED, amount_minor=100, reference_id="r1", customer_reference="cus_1"),
        an_event("evt_4", Kind.REFUNDED, amount_minor=100, reference_id="r2", **JO | {"customer_reference": "cus_2"}),
        an_event("evt_5", Kind.REFUNDED, amount_minor=100, reference_id="r3", customer_email="other@example.com"),
    ]
    seen = []
    for event in told:
        [inbox_id] = receive(database, event)
        process(desk, inbox_id)
        seen.append(customers(database)["stripe:p1"])
    jo = ("cus_1", "jo@example.com")
    assert seen == [(None, None), (None, None), ("cus_1", None), jo, jo]


@pytest.mark.parametrize(
    ("verb", "asked", "status"),
    [("authorize", ["authorize"], "failed"), ("capture", ["authorize", "capture", "void"], "voided")],
)
def test_a_declined_card_is_an_outcome_and_leaves_no_authorization_behind(
    make_desk: MakeDesk, database: Database, verb: str, asked: list[str], status: str
) -> None:
    gateway = FakeGateway(**{verb: [refusal()]})
    desk = make_desk(gateways={Provider.STRIPE: gateway})
    [inbox_id] = receive(database, requested())
    assert process(desk, inbox_id) == Declined()
    assert gateway.verbs() == asked
    assert states(database) == {"evt_1": "declined"}
    assert database.row("SELECT status FROM payments") == (status,)
    assert entries(database) == {}
    assert database.row("SELECT count(*) FROM dead_letters") == (0,)
    assert database.row("SELECT kind, code, ordering_key FROM declines") == (
        *("insufficient_funds", "insufficient_funds", "stripe:p1"),
    )
    assert database.row("SELECT payload -> 'decline' ->> 'kind' FROM outbox") == ("insufficient_funds",)


def test_a_payment_that_was_declined_may_still_be_paid(make_desk: MakeDesk, database: Database) -> None:
    desk = make_desk(gateways={Provider.STRIPE: FakeGateway(authorize=[refusal()])})
    first, second = receive(database, requested(), an_event("evt_2"))
    assert process(desk, first) == Declined()
    assert process(desk, second) == Passed("settled")
    assert database.row("SELECT status FROM payments") == ("completed",)


def test_what_is_already_booked_is_superseded(desk: Desk, database: Database) -> None:
    first, second = receive(database, an_event("evt_1"), an_event("evt_2"))
    process(desk, first)
    assert states(database) == {"evt_1": "settled", "evt_2": "superseded"}
    assert process(desk, second) == Passed("superseded")
    assert len(entries(database)) == 2


def test_an_event_that_is_worked_off_twice_takes_effect_once(
    desk: Desk, gateway: FakeGateway, database: Database
) -> None:
    [inbox_id] = receive(database, requested())
    assert [process(desk, inbox_id) for _ in range(3)] == [Settled(), Passed("settled"), Passed("settled")]
    assert gateway.verbs() == ["authorize", "capture"]


def test_a_row_that_does_not_exist_is_passed(desk: Desk) -> None:
    assert isinstance(process(desk, 4711), Passed)


# -- failures ----------------------------------------------------------------------------------------------------------


def test_a_transient_failure_is_tried_again_later_and_remembered(make_desk: MakeDesk, database: Database) -> None:
    gateway = FakeGateway(capture=[BUSY])
    desk = make_desk(gateways={Provider.STRIPE: gateway})
    [inbox_id] = receive(database, requested())
    ending = process(desk, inbox_id)
    assert isinstance(ending, RetryLater)
    assert ending.code == "http_503"
    assert 5.0 <= ending.delay_seconds <= 10.0
    row = database.row(
        """
        SELECT state, attempts, due_at > now() + '4 s', due_at <= now() + '10 s', lease_until,
               jsonb_array_length(failures)
          FROM inbox
        """
    )
    assert row == ("retrying", 1, True, True, None, 1)
    assert process(desk, inbox_id) == Passed("retrying")
    make_due(database)
    assert process(desk, inbox_id) == Settled()
    assert gateway.count("capture") == 1


def test_a_pause_that_the_provider_asks_for_is_kept(make_desk: MakeDesk, database: Database) -> None:
    limited = RateLimited("slow down", retry_after_seconds=45.0, code="http_429", service="stripe")
    desk = make_desk(gateways={Provider.STRIPE: FakeGateway(authorize=[limited])})
    [inbox_id] = receive(database, requested())
    ending = process(desk, inbox_id)
    assert isinstance(ending, Waiting)
    assert ending.code == "http_429"
    assert 45.0 < ending.delay_seconds < 50.0
    assert database.row("SELECT state, attempts, failures, waited > '45 s' FROM inbox") == ("waiting", 0, [], True)


def test_the_last_allowed_failure_buries_the_event_with_its_whole_history(
    make_desk: MakeDesk, database: Database
) -> None:
    gateway = FakeGateway(capture=[BUSY] * 10)
    desk = make_desk(gateways={Provider.STRIPE: gateway})
    [inbox_id] = receive(database, requested())
    endings: list[Ending] = []
    for _ in range(6):
        endings.append(process(desk, inbox_id))
        make_due(database)
    assert [type(ending) for ending in endings] == [RetryLater] * 3 + [Buried] + [Passed] * 2
    assert endings[3] == Buried("http_503")
    assert dead_letter(database) == ("http_503", ["http_503"] * 4)
    assert gateway.verbs().count("capture") == 4
    assert database.row("SELECT topic, payload ->> 'reason' FROM outbox") == ("payments.raw.dlq", "http_503")


@pytest.mark.parametrize("verb", ["authorize", "capture"])
def test_an_unknown_outcome_is_asked_again_under_the_same_key(
    make_desk: MakeDesk, database: Database, verb: str
) -> None:
    gateway = FakeGateway(**{verb: [LOST, LOST]})
    desk = make_desk(gateways={Provider.STRIPE: gateway})
    [inbox_id] = receive(database, requested())
    for _ in range(2):
        assert isinstance(process(desk, inbox_id), RetryLater)
        assert states(database) == {"evt_1": State.VERIFYING}
        make_due(database)
    assert process(desk, inbox_id) == Settled()
    assert len(gateway.keys(verb)) == 3
    assert len(set(gateway.keys(verb))) == 1
    assert gateway.count("capture") == 1


def test_every_step_of_every_payment_has_a_key_of_its_own(desk: Desk, gateway: FakeGateway, database: Database) -> None:
    for inbox_id in receive(database, requested("p1", "evt_1"), requested("p2", "evt_2")):
        process(desk, inbox_id)
    assert len({asked.key for asked in gateway.asked}) == 4


def test_a_permanent_failure_buries_the_event_at_once(make_desk: MakeDesk, database: Database) -> None:
    gateway = FakeGateway(authorize=[REFUSED])
    desk = make_desk(gateways={Provider.STRIPE: gateway})
    [inbox_id] = receive(database, requested())
    assert process(desk, inbox_id) == Buried("http_400")
    assert dead_letter(database) == ("http_400", ["http_400"])
    assert gateway.verbs() == ["authorize"]


def test_a_bug_is_tried_twice_more_and_its_text_is_kept_to_itself(make_desk: MakeDesk, database: Database) -> None:
    gateway = FakeGateway(authorize=[ValueError("card 4242424242424242")] * 4)
    desk = make_desk(gateways={Provider.STRIPE: gateway})
    [inbox_id] = receive(database, requested())
    for _ in range(4):
        process(desk, inbox_id)
        make_due(database)
    assert gateway.verbs().count("authorize") == 3
    assert dead_letter(database) == ("unexpected", ["unexpected"] * 3)
    assert database.row("SELECT failures::TEXT LIKE '%%4242%%', message LIKE '%%4242%%' FROM dead_letters") == (
        *(False, False),
    )


def test_an_event_that_contradicts_its_payment_is_buried(desk: Desk, database: Database) -> None:
    first, _ = receive(database, an_event("evt_1"), an_event("evt_2", amount_minor=999))
    assert process(desk, first) == Settled()
    assert states(database) == {"evt_1": "settled", "evt_2": "dead"}
    assert dead_letter(database)[0] == "amount_mismatch"


def test_a_capture_of_another_amount_than_was_asked_for_is_for_a_person_to_see_and_not_booked(
    make_desk: MakeDesk, database: Database
) -> None:
    other = Answer(verdict=Verdict.DONE, amount_minor=900, reference_id="c1")
    desk = make_desk(gateways={Provider.STRIPE: FakeGateway(capture=[other])})
    [inbox_id] = receive(database, requested())
    assert process(desk, inbox_id) == Buried("manual_review")
    assert dead_letter(database) == ("manual_review", ["captured_other_amount"])
    assert entries(database) == {}


# -- crashes -----------------------------------------------------------------------------------------------------------


def test_a_crash_in_the_capture_asks_first_and_captures_once_without_authorizing_again(
    make_desk: MakeDesk, database: Database
) -> None:
    gateway = FakeGateway(capture=[KilledError()])
    desk = make_desk(gateways={Provider.STRIPE: gateway})
    [inbox_id] = receive(database, requested())
    with pytest.raises(KilledError):
        process(desk, inbox_id)
    assert process(desk, inbox_id) == Passed("processing")
    let_the_lease_end(desk, database)
    assert process(desk, inbox_id) == Settled()
    assert gateway.verbs() == ["authorize", "capture", "stand", "capture"]
    assert len(set(gateway.keys("capture"))) == 1
    assert (gateway.count("authorize"), gateway.count("capture")) == (1, 1)
    assert len(entries(database)) == 2


class Slow(FakeGateway):
    """Answers only after its worker's lease has ended, and another worker has done all the work."""

    def __init__(self, desk: Desk, database: Database, inbox_id: int) -> None:
        super().__init__()
        self._desk, self._database, self._inbox_id = desk, database, inbox_id
        self.other: Ending | None = None

    def capture(self, charge: Charge, idempotency_key: str) -> Answer:
        let_the_lease_end(self._desk, self._database)
        self.other = process(self._desk, self._inbox_id)
        return super().capture(charge, idempotency_key)


def test_a_worker_that_was_overtaken_during_the_capture_books_nothing(
    make_desk: MakeDesk, desk: Desk, gateway: FakeGateway, database: Database
) -> None:
    [inbox_id] = receive(database, requested())
    slow = Slow(desk, database, inbox_id)
    assert process(make_desk(gateways={Provider.STRIPE: slow}), inbox_id) == Overtaken()
    assert slow.other == Settled()
    assert len(entries(database)) == 2
    assert database.row("SELECT count(*) FROM outbox") == (1,)
    assert slow.keys("capture") == gateway.keys("capture")


class SlowAtFirst(Slow):
    """Likewise, but already at the authorization."""

    def authorize(self, charge: Charge, idempotency_key: str) -> Answer:
        let_the_lease_end(self._desk, self._database)
        self.other = process(self._desk, self._inbox_id)
        return FakeGateway.authorize(self, charge, idempotency_key)


def test_a_worker_that_was_overtaken_between_two_steps_does_not_take_the_second(
    make_desk: MakeDesk, desk: Desk, database: Database
) -> None:
    [inbox_id] = receive(database, requested())
    slow = SlowAtFirst(desk, database, inbox_id)
    assert process(make_desk(gateways={Provider.STRIPE: slow}), inbox_id) == Overtaken()
    assert slow.verbs() == ["authorize"]


def test_an_event_that_ends_every_attempt_with_its_worker_is_buried_without_one_more_try(
    make_desk: MakeDesk, database: Database
) -> None:
    gateway = FakeGateway(authorize=[KilledError()] * 10)
    desk = make_desk(gateways={Provider.STRIPE: gateway})
    [inbox_id] = receive(database, requested())
    for _ in range(4):
        with pytest.raises(KilledError):
            process(desk, inbox_id)
        let_the_lease_end(desk, database)
    assert process(desk, inbox_id) == Buried("attempts_spent")
    assert gateway.verbs() == ["authorize", *["stand", "authorize"] * 3, "stand"]
    assert dead_letter(database) == ("attempts_spent", ["lease_expired"] * 4 + ["attempts_spent"])


def test_a_ledger_that_is_away_is_the_callers_to_know(desk: Desk, database: Database) -> None:
    [inbox_id] = receive(database, requested())
    database.close()
    with pytest.raises(DatabaseAway):
        process(desk, inbox_id)


def test_a_ledger_that_goes_away_during_the_work_leaves_the_event_to_its_lease(
    make_desk: MakeDesk, database: Database
) -> None:
    away: Failure = DatabaseAway("no answer", code="database_away", service="database")
    gateway = FakeGateway(capture=[away])
    desk = make_desk(gateways={Provider.STRIPE: gateway})
    [inbox_id] = receive(database, requested())
    with pytest.raises(DatabaseAway):
        process(desk, inbox_id)
    assert states(database) == {"evt_1": "processing"}
    let_the_lease_end(desk, database)
    assert process(desk, inbox_id) == Settled()
    assert gateway.count("capture") == 1


# -- the line of a payment ---------------------------------------------------------------------------------------------


def test_the_events_behind_are_worked_off_in_the_same_task_in_their_order(desk: Desk, database: Database) -> None:
    told = [requested(), refunded(), an_event("evt_3", Kind.DISPUTED), an_event("evt_4", payment_id="p2")]
    first, *_ = receive(database, *told)
    assert process(desk, first) == Settled()
    assert states(database) == {"evt_1": "settled", "evt_refund": "settled", "evt_3": "settled", "evt_4": "received"}
    assert [row[0] for row in database.rows("SELECT payload ->> 'event_id' FROM outbox ORDER BY id")] == [
        *("evt_1", "evt_refund", "evt_3"),
    ]


def test_an_event_behind_an_unfinished_one_is_passed(desk: Desk, gateway: FakeGateway, database: Database) -> None:
    _first, second = receive(database, requested(), an_event("evt_2", Kind.AUTHORIZED))
    assert process(desk, second) == Passed("received")
    assert gateway.asked == []


def test_a_task_whose_time_is_over_passes_the_line_on(make_desk: MakeDesk, queue: Queue, database: Database) -> None:
    moments = iter([0.0, 0.0, 5.0, 5.0, 5.0, 30.0, 30.0])
    desk = make_desk(line_seconds=30.0, clock=lambda: next(moments))
    first, second, third = receive(database, requested(), refunded(), an_event("evt_3", Kind.DISPUTED))
    assert process(desk, first) == Settled()
    assert states(database) == {"evt_1": "settled", "evt_refund": "settled", "evt_3": "received"}
    assert queue.sent == [(third, None)]
    assert second not in [inbox_id for inbox_id, _ in queue.sent]


def test_a_successor_that_is_to_be_tried_again_gets_a_message_of_its_own(
    make_desk: MakeDesk, queue: Queue, database: Database
) -> None:
    desk = make_desk(gateways={Provider.STRIPE: FakeGateway(capture=[BUSY])})
    first, second = receive(database, an_event("evt_1", Kind.FAILED), an_event("evt_2", Kind.AUTHORIZED))
    assert process(desk, first) == Settled()
    [(inbox_id, delay_seconds)] = queue.sent
    assert inbox_id == second
    assert delay_seconds is not None
    assert 5.0 <= delay_seconds <= 10.0


def test_a_queue_that_is_away_does_not_undo_the_ending_of_an_event(
    make_desk: MakeDesk, queue: Queue, database: Database
) -> None:
    queue.away = True
    first, _second = receive(database, requested(), refunded())
    assert process(make_desk(line_seconds=0.0), first) == Settled()


def test_a_refund_that_came_before_its_capture_is_settled_after_it(
    desk: Desk, queue: Queue, database: Database
) -> None:
    [refund] = receive(database, refunded())
    assert process(desk, refund) == Waiting(5.0, "out_of_order")
    assert database.row("SELECT state, attempts FROM inbox") == ("waiting", 0)
    [capture] = receive(database, an_event("evt_capture"))
    assert process(desk, capture) == Settled()
    assert states(database) == {"evt_refund": "settled", "evt_capture": "settled"}
    assert queue.sent == []
    assert entries(database)["refund:r1/debit"] == 400


def test_a_refund_and_its_capture_in_the_wrong_order_are_settled_in_one_task(desk: Desk, database: Database) -> None:
    refund, _capture = receive(database, refunded(), an_event("evt_capture"))
    assert process(desk, refund) == Waiting(5.0, "out_of_order")
    assert states(database) == {"evt_refund": "settled", "evt_capture": "settled"}


def test_several_that_came_too_early_are_all_settled_once_the_capture_is_there(desk: Desk, database: Database) -> None:
    early = [an_event(f"evt_{i}", Kind.REFUNDED, amount_minor=100, reference_id=f"r{i}") for i in range(4)]
    first, *_ = receive(database, *early, an_event("evt_capture"))
    process(desk, first)
    assert set(states(database).values()) == {"settled"}
    assert sum(entries(database).values()) == 0


def test_waiting_for_another_event_spends_no_attempt(desk: Desk, database: Database) -> None:
    [refund] = receive(database, refunded())
    for _ in range(10):
        assert process(desk, refund) == Waiting(5.0, "out_of_order")
    assert database.row("SELECT attempts, failures FROM inbox") == (0, [])


def test_a_refund_whose_capture_never_comes_is_buried_as_out_of_order(make_desk: MakeDesk, database: Database) -> None:
    desk = make_desk(out_of_order_window_seconds=0.0)
    [refund] = receive(database, refunded())
    assert process(desk, refund) == Buried("out_of_order")


def test_a_refund_waits_for_as_long_as_the_window_lasts(desk: Desk, database: Database) -> None:
    [refund] = receive(database, refunded())
    assert process(desk, refund) == Waiting(5.0, "out_of_order")
    database.run("UPDATE inbox SET yielding_since = yielding_since - '29 s'::INTERVAL")
    assert process(desk, refund) == Waiting(5.0, "out_of_order")
    database.run("UPDATE inbox SET yielding_since = yielding_since - '2 s'::INTERVAL")
    assert process(desk, refund) == Buried("out_of_order")


def test_a_dead_event_does_not_block_those_behind_it(make_desk: MakeDesk, database: Database) -> None:
    desk = make_desk(gateways={Provider.STRIPE: FakeGateway(authorize=[REFUSED])})
    first, _ = receive(database, requested(), an_event("evt_2"))
    assert process(desk, first) == Buried("http_400")
    assert states(database) == {"evt_1": "dead", "evt_2": "settled"}


def test_money_that_was_taken_although_no_answer_came_is_found_and_not_asked_for_again(
    make_desk: MakeDesk, database: Database
) -> None:
    gateway = FakeGateway()
    silent = Silent(gateway)
    desk = make_desk(gateways={Provider.STRIPE: silent})
    [inbox_id] = receive(database, requested())
    assert isinstance(process(desk, inbox_id), RetryLater)
    database.run("UPDATE inbox SET due_at = now()")
    assert process(desk, inbox_id) == Settled()
    assert gateway.verbs() == ["capture", "stand"]
    assert gateway.count("capture") == 1


class Silent(FakeGateway):
    """A provider that captures, and whose answer to that never comes; asked later, it tells."""

    def __init__(self, played: FakeGateway) -> None:
        super().__init__()
        self._played = played

    def capture(self, charge: Charge, idempotency_key: str) -> Answer:
        self._played.capture(charge, idempotency_key)
        raise OutcomeUnknown("no answer", code="timeout", service="stripe", operation="capture")

    def stand(self, charge: Charge) -> Standing | None:
        return self._played.stand(charge)


class Webhooks(FakeGateway):
    """A provider whose webhook about the authorization is worked off before its answer is."""

    def __init__(self, desk: Desk, database: Database, played: FakeGateway) -> None:
        super().__init__()
        self._desk, self._database, self._played = desk, database, played

    def authorize(self, charge: Charge, idempotency_key: str) -> Answer:
        answer = self._played.authorize(charge, idempotency_key)
        webhook = an_event("evt_webhook", Kind.AUTHORIZED, answer.reference_id or "", provider=Provider.PAYPAL)
        [inbox_id] = receive(self._database, webhook)
        process(self._desk, inbox_id)
        return answer

    def capture(self, charge: Charge, idempotency_key: str) -> Answer:
        return self._played.capture(charge, idempotency_key)


def test_a_webhook_about_the_authorization_that_is_faster_than_its_answer_captures_nothing_twice(
    make_desk: MakeDesk, gateway: FakeGateway, database: Database
) -> None:
    webhooks = Webhooks(make_desk(), database, gateway)
    [inbox_id] = receive(database, an_event(kind=Kind.REQUESTED, payment_id="ORD1", provider=Provider.PAYPAL))
    process(make_desk(gateways={Provider.PAYPAL: webhooks}), inbox_id)
    assert gateway.count("capture") == 1


# -- what is told ------------------------------------------------------------------------------------------------------


def test_what_is_logged_names_the_ending_and_holds_no_metadata(
    desk: Desk, database: Database, told: list[tuple[str, dict[str, object]]]
) -> None:
    [inbox_id] = receive(database, an_event(metadata={"email": "jo@example.com"}, **JO))
    process(desk, inbox_id)
    [(name, fields)] = told
    assert (name, fields["ending"], fields["payment_id"], fields["attempt"]) == (
        *("payment_worked_off", "settled", "p1", 1),
    )
    assert "example.com" not in str(fields)


def test_a_superseded_event_says_so(desk: Desk, database: Database) -> None:
    [first] = receive(database, an_event("evt_1"))
    process(desk, first)
    [second] = receive(database, an_event("evt_2"))
    assert process(desk, second) == Superseded()
