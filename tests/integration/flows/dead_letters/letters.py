"""Making dead letters the way they come to be, and looking at them with SQL of our own."""

from typing import Any, cast

from payments.event import Event, Kind, Provider
from payments.failures import Refused, Unavailable
from payments.flows.desk import Desk
from payments.flows.ending import Buried
from payments.flows.intake import Intake
from payments.flows.process import process
from payments.ledger.database import Database
from payments.ledger.dead_letters.burial import DeadLetters
from payments.ledger.inbox import Inbox
from payments.queue.wakeups import Wakeups
from tests.builders import an_arrival, an_event
from tests.fake_gateway import FakeGateway
from tests.integration.flows.conftest import MakeDesk, Queue, policies_with

BUSY = Unavailable("cannot serve now", code="http_503", service="stripe", operation="capture")
REFUSED = Refused("the request is wrong", code="http_400", service="stripe", operation="authorize")
MOST_BYTES = 1_048_576
AT_ONCE = policies_with(failures__transient__retries=0, failures__unknown__retries=0)


def receive(database: Database, *events: Event) -> list[int]:
    """Take events in and return their rows."""
    arrivals = [an_arrival(event, offset) for offset, event in enumerate(events)]
    return [call.inbox_id for call in Inbox(database).receive(arrivals)[1]]


def requested(payment_id: str = "p1", event_id: str | None = None, **told: Any) -> Event:  # noqa: ANN401 - any field
    """Return the request of a payment."""
    return an_event(event_id or f"evt_{payment_id}", Kind.REQUESTED, payment_id, **told)


def bury_many(make_desk: MakeDesk, database: Database, *events: Event, failing: int = 1, **tools: Any) -> Desk:  # noqa: ANN401 - any tool
    """Return a desk at which each of the events has died of a busy provider, which serves from then on."""
    gateway = FakeGateway(authorize=[BUSY] * failing * len(events))
    desk = make_desk(policies=AT_ONCE, gateways=dict.fromkeys(Provider, gateway), **tools)
    for inbox_id in receive(database, *events):
        assert isinstance(process(desk, inbox_id), Buried)
    return desk


def make_due(database: Database) -> None:
    """Let every pending letter be due."""
    database.run("UPDATE dead_letters SET next_replay_at = now() WHERE state = 'pending'")


def letters(database: Database, columns: str = "event_id, state::TEXT") -> list[tuple[Any, ...]]:
    """Return columns of all letters, the oldest first."""
    return database.rows(f"SELECT {columns} FROM dead_letters ORDER BY id")  # noqa: S608 - a test's own words


def intake_of(database: Database, queue: Queue, max_bytes: int = MOST_BYTES) -> Intake:
    """Return an intake on this ledger that wakes nobody but the queue."""
    wakeups = cast("Wakeups", queue)
    return Intake(Inbox(database), DeadLetters(database), wakeups, max_bytes=max_bytes, tell=lambda *_, **__: None)
