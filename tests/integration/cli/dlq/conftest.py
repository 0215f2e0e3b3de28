"""A graveyard with dead letters of several kinds, and the command line beside it."""

import io
import sys
from collections.abc import Callable
from typing import Any

import pytest
import redis
from typer.main import get_command

from payments.event import Event, Kind, Provider, encode
from payments.failures import Refused, Unavailable, Undecodable
from payments.flows.dead_letters.desk import ReplayDesk
from payments.flows.dead_letters.job import work_on_job
from payments.flows.process import process
from payments.ledger.database import Database
from payments.ledger.dead_letters.burial import Burial, Corpse, DeadLetters
from payments.ledger.inbox import Arrival, Inbox
from payments.providers.decoding import decode_event
from tests.builders import a_message, a_record, an_event
from tests.fake_gateway import FakeGateway
from tests.integration.flows.conftest import (  # noqa: F401 - fixtures
    MakeDesk,
    database_url,
    desk,
    gateway,
    make_desk,
    queue,
    told,
)
from tests.integration.flows.dead_letters.conftest import (  # noqa: F401 - fixtures
    make_replay_desk,
    replayer,
    started,
    switchboard,
)
from tests.unit.workers.cli.conftest import _untouched  # noqa: F401 - a fixture
from workers.cli.main import app, main

BUSY = Unavailable("cannot serve now", code="http_503", service="stripe", operation="capture")
REFUSED = Refused("the request is wrong", code="http_400", service="paypal", operation="authorize")

TABLES = (
    *("dead_letters", "dead_letter_audit", "dead_letter_texts", "dead_letter_archives", "replay_jobs", "replay_paces"),
    *("replay_switch", "outbox", "inbox", "payments", "entries"),
)


class Said:
    """A command that has ended."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code = code
        self.out = out
        self.err = err


Run = Callable[..., Said]


@pytest.fixture(scope="session")
def program() -> Callable[[], None]:
    """The command with all its options, which takes longer to put together than most of them to run."""
    return get_command(app)


@pytest.fixture
def run(
    program: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    database_url: str,  # noqa: F811 - the fixture
    redis_url: str,
) -> Run:
    """Return what runs `payferry dlq`; with `typed`, as if a person sat at a terminal and typed that."""
    for name, value in (("DATABASE_URL", database_url), ("CELERY_BROKER_URL", redis_url), ("COLUMNS", "200")):
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("workers.cli.main.app", program)

    def command(*words: str, typed: str | None = None) -> Said:
        monkeypatch.setattr(sys, "argv", ["payferry", "dlq", *words])
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed or ""))
        monkeypatch.setattr("workers.cli.terminal.asking.at_terminal", lambda: typed is not None)
        monkeypatch.setattr("workers.cli.dlq.edit.at_terminal", lambda: typed is not None)
        with pytest.raises(SystemExit) as ended:
            main()
        said = capfd.readouterr()
        code = ended.value.code or 0
        assert isinstance(code, int)
        return Said(code, said.out, said.err)

    return command


class Graveyard:
    """Buries events and records as workers and bridges do."""

    def __init__(self, database: Database, make_desk: MakeDesk, replayer: ReplayDesk) -> None:  # noqa: F811 - fixtures
        self.database = database
        self._make_desk = make_desk
        self._replayer = replayer
        self._offset = 0

    def pending(self, payment_id: str, event_id: str | None = None) -> int:
        """Bury a Stripe payment for which the provider never had time; return the letter's number."""
        return self._tire(an_event(event_id or f"evt_{payment_id}", Kind.REQUESTED, payment_id))

    def message(self, payment_id: str) -> int:
        """Bury likewise a payment of our own form, with the very message that tells it."""
        payload = a_message(payment_id, status="pending")
        return self._tire(decode_event(payload), payload)

    def _tire(self, event: Event, payload: bytes | None = None) -> int:
        desk = self._make_desk(gateways={event.provider: FakeGateway(capture=[BUSY] * 10)})  # noqa: F811
        inbox_id = self._receive(event, payload)
        while not self._letter(inbox_id):
            process(desk, inbox_id)
            self.database.run("UPDATE inbox SET due_at = now()")
        return self._letter(inbox_id)

    def parked(self, payment_id: str) -> int:
        """Bury a PayPal payment that the provider refuses."""
        desk = self._make_desk(gateways={Provider.PAYPAL: FakeGateway(authorize=[REFUSED])})  # noqa: F811
        event = an_event(f"evt_{payment_id}", Kind.REQUESTED, payment_id, provider=Provider.PAYPAL)
        inbox_id = self._receive(event)
        process(desk, inbox_id)
        return self._letter(inbox_id)

    def undecodable(self, payload: bytes = b"no payment", *, provider: str | None = None, **told: Any) -> int:  # noqa: ANN401, F811 - any field of a record
        """Bury a record that is no event."""
        burial = Burial(reason="undecodable", failure=Undecodable("$.amount", "negative"))
        self._offset += 1
        record = a_record(payload, self._offset, **told)
        assert DeadLetters(self.database).bury([Corpse(record=record, burial=burial, provider=provider)]) == 1
        return self._one("SELECT max(id) FROM dead_letters")

    def settle(self, event: Event) -> None:
        """Let an event go well."""
        process(self._make_desk(), self._receive(event))

    def work(self) -> None:
        """Work on the latest job, as a worker does."""
        work_on_job(self._replayer, self._replayer.jobs.latest(1)[0].id)

    def state(self, letter_id: int) -> str:
        """Return the letter's state."""
        row = self.database.row("SELECT state::TEXT FROM dead_letters WHERE id = %(id)s", {"id": letter_id})
        assert row is not None
        return str(row[0])

    def set_aside(self, letter_id: int, state: str) -> None:
        """Put a letter into a state of its end, as if long ago."""
        resolution = "'settled'" if state == "resolved" else "NULL"
        self.database.run(
            f"UPDATE dead_letters SET state = '{state}', resolution = {resolution}, next_replay_at = NULL, "  # noqa: S608 - constants of tests
            "ended_at = now() - '40 days'::INTERVAL WHERE id = %(id)s",
            {"id": letter_id},
        )

    def dump(self) -> dict[str, list[str]]:
        """Return every row of every table that a verb may touch."""
        return {
            table: [row[0] for row in self.database.rows(f"SELECT t::TEXT FROM {table} AS t ORDER BY t::TEXT")]  # noqa: S608 - constants
            for table in TABLES
        }

    def _receive(self, event: Event, payload: bytes | None = None) -> int:
        self._offset += 1
        arrival = Arrival(a_record(payload or encode(event), self._offset), event)
        [call] = Inbox(self.database).receive([arrival])[1]
        return call.inbox_id

    def _letter(self, inbox_id: int) -> int:
        return self._one(f"SELECT coalesce(max(id), 0) FROM dead_letters WHERE inbox_id = {inbox_id}")  # noqa: S608 - a number

    def _one(self, statement: str) -> int:
        row = self.database.row(statement)
        assert row is not None
        return int(row[0])


@pytest.fixture
def graveyard(database: Database, make_desk: MakeDesk, replayer: ReplayDesk) -> Graveyard:  # noqa: F811 - fixtures
    return Graveyard(database, make_desk, replayer)


@pytest.fixture
def queued(redis_url: str) -> Callable[[], int]:
    """Return what counts the messages in the queue of dead letters."""

    def count() -> int:
        with redis.Redis.from_url(redis_url) as client:
            return int(client.llen("dead-letters"))  # type: ignore[arg-type]  # no coroutine

    return count
