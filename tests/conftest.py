"""Real servers for everyone: one PostgreSQL and one Valkey a run, an empty database and queue a test."""

import itertools
from collections.abc import Iterator

import pytest
import redis

from payments.ledger.database import Database, DatabasePolicy
from payments.ledger.schema import migrate
from workers.embedded.postgres import Postgres
from workers.embedded.valkey import Valkey

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with Postgres() as server:
        migrate(server.fresh_database("template_payferry"))
        yield server


@pytest.fixture
def database_url(postgres: Postgres) -> str:
    return postgres.fresh_database(f"test_{next(_numbers)}", template="template_payferry")


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database(
        database_url, DatabasePolicy(pool_size=5, connect_timeout_seconds=3, statement_timeout_ms=10_000)
    )
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def valkey() -> Iterator[Valkey]:
    with Valkey() as server:
        yield server


@pytest.fixture
def redis_url(valkey: Valkey) -> str:
    with redis.Redis.from_url(valkey.url) as client:
        client.flushall()
    return valkey.url
