"""Servers that a test can look into, named to the processes by their environment."""

import uuid

import pytest
import redis

from tests.acceptance.harbour import Harbour
from tests.acceptance.ledger import Ledger
from tests.integration.kafka import Brokers
from workers.embedded.postgres import Postgres
from workers.embedded.valkey import Valkey


@pytest.fixture(scope="module")
def harbour(postgres: Postgres, valkey: Valkey, brokers: Brokers, tmp_path_factory: pytest.TempPathFactory) -> Harbour:
    name = uuid.uuid4().hex[:12]
    ledger = Ledger(postgres.fresh_database(f"acceptance_{name}", template="template_payferry"))
    with redis.Redis.from_url(valkey.url) as client:
        client.flushall()
    brokers.create_topic(f"raw-{name}")
    env = {
        "DATABASE_URL": ledger.url,
        "CELERY_BROKER_URL": valkey.url,
        "KAFKA_BOOTSTRAP_SERVERS": brokers.bootstrap_servers,
        "KAFKA_TOPIC": f"raw-{name}",
        "KAFKA_GROUP_ID": f"bridge-{name}",
    }
    return Harbour(ledger, valkey.url, env, tmp_path_factory.mktemp("harbour"))
