import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # psutil ships no types
import psycopg
import pytest
import redis
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient

from tests.kafka_cluster import KafkaCluster
from workers.embedded.child import ServerNotReadyError
from workers.embedded.kafka_mock import KafkaMock, KafkaMockError
from workers.embedded.port import free_port
from workers.embedded.postgres import Postgres, find_programs
from workers.embedded.tether import SUPPORTED
from workers.embedded.valkey import Valkey

PROJECT = Path(__file__).parents[2]

START_AND_STAY = """
import signal
from {module} import {name}
server = {name}()
server.start()
print(server.pid, server.directory, flush=True)
signal.pause()
"""

CONSUME = """
import sys
from confluent_kafka import Consumer
servers, topic, wanted = sys.argv[1], sys.argv[2], int(sys.argv[3])
consumer = Consumer({"bootstrap.servers": servers, "group.id": "readers", "auto.offset.reset": "earliest"})
consumer.subscribe([topic])
seen = 0
while seen < wanted:
    message = consumer.poll(1)
    if message is not None and message.error() is None:
        seen += 1
consumer.commit(asynchronous=False)
consumer.close()
print(seen)
"""


def _eventually(condition: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass in time"
        time.sleep(0.02)  # between two looks


def _gone(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with Postgres() as server:
        yield server


@pytest.fixture(scope="module")
def mock() -> Iterator[KafkaMock]:
    with KafkaMock(partitions=6, topics=("named",)) as server:
        yield server


@pytest.fixture
def shared_directory() -> Iterator[Path]:
    """A directory that PostgreSQL's account can enter, which pytest's own are not when root runs it."""
    place = Path(tempfile.gettempdir()) / f"payferry-test-{uuid.uuid4().hex}"
    yield place
    shutil.rmtree(place)


# every server


@pytest.mark.parametrize("kind", [Valkey, Postgres, KafkaMock])
def test_a_server_comes_up_and_goes_with_its_temporary_directory(kind: type[Valkey | Postgres | KafkaMock]) -> None:
    server = kind()
    server.start()
    directory, pid = server.directory, server.pid
    server.start()  # a second time does nothing
    assert server.pid == pid
    server.stop()
    server.stop()
    assert not server.running
    assert not directory.exists()


@pytest.mark.skipif(not SUPPORTED, reason="only Linux ties a process to its parent")
@pytest.mark.parametrize("kind", [Valkey, Postgres, KafkaMock])
def test_a_parent_killed_with_sigkill_leaves_no_server(kind: type[Valkey | Postgres | KafkaMock]) -> None:
    script = START_AND_STAY.format(module=kind.__module__, name=kind.__name__)
    with subprocess.Popen([sys.executable, "-c", script], cwd=PROJECT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid, directory = parent.stdout.readline().split()
        family = [int(pid), *(child.pid for child in psutil.Process(int(pid)).children(recursive=True))]
        parent.kill()
    _eventually(lambda: all(_gone(each) for each in family), seconds=5)
    shutil.rmtree(directory)  # the killed parent could not


# Valkey


def test_valkey_keeps_what_it_acknowledged_over_sigkill(tmp_path: Path) -> None:
    with Valkey(tmp_path) as server:
        with redis.Redis.from_url(server.url) as client:
            client.set("k", "v")
            _eventually(lambda: client.info("persistence")["aof_pending_bio_fsync"] == 0)
        url = server.url
        server.kill()
        server.start()
        assert server.url == url
        with redis.Redis.from_url(server.url) as client:
            assert client.get("k") == b"v"


def test_valkey_refuses_writes_rather_than_evict() -> None:
    with Valkey() as server, redis.Redis.from_url(server.url) as client:
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert client.config_get("appendfsync") == {"appendfsync": "everysec"}
        assert client.config_get("bind") == {"bind": "127.0.0.1"}


def test_a_port_that_another_server_holds_is_an_error_that_shows_the_log() -> None:
    with Valkey() as first:
        second = Valkey(port=first.port)
        with pytest.raises(ServerNotReadyError, match="in use") as caught:
            second.start()
        assert "Tried: " in str(caught.value)
        assert "REDIS_URL" in str(caught.value)
        second.stop()


def test_a_free_port_that_was_snatched_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with Valkey() as first:
        offered = iter([first.port, free_port()])
        monkeypatch.setattr("workers.embedded.server.free_port", lambda: next(offered))
        with Valkey() as second, redis.Redis.from_url(second.url) as client:
            assert second.port != first.port
            assert client.ping()


# PostgreSQL


def test_postgres_has_its_database_and_durable_settings(postgres: Postgres) -> None:
    with psycopg.connect(postgres.url) as connection:
        row = connection.execute(
            "SELECT current_database(), current_setting('fsync'), current_setting('synchronous_commit'), "
            "current_setting('listen_addresses'), current_setting('max_connections')"
        ).fetchone()
    assert row == ("payferry", "on", "on", "127.0.0.1", "200")


def test_a_fresh_database_is_empty_however_often_it_is_made(postgres: Postgres) -> None:
    for _ in range(2):
        with psycopg.connect(postgres.fresh_database("trial")) as connection:
            connection.execute("CREATE TABLE thing (id int)")


def test_a_fresh_database_can_be_a_copy_of_another(postgres: Postgres) -> None:
    with psycopg.connect(postgres.fresh_database("original")) as connection:
        connection.execute("CREATE TABLE thing AS SELECT 7 AS id")
    with psycopg.connect(postgres.fresh_database("copy", template="original")) as connection:
        assert connection.execute("SELECT id FROM thing").fetchone() == (7,)


@pytest.mark.parametrize("end", [Postgres.kill, Postgres.stop])
def test_postgres_keeps_what_it_committed_over_a_restart(
    end: Callable[[Postgres], None], shared_directory: Path
) -> None:
    with Postgres(shared_directory) as server:
        with psycopg.connect(server.url) as connection:
            connection.execute("CREATE TABLE thing AS SELECT 7 AS id")
        end(server)
        server.start()
        with psycopg.connect(server.url) as connection:
            assert connection.execute("SELECT id FROM thing").fetchone() == (7,)


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user's server runs as that user")
def test_a_directory_that_the_servers_account_cannot_enter_is_named(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    server = Postgres(closed / "here")
    with pytest.raises(ServerNotReadyError, match=r"pgserver, which may not enter /.* on the way to"):
        server.start()


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user's server runs as that user")
def test_programs_that_the_servers_account_cannot_reach_are_copied_and_their_folders_left_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = find_programs()
    for folder in (installed.parent, installed.parents[1].with_name(f"{installed.parents[1].name}.libs")):
        shutil.copytree(folder, tmp_path / "closed" / folder.relative_to(installed.parents[2]))
    (tmp_path / "closed").chmod(0o700)
    hidden = tmp_path / "closed" / installed.relative_to(installed.parents[2])
    monkeypatch.setattr("workers.embedded.postgres.find_programs", lambda: hidden)
    with Postgres() as server, psycopg.connect(server.url) as connection:
        assert psutil.Process(server.pid).exe().startswith(str(server.directory))
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert (tmp_path / "closed").stat().st_mode & 0o777 == 0o700


# the Kafka mock


def test_named_topics_have_the_partitions_asked_for_and_others_four(mock: KafkaMock) -> None:
    mock.create_topic("later", 9)
    admin = AdminClient({"bootstrap.servers": mock.bootstrap_servers})
    counts = {
        topic: len(admin.list_topics(topic, timeout=10).topics[topic].partitions) for topic in ("named", "later", "any")
    }
    assert counts == {"named": 6, "later": 9, "any": 4}


def test_a_topic_that_exists_is_not_made_again(mock: KafkaMock) -> None:
    with pytest.raises(KafkaMockError, match="already exists"):
        mock.create_topic("named", 6)


def test_a_group_in_another_process_reads_what_was_produced_here(mock: KafkaMock) -> None:
    _produce(mock.bootstrap_servers, "carried", 100)
    done = subprocess.run(
        [sys.executable, "-c", CONSUME, mock.bootstrap_servers, "carried", "100"],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert done.stdout == "100\n"


def test_a_broker_goes_down_and_comes_back_with_what_it_holds() -> None:
    with KafkaMock() as mock:
        _produce(mock.bootstrap_servers, "held", 1)
        mock.set_down()
        admin = AdminClient({"bootstrap.servers": mock.bootstrap_servers, "log_level": 0})
        with pytest.raises(KafkaException):
            admin.list_topics(timeout=0.5)
        mock.set_up()
        _produce(mock.bootstrap_servers, "held", 1)
        assert len(_read_all(mock.bootstrap_servers, "held", 2)) == 2


def test_a_mock_that_has_ended_says_so() -> None:
    with KafkaMock() as mock:
        mock.kill()
        with pytest.raises(KafkaMockError, match="has ended"):
            mock.set_down()


# the real Kafka


@pytest.mark.real_kafka
@pytest.mark.timeout(300)
@pytest.mark.skipif(
    os.environ.get("PAYFERRY_REAL_KAFKA") != "1", reason="PAYFERRY_REAL_KAFKA=1 runs this on real brokers"
)
def test_what_real_brokers_acknowledged_survives_the_death_of_one(tmp_path: Path) -> None:
    with KafkaCluster(tmp_path, brokers=3) as cluster:
        cluster.create_topic("safe", partitions=3)
        acknowledged = _produce(cluster.bootstrap_servers, "safe", 200)
        cluster.kill(1)
        acknowledged |= _produce(cluster.bootstrap_servers, "safe", 200)
        cluster.restart(1)
        cluster.kill(2)
        acknowledged |= _produce(cluster.bootstrap_servers, "safe", 200)
        assert len(acknowledged) == 600
        assert _read_all(cluster.bootstrap_servers, "safe", 600) == acknowledged
        cluster.restart(2)


def _produce(servers: str, topic: str, count: int) -> set[bytes]:
    """Produce that many distinct records and return those that were acknowledged by every replica in sync."""
    acknowledged: set[bytes] = set()
    producer = Producer({"bootstrap.servers": servers, "acks": "all", "enable.idempotence": True, "log_level": 0})
    for _ in range(count):
        value = uuid.uuid4().bytes

        def keep(error: KafkaError | None, _message: object, value: bytes = value) -> None:
            if error is None:
                acknowledged.add(value)

        producer.produce(topic, value, on_delivery=keep)
    assert producer.flush(60) == 0
    return acknowledged


def _read_all(servers: str, topic: str, wanted: int) -> set[bytes]:
    group = {"group.id": uuid.uuid4().hex, "auto.offset.reset": "earliest", "log_level": 0}
    consumer = Consumer({"bootstrap.servers": servers, **group})
    consumer.subscribe([topic])
    values: set[bytes] = set()
    deadline = time.monotonic() + 60
    while len(values) < wanted and time.monotonic() < deadline:
        values |= {bytes(message.value() or b"") for message in consumer.consume(500, 0.5) if message.error() is None}
    consumer.close()
    return values


def test_sigterm_to_the_mock_ends_it_in_good_order() -> None:
    with KafkaMock() as mock:
        os.kill(mock.pid, signal.SIGTERM)
        _eventually(lambda: not mock.running)
