"""Several brokers together."""

import base64
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from tests.kafka_cluster.broker import Broker, Node
from tests.kafka_cluster.jars import DEFAULT_CACHE, resolve_jars
from workers.embedded.child import ServerNotReadyError
from workers.embedded.port import LOOPBACK, free_port

_FORMED_SECONDS = 90
_TOPIC_SECONDS = 30
_POLL_SECONDS = 0.2
PARTITIONS = 4


class KafkaCluster:
    """One to three brokers of Apache Kafka, each a controller too, as child processes that die with their parent.

    Start it from a thread that lives as long as the cluster should. With three brokers a topic has three replicas of
    which two must have a record before it is acknowledged (acks=all), so one broker may be lost.
    """

    def __init__(self, directory: Path, brokers: int = 1, *, cache: Path = DEFAULT_CACHE) -> None:
        self._directory = directory
        self._count = brokers
        self._cache = cache
        self._brokers: dict[int, Broker] = {}

    @property
    def bootstrap_servers(self) -> str:
        """`host:port` of every broker, comma separated."""
        return ",".join(broker.node.address for broker in self._brokers.values())

    def start(self) -> None:
        """Format and start every broker, and wait until they have found together."""
        jars = resolve_jars(self._cache)
        try:
            self._start(jars)
        except ServerNotReadyError:
            self.shut_down()
            self._start(jars)  # once more, on other ports: another process may have taken one that we found free

    def shut_down(self) -> None:
        """End every broker at once; together they cannot hand over to each other anyway."""
        for broker in self._brokers.values():
            if broker.running:
                broker.kill()

    def kill(self, broker: int) -> None:
        """End a broker, counted from 1, with SIGKILL."""
        self._brokers[broker].kill()

    def stop(self, broker: int) -> None:
        """Let a broker hand over its partitions and go."""
        self._brokers[broker].stop()

    def restart(self, broker: int) -> None:
        """Bring a broker back on what it holds, and wait until the cluster is whole."""
        self._brokers[broker].stop()
        self._brokers[broker].start()
        self._brokers[broker].wait_ready()
        self._wait_formed()

    def pid(self, broker: int) -> int:
        """Return the process id of a broker."""
        return self._brokers[broker].pid

    def create_topic(self, name: str, partitions: int = PARTITIONS, replication: int | None = None) -> None:
        """Make a topic, on every broker unless told otherwise, and wait until each partition has a leader."""
        topic = NewTopic(name, partitions, replication or self._count)
        admin = self._admin()
        admin.create_topics([topic])[name].result(_TOPIC_SECONDS)
        self._wait(lambda: _has_leaders(admin, name), f"topic {name} has no leaders")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shut_down()

    def _start(self, jars: Path) -> None:
        nodes = [Node(number, free_port(), free_port()) for number in range(1, self._count + 1)]
        run = self._directory / uuid.uuid4().hex[:8]
        self._brokers = {
            node.number: Broker(node, settings(node, nodes), folder=run / f"broker-{node.number}", jars=jars)
            for node in nodes
        }
        cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        for broker in self._brokers.values():
            broker.format(cluster_id)
        for broker in self._brokers.values():
            broker.start()
        for broker in self._brokers.values():
            broker.wait_ready()
        self._wait_formed()

    def _wait_formed(self) -> None:
        admin = self._admin()
        running = sum(broker.running for broker in self._brokers.values())
        self._wait(lambda: _members(admin) >= running, "the brokers have not found together")

    def _wait(self, done: Callable[[], bool], otherwise: str) -> None:
        deadline = time.monotonic() + _FORMED_SECONDS
        while not done():
            if time.monotonic() > deadline:
                raise ServerNotReadyError(f"{otherwise} after {_FORMED_SECONDS} s; the logs are in {self._directory}")
            time.sleep(_POLL_SECONDS)

    def _admin(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self.bootstrap_servers, "log_level": 0})


def settings(node: Node, nodes: Sequence[Node]) -> dict[str, str]:
    """Return the properties of one broker among `nodes`."""
    replicas = str(len(nodes))
    in_sync = str(min(2, len(nodes)))
    return {
        "process.roles": "broker,controller",
        "node.id": str(node.number),
        "controller.quorum.voters": ",".join(each.voter for each in nodes),
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://{node.address},CONTROLLER://{LOOPBACK}:{node.controller_port}",
        "advertised.listeners": f"PLAINTEXT://{node.address}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "PLAINTEXT",
        "auto.create.topics.enable": "true",
        "num.partitions": str(PARTITIONS),
        "default.replication.factor": replicas,
        "min.insync.replicas": in_sync,
        "offsets.topic.replication.factor": replicas,
        "offsets.topic.num.partitions": "4",  # 50 by default, each a folder with files on every broker
        "transaction.state.log.replication.factor": replicas,
        "transaction.state.log.min.isr": in_sync,
        "transaction.state.log.num.partitions": "4",
        "share.coordinator.state.topic.replication.factor": replicas,
        "share.coordinator.state.topic.min.isr": in_sync,
        "group.initial.rebalance.delay.ms": "0",
        "broker.session.timeout.ms": "4000",  # so that a killed broker is missed after 4 s, not 9 s
        "broker.heartbeat.interval.ms": "500",
    }


def _members(admin: AdminClient) -> int:
    try:
        return len(admin.list_topics(timeout=2).brokers)
    except KafkaException:
        return 0


def _has_leaders(admin: AdminClient, topic: str) -> bool:
    partitions = admin.list_topics(topic, timeout=5).topics[topic].partitions
    return bool(partitions) and all(partition.leader > 0 for partition in partitions.values())
