"""A ledger whose rows say of each event when it ended and when it failed."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import msgspec
import pytest

from payments.event import Kind, Provider
from payments.ledger.database import Database
from payments.ledger.inbox import Inbox
from payments.ledger.reports.reader import ReportReader
from tests.builders import an_arrival, an_event
from tests.integration.flows.dead_letters.conftest import (  # noqa: F401 - fixtures
    make_replay_desk,
    replayer,
    started,
    switchboard,
)

NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=3)
"""A round time in the past, so that a window around it is over."""

MOMENT = timedelta(microseconds=1)

Put = Callable[..., int]


def a_failure(at: datetime, kind: str = "unavailable", **told: str) -> dict[str, str]:
    """Return a line of a history."""
    where = {"code": "http_503", "service": "stripe", "operation": "capture", "message": "cannot serve now"}
    return {"kind": kind, "at": at.isoformat(), **where, **told}


@pytest.fixture
def put(database: Database) -> Put:
    """Return what puts one event there as it is told to be: its state, its end, its failures."""
    numbers = count(1)

    def one(
        state: str = "settled",
        finished_at: datetime | None = NOON,
        *failures: dict[str, str],
        provider: Provider = Provider.STRIPE,
        **told: Any,  # noqa: ANN401 - any field of an event
    ) -> int:
        number = next(numbers)
        event = an_event(f"evt_{number}", Kind.REQUESTED, f"p{number}", **(told | {"provider": provider}))
        [call] = Inbox(database).receive([an_arrival(event, number)])[1]
        database.run(
            "UPDATE inbox SET state = %(state)s::inbox_state, finished_at = %(finished_at)s, "
            "received_at = '2020-01-01', failures = %(failures)s::JSONB WHERE id = %(id)s",
            {
                "id": call.inbox_id,
                "state": state,
                "finished_at": finished_at,
                "failures": msgspec.json.encode(failures).decode(),
            },
        )
        return call.inbox_id

    return one


@pytest.fixture
def reader(database: Database) -> ReportReader:
    return ReportReader(database)
