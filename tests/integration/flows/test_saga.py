"""Sagas on a real ledger: what is taken back, and what a crash at any point leaves behind."""

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any, cast

import msgspec
import pytest

from payments.event import Event, Kind, Provider
from payments.failures import (
    BadRequest,
    CircuitOpen,
    Conflict,
    OutcomeUnknown,
    ServerError,
    ServiceUnavailable,
    Unauthorized,
)
from payments.flows.desk import Desk
from payments.flows.ending import Buried, Ending, RetryLater, Settled, Waiting
from payments.flows.process import process
from payments.gateway.result import Answer, Charge, Standing, Verb
from payments.ledger.claims import Claims
from payments.ledger.database import Database
from payments.ledger.inbox import Inbox
from payments.ledger.settlements import Settlements
from payments.ledger.state import ENDED
from payments.resilience.policy import BreakerPolicy
from tests.builders import an_arrival, an_event
from tests.fake_gateway import After, FakeGateway, refusal
from tests.integration.flows.conftest import MakeDesk, make_guard, policies_with

BUSY = ServiceUnavailable("cannot serve now", code="http_503", service="stripe", operation="capture")
LOST = OutcomeUnknown("no answer came in time", code="timeout", service="stripe", operation="capture")
WRONG = BadRequest("the request is wrong", code="http_400", service="stripe", operation="capture")
BROKEN = ServerError("the provider failed", code="http_500", service="stripe", operation="capture")
IN_USE = Conflict("the key is in use", code="http_409", service="stripe", operation="capture")
NO_KEY = Unauthorized("the key has expired", code="http_401", service="stripe", operation="capture")


class KilledError(BaseException):
    """Stands for SIGKILL: nothing of ours gets to catch it."""


class Careless(FakeGateway):
    """A provider without idempotency keys: it does what it is asked, each time that it is asked."""

    def __init__(self, **script: Any) -> None:  # noqa: ANN401 - as FakeGateway takes it
        super().__init__(**script)
        self._calls = count(1)

    def _play(self, verb: Verb, charge: Charge, key: str, reference_id: str | None) -> Answer:
        return super()._play(verb, charge, f"{key}-{next(self._calls)}", reference_id)

    def net_minor(self, payment_id: str) -> int:
        """Return what the provider has taken and not given back."""
        standing = self._standings.get(payment_id, Standing(stage=cast("Any", "open")))
        return standing.captured_minor - standing.refunded_minor


def receive(database: Database, event: Event, offset: int = 0) -> int:
    [call] = Inbox(database).receive([an_arrival(event, offset)])[1]
    return call.inbox_id


def requested(payment_id: str = "p1", kind: Kind = Kind.REQUESTED) -> Event:
    return an_event(f"evt_{payment_id}", kind, payment_id)


def saga_of(database: Database, inbox_id: int) -> list[tuple[str, str]]:
    row = database.row("SELECT saga FROM inbox WHERE id = %(id)s", {"id": inbox_id})
    assert row is not None
    assert all("at" in line for line in row[0])
    return [(line["step"], line["mark"]) for line in row[0]]


def make_due(database: Database) -> None:
    database.run("UPDATE inbox SET due_at = now()")


def books(database: Database) -> tuple[Any, ...] | None:
    """Return the one payment's status, captured amount and refunds, and how many entries it has with what sum."""
    return database.row(
        """
        SELECT status, captured_minor, refunds, count(*), sum(entries.amount_minor)
          FROM payments
          JOIN entries USING (ordering_key)
         GROUP BY payments.ordering_key
        """
    )


@pytest.fixture
def refusing_books(own_schema: str, database: Database) -> Callable[[], None]:
    """Return what makes the database refuse every entry."""
    assert own_schema

    def refuse() -> None:
        database.run("ALTER TABLE entries ADD CONSTRAINT never CHECK (amount_minor = 0)")

    return refuse


# -- forward and backward ----------------------------------------------------------------------------------------------


