"""Settings of a process that reads this test's topic, and bridges with them."""

from collections.abc import Callable, Iterator

import pytest

from config.settings import Settings
from payments.ledger.database import Database
from tests.integration.kafka import Brokers
from tests.integration.streams.bridges import Bridges
from tests.integration.streams.inbound import Inbound

Configure = Callable[..., Settings]


@pytest.fixture
def configure(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory, kafka: Brokers, topic: str, group: str
) -> Configure:
    """Return the settings of a process of this test; further variables may be given."""
    monkeypatch.chdir(tmp_path_factory.mktemp("empty"))  # a developer's .env is not for tests

    def with_variables(**variables: str) -> Settings:
        whole = {
            "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
            "KAFKA_TOPIC": topic,
            "KAFKA_GROUP_ID": group,
        }
        for name, value in (whole | variables).items():
            monkeypatch.setenv(name, value)
        return Settings()

    return with_variables


@pytest.fixture
def settings(configure: Configure, database_url: str, redis_url: str) -> Settings:
    return configure(DATABASE_URL=database_url, CELERY_BROKER_URL=redis_url)


@pytest.fixture
def bridges() -> Iterator[Bridges]:
    made = Bridges()
    yield made
    made.close()


@pytest.fixture
def inbound(database: Database, database_url: str) -> Inbound:
    del database  # it is there, and stays open as long as the test
    return Inbound(database_url)
