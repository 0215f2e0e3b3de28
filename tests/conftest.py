"""Real servers for everyone: one PostgreSQL, Valkey and Kafka a run, an empty database, queue and topic a test."""

import itertools
import os
import signal
import uuid
from collections.abc import Generator, Iterator

import psycopg
import pytest
import redis
from psycopg import sql

from payments.ledger.database import Database, DatabasePolicy
from payments.ledger.schema import migrate
from tests.expected_skips import is_expected
from tests.integration.kafka import Brokers
from workers.embedded.kafka_mock import KafkaMock
from workers.embedded.postgres import Postgres
from workers.embedded.valkey import Valkey

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with Postgres() as server:
        migrate(server.fresh_database("template_payferry"))
        yield server
        os.kill(server.pid, signal.SIGQUIT)  # at once: nothing in it is worth the long checkpoint of a shutdown


@pytest.fixture
def database_url(postgres: Postgres) -> str:
    return postgres.fresh_database(f"test_{next(_numbers)}", template="template_payferry")


@pytest.fixture(scope="session")
def _shared_database_url(postgres: Postgres) -> str:
    return postgres.fresh_database("shared", template="template_payferry")


@pytest.fixture
def emptied_database_url(_shared_database_url: str) -> str:
    """The database that the tests before have used, without their rows: ready much sooner than a new one."""
    with psycopg.connect(_shared_database_url) as connection:
        tables = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
        )
        names = sql.SQL(", ").join(sql.Identifier(*row) for row in tables)
        connection.execute(sql.SQL("TRUNCATE {} RESTART IDENTITY").format(names))
    return _shared_database_url


@pytest.fixture
def own_schema(postgres: Postgres) -> str:
    """A new database, for a test that changes its schema."""
    return postgres.fresh_database(f"test_{next(_numbers)}", template="template_payferry")


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database(database_url, DatabasePolicy(pool_size=5, connect_timeout_seconds=3, statement_timeout_ms=10_000))
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


@pytest.fixture(scope="session")
def brokers() -> Iterator[Brokers]:
    """The cluster that the environment names, otherwise one mock for the whole run."""
    named = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
    if named:
        yield Brokers(named)
        return
    with KafkaMock() as mock:
        yield Brokers(mock.bootstrap_servers, mock)


@pytest.fixture(scope="session")
def kafka_bootstrap(brokers: Brokers) -> str:
    return brokers.bootstrap_servers


@pytest.fixture
def kafka(brokers: Brokers, request: pytest.FixtureRequest) -> Brokers:
    """The Kafka of this run; a test marked real_kafka(reason) is skipped where it is the mock."""
    marker = request.node.get_closest_marker("real_kafka")
    if marker is not None and not brokers.real:
        pytest.skip(f"only real brokers can show it (make test-kafka): {marker.kwargs['reason']}")
    return brokers


@pytest.fixture
def topic(kafka: Brokers) -> str:
    """A topic of this test's own, with 4 partitions."""
    name = f"payments-{uuid.uuid4().hex[:12]}"
    kafka.create_topic(name)
    return name


@pytest.fixture
def group() -> str:
    """A consumer group of this test's own."""
    return f"group-{uuid.uuid4().hex[:12]}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of real processes have the machine to themselves: they measure, or start as many as it bears."""
    for item in items:
        if "acceptance" in item.path.parts:
            item.add_marker(pytest.mark.alone)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI a skip that this run should not have is a failure, so that nothing stops being tested unnoticed."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("CI") and not is_expected(report):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI, where it should have run: {report.longrepr}"
    return report