def test_what_was_done_is_written_down_step_by_step(desk: Desk, database: Database) -> None:
    inbox_id = receive(database, requested())
    assert process(desk, inbox_id) == Settled()
    assert saga_of(database, inbox_id) == [
        ("authorize", "started"),
        ("authorize", "done"),
        ("capture", "started"),
        ("capture", "done"),
        ("record", "done"),
    ]


def test_a_capture_that_is_refused_for_good_voids_the_authorization(make_desk: MakeDesk, database: Database) -> None:
    gateway = Careless(capture=[WRONG])
    inbox_id = receive(database, requested())
    assert process(make_desk(gateways={Provider.STRIPE: gateway}), inbox_id) == Buried("http_400")
    assert gateway.verbs()[-2:] == ["capture", "void"]
    assert saga_of(database, inbox_id)[-3:] == [
        ("capture", "failed"),
        ("authorize", "compensation_started"),
        ("authorize", "compensation_done"),
    ]
    assert database.row("SELECT status, captured_minor FROM payments") == ("voided", 0)
    assert database.row("SELECT reason FROM dead_letters") == ("http_400",)


def test_a_record_that_is_refused_for_good_refunds_the_capture(
    make_desk: MakeDesk, database: Database, refusing_books: Callable[[], None]
) -> None:
    refusing_books()
    gateway = Careless()
    inbox_id = receive(database, requested())
    ending = process(make_desk(gateways={Provider.STRIPE: gateway}), inbox_id)
    assert ending == Buried("sqlstate_23514")
    assert gateway.verbs() == ["authorize", "capture", "refund"]
    assert gateway.net_minor("p1") == 0
    assert saga_of(database, inbox_id)[-3:] == [
        ("record", "failed"),
        ("capture", "compensation_started"),
        ("capture", "compensation_done"),
    ]
    assert database.row("SELECT count(*) FROM outbox WHERE topic = 'payments.events'") == (0,)


def test_a_wrong_amount_is_refunded_and_booked_both_ways_where_the_policy_says_so(
    make_desk: MakeDesk, database: Database
) -> None:
    other = Answer(verdict=cast("Any", "done"), amount_minor=900, reference_id="c1")
    gateway = Careless(capture=[other])
    policies = policies_with(failures__captured_other_amount__compensate=True)
    desk = make_desk(gateways={Provider.STRIPE: gateway}, policies=policies)
    inbox_id = receive(database, requested())
    assert process(desk, inbox_id) == Buried("manual_review")
    assert [asked.charge.amount_minor for asked in gateway.asked if asked.verb == "refund"] == [900]
    assert books(database) == ("refunded", 900, {"refund-1-p1": 900}, 4, 0)


@pytest.mark.parametrize(("failures", "code"), [([NO_KEY], "http_401"), ([BUSY] * 4, "http_503")])
def test_what_can_be_mended_leaves_the_authorization_for_the_replay(
    make_desk: MakeDesk, database: Database, failures: list[Exception], code: str
) -> None:
    gateway = Careless(capture=failures)
    desk = make_desk(gateways={Provider.STRIPE: gateway})
    inbox_id = receive(database, requested())
    ending: Ending = process(desk, inbox_id)
    while isinstance(ending, RetryLater):
        make_due(database)
        ending = process(desk, inbox_id)
    assert ending == Buried(code)
    assert "void" not in gateway.verbs()
    database.run("UPDATE inbox SET state = 'received', attempts = 0, due_at = now()")  # as a replay will do
    assert process(desk, inbox_id) == Settled()
    assert gateway.verbs().count("authorize") == 1


def test_a_compensation_is_tried_again_by_policy_with_attempts_of_its_own(
    make_desk: MakeDesk, database: Database
) -> None:
    gateway = Careless(capture=[BUSY, BUSY, WRONG], void=[BUSY, After(LOST)])
    desk = make_desk(gateways={Provider.STRIPE: gateway})
    inbox_id = receive(database, requested())
    endings = []
    for _ in range(5):
        endings.append(process(desk, inbox_id))
        make_due(database)
    assert [type(ending) for ending in endings] == [RetryLater] * 4 + [Buried]
    assert gateway.verbs()[-4:] == ["capture", "void", "void", "stand"]
    assert endings[-1] == Buried("http_400")


