"""The ledger's parts on an empty database."""

import pytest

from payments.ledger.claims import Claims
from payments.ledger.database import Database
from payments.ledger.inbox import Inbox
from payments.ledger.settlements import Settlements
from payments.ledger.sweeps import Sweeps


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> str:
    name = "own_schema" if "own_schema" in request.fixturenames else "emptied_database_url"
    return str(request.getfixturevalue(name))


@pytest.fixture
def inbox(database: Database) -> Inbox:
    return Inbox(database)


@pytest.fixture
def claims(database: Database) -> Claims:
    return Claims(database)


@pytest.fixture
def settlements(database: Database) -> Settlements:
    return Settlements(database)


@pytest.fixture
def sweeps(database: Database) -> Sweeps:
    return Sweeps(database)
