"""The servers that a benchmark runs on."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from payments.ledger.schema import migrate
from tests.kafka_cluster import KafkaCluster
from workers.embedded.kafka_mock import KafkaMock
from workers.embedded.postgres import Postgres
from workers.embedded.valkey import Valkey

PARTITIONS = 12


@contextmanager
def kafka(topic: str) -> Iterator[tuple[str, str]]:
    """Serve Kafka with `topic`; yield its name and its bootstrap servers: Apache Kafka, or the mock without Java."""
    if shutil.which("java") and shutil.which("mvn"):
        with tempfile.TemporaryDirectory() as folder, KafkaCluster(Path(folder), brokers=1) as cluster:
            cluster.create_topic(topic, partitions=PARTITIONS)
            yield "Apache Kafka, one broker", cluster.bootstrap_servers
    else:
        with KafkaMock(partitions=PARTITIONS, topics=[topic]) as mock:
            yield "librdkafka's mock (no Java here)", mock.bootstrap_servers


@contextmanager
def ledger_and_queue(bootstrap_servers: str, topic: str) -> Iterator[dict[str, str]]:
    """Serve PostgreSQL and Valkey, and yield the environment of a process that uses all three."""
    with ExitStack() as exits:
        postgres = exits.enter_context(Postgres())
        valkey = exits.enter_context(Valkey())
        migrate(postgres.url)
        yield {
            **os.environ,
            "KAFKA_BOOTSTRAP_SERVERS": bootstrap_servers,
            "KAFKA_TOPIC": topic,
            "DATABASE_URL": postgres.url,
            "REDIS_URL": valkey.url,
        }


def run_module(name: str, *arguments: str, env: Mapping[str, str]) -> str:
    """Run a module of ours in a fresh process and return the last line that it prints."""
    command = [sys.executable, "-m", name, *arguments]
    done = subprocess.run(command, env=dict(env), stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.splitlines()[-1]