def test_a_compensation_that_fails_for_good_is_cried_out_and_buried_as_such(
    make_desk: MakeDesk, database: Database, told: list[tuple[str, dict[str, object]]]
) -> None:
    gateway = Careless(capture=[WRONG], void=[WRONG])
    inbox_id = receive(database, requested())
    assert process(make_desk(gateways={Provider.STRIPE: gateway}), inbox_id) == Buried("compensation_failed")
    assert "compensation_failed" in [name for name, _ in told]
    assert saga_of(database, inbox_id)[-1] == ("authorize", "compensation_failed")
    assert database.row("SELECT reason FROM dead_letters") == ("compensation_failed",)


def test_a_payment_that_cannot_be_processed_is_left_to_a_person_where_the_policy_says_so(
    make_desk: MakeDesk, database: Database
) -> None:
    policies = policies_with(failures__bad_request__ending="manual_review")
    desk = make_desk(gateways={Provider.STRIPE: Careless(authorize=[WRONG])}, policies=policies)
    inbox_id = receive(database, requested())
    assert process(desk, inbox_id) == Buried("manual_review")
    assert database.row("SELECT reason, failures -> 0 ->> 'code' FROM dead_letters") == ("manual_review", "http_400")


def test_retries_end_with_their_window_even_where_attempts_are_left(make_desk: MakeDesk, database: Database) -> None:
    policies = policies_with(failures__transient__retries=50, failures__transient__window_seconds=60.0)
    desk = make_desk(gateways={Provider.STRIPE: Careless(capture=[BUSY] * 9)}, policies=policies)
    inbox_id = receive(database, requested())
    assert isinstance(process(desk, inbox_id), RetryLater)
    database.run("UPDATE inbox SET due_at = now(), put_off_since = now() - '61 s'::INTERVAL, waited = '30 s'")
    assert isinstance(process(desk, inbox_id), RetryLater)
    database.run("UPDATE inbox SET due_at = now(), put_off_since = now() - '91 s'::INTERVAL")
    assert process(desk, inbox_id) == Buried("http_503")


@pytest.mark.parametrize("keeps_errors", [True, False])
@pytest.mark.parametrize("failure", [NO_KEY, BROKEN])
def test_where_errors_are_kept_under_a_key_the_next_try_has_another_one(
    make_desk: MakeDesk, database: Database, failure: Exception, *, keeps_errors: bool
) -> None:
    gateway = FakeGateway(capture=[failure])
    gateway.keeps_errors = keeps_errors
    desk = make_desk(gateways={Provider.STRIPE: gateway})
    inbox_id = receive(database, requested())
    process(desk, inbox_id)
    database.run("UPDATE inbox SET state = 'received', attempts = 0, due_at = now()")
    assert process(desk, inbox_id) == Settled()
    first, second = (asked.key for asked in gateway.asked if asked.verb == "capture")
    assert (first != second) is keeps_errors


@pytest.mark.parametrize("failure", [LOST, BUSY, IN_USE])
def test_what_may_still_be_at_work_is_repeated_under_its_own_key(
    make_desk: MakeDesk, database: Database, failure: Exception
) -> None:
    gateway = FakeGateway(capture=[failure])
    gateway.keeps_errors = True
    desk = make_desk(gateways={Provider.STRIPE: gateway})
    inbox_id = receive(database, requested())
    process(desk, inbox_id)
    make_due(database)
    assert process(desk, inbox_id) == Settled()
    assert len({asked.key for asked in gateway.asked if asked.verb == "capture"}) == 1


def test_a_step_whose_key_is_in_use_is_in_doubt_and_asked_for(make_desk: MakeDesk, database: Database) -> None:
    gateway = Careless(capture=[After(LOST), IN_USE])
    desk = make_desk(gateways={Provider.STRIPE: gateway})
    gateway._told = [None]  # noqa: SLF001 - what is still at work does not show yet
    inbox_id = receive(database, requested())
    for _ in range(3):
        process(desk, inbox_id)
        make_due(database)
    assert gateway.verbs() == ["authorize", "capture", "stand", "capture", "stand"]
    assert desk.claims.state(inbox_id) == "settled"


# -- an open breaker ---------------------------------------------------------------------------------------------------

TRIPPED = {"default": BreakerPolicy(consecutive_failures=1, open_seconds=20.0, spread_seconds=8.0)}


def test_while_a_breaker_is_open_a_payment_waits_and_no_attempt_is_spent(
    make_desk: MakeDesk, database: Database
) -> None:
    gateway = Careless(capture=[BUSY])
    policies = policies_with(breakers__default__spread_seconds=8.0)
    desk = make_desk(gateways=dict.fromkeys(Provider, gateway), guard=make_guard(TRIPPED), policies=policies)
    first, second = receive(database, requested("p1")), receive(database, requested("p2"), 1)
    assert isinstance(process(desk, first), RetryLater)
    asked = len(gateway.asked)
    for _ in range(3):
        ending = process(desk, second)
        assert isinstance(ending, Waiting)
        assert ending.code == "circuit_open"
        assert 15.0 < ending.delay_seconds < 30.0
        make_due(database)
    assert len(gateway.asked) == asked
    row = database.row("SELECT state, attempts, failures, saga FROM inbox WHERE id = %(id)s", {"id": second})
    assert row == ("waiting", 0, [], [])
    paypal = receive(database, an_event("evt_other", Kind.REQUESTED, "p3", provider=Provider.PAYPAL), 2)
    assert process(desk, paypal) == Settled()


def test_an_operator_may_have_payments_buried_while_the_breaker_is_open(
    make_desk: MakeDesk, database: Database
) -> None:
    gateway = Careless(capture=[BUSY])
    desk = make_desk(gateways={Provider.STRIPE: gateway}, guard=make_guard(TRIPPED), buries_when_open=True)
    first, second = receive(database, requested("p1")), receive(database, requested("p2"), 1)
    process(desk, first)
    assert process(desk, second) == Buried("circuit_open")


def test_a_payment_that_must_wait_between_two_steps_goes_on_with_the_second(
    make_desk: MakeDesk, database: Database
) -> None:
    gateway = Careless(authorize=[Answer(verdict=cast("Any", "done"), amount_minor=1000, reference_id="auth-p1")])
    guard = make_guard()
    leaves = iter([None, CircuitOpen("open", retry_after_seconds=9.0, code="circuit_open", service="stripe")])

    class Closing:
        """Opens between the two steps."""

        def leave(self, name: str, *, again: bool) -> object:
            refused = next(leaves, None)
            if refused is not None:
                raise refused
            return guard.leave(name, again=again)

    desk = make_desk(gateways={Provider.STRIPE: gateway}, guard=cast("Any", Closing()))
    inbox_id = receive(database, requested())
    assert isinstance(process(desk, inbox_id), Waiting)
    assert saga_of(database, inbox_id) == [("authorize", "started"), ("authorize", "done")]
    make_due(database)
    assert process(desk, inbox_id) == Settled()
    assert gateway.verbs() == ["authorize", "capture"]
    assert gateway.asked[1].charge.authorization_id == "auth-p1"


# -- a crash at every point --------------------------------------------------------------------------------------------


class Deadly:
    """Kills its process before or after the call that is somebody's turn, and lets every other one through."""

    def __init__(self, target: object, tick: Callable[[], None]) -> None:
        self._target = target
        self._tick = tick

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the target has
        called = getattr(self._target, name)

        def deadly(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - whatever the target takes and gives
            self._tick()
            answer = called(*args, **kwargs)
            self._tick()
            return answer

        return deadly


class Clockwork:
    """Counts the points at which a process can die, and kills it at one of them."""

    def __init__(self, fatal: int) -> None:
        self.fatal = fatal
        self.points = 0

    def tick(self) -> None:
        self.points += 1
        if self.points == self.fatal:
            raise KilledError


class Scenario(msgspec.Struct, frozen=True):
    """What the provider does, whether the books refuse, and what must be left at the provider."""

    name: str
    script: dict[str, list[Any]]
    net_minor: int
    kind: Kind = Kind.REQUESTED
    books_refuse: bool = False


SCENARIOS = [
    Scenario("all goes well", {}, 1000),
    Scenario("authorised elsewhere", {}, 1000, Kind.AUTHORIZED),
    Scenario("declined", {"authorize": [refusal()] * 9}, 0),
    Scenario("capture declined", {"capture": [refusal()] * 9}, 0),
    Scenario("capture declined, void busy and lost", {"capture": [refusal()] * 9, "void": [BUSY, After(LOST)]}, 0),
    Scenario("capture refused", {"capture": [WRONG] * 9}, 0),
    Scenario("capture refused, void lost", {"capture": [WRONG] * 9, "void": [After(LOST)]}, 0),
    Scenario("answers lost", {"authorize": [After(LOST)], "capture": [After(LOST)]}, 1000),
    Scenario("books refuse", {}, 0, books_refuse=True),
    Scenario("books refuse, refund lost", {"refund": [After(LOST)]}, 0, books_refuse=True),
]


def let_go_on(desk: Desk, database: Database, inbox_id: int) -> str:
    """Work on the event as a fleet would, until it has ended; return its state."""
    for _ in range(12):
        database.run("UPDATE inbox SET lease_until = now() - '1 s'::INTERVAL WHERE state = 'processing'")
        desk.sweeps.free_expired()
        make_due(database)
        process(desk, inbox_id)
        state = desk.claims.state(inbox_id)
        if state in ENDED:
            return str(state)
    raise AssertionError("it does not end")


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_a_crash_at_any_point_repeats_no_effect_and_leaves_the_books_as_the_provider_stands(
    make_desk: MakeDesk, database: Database, own_schema: str, scenario: Scenario
) -> None:
    assert own_schema
    if scenario.books_refuse:
        database.run("ALTER TABLE entries ADD CONSTRAINT never CHECK (amount_minor = 0)")
    for fatal in _points():
        payment_id = f"p{fatal}"
        gateway = Careless(**{verb: list(said) for verb, said in scenario.script.items()})
        clockwork = Clockwork(fatal)
        deadly = make_desk(
            gateways={Provider.STRIPE: Deadly(gateway, clockwork.tick)},
            claims=cast("Claims", Deadly(Claims(database), clockwork.tick)),
            settlements=cast("Settlements", Deadly(Settlements(database), clockwork.tick)),
        )
        inbox_id = receive(database, requested(payment_id, scenario.kind), fatal)
        died = False
        try:
            process(deadly, inbox_id)
        except KilledError:
            died = True
        let_go_on(make_desk(gateways={Provider.STRIPE: gateway}), database, inbox_id)
        _check(database, gateway, payment_id, scenario, f"killed at point {fatal}: {gateway.verbs()}")
        if not died:
            assert fatal > 5
            return
    raise AssertionError("it dies for ever")


def _points() -> Iterator[int]:
    yield from range(1, 60)


def _check(database: Database, gateway: Careless, payment_id: str, scenario: Scenario, what: str) -> None:
    effects = list(gateway.effects.values())
    assert len(effects) == len(set(effects)), what
    assert gateway.net_minor(payment_id) == scenario.net_minor, what
    key = {"key": f"stripe:{payment_id}"}
    booked = database.row(
        """
        SELECT coalesce(sum(amount_minor), 0),
               coalesce(sum(amount_minor) FILTER (WHERE account = 'provider:stripe'), 0)
          FROM entries
         WHERE ordering_key = %(key)s
        """,
        key,
    )
    assert booked == (0, scenario.net_minor), what
    if "authorize" in effects and "capture" not in effects:
        assert "void" in effects, what
