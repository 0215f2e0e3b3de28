from collections.abc import Iterator

import pytest
from confluent_kafka.admin import AdminClient

from workers.embedded.mock_cluster import AUTOMATIC_PARTITIONS, MockCluster, MockClusterError


@pytest.fixture
def cluster() -> Iterator[MockCluster]:
    cluster = MockCluster(brokers=2)
    yield cluster
    cluster.close()


def _partitions(cluster: MockCluster, topic: str) -> int:
    admin = AdminClient({"bootstrap.servers": cluster.bootstrap_servers, "log_level": 0})
    return len(admin.list_topics(topic, timeout=10).topics[topic].partitions)


def test_every_broker_has_an_address(cluster: MockCluster) -> None:
    assert len(cluster.bootstrap_servers.split(",")) == 2


def test_a_topic_has_as_many_partitions_as_it_was_made_with(cluster: MockCluster) -> None:
    cluster.create_topic("wide", 9)
    assert _partitions(cluster, "wide") == 9


def test_a_topic_that_appears_on_first_use_has_the_automatic_number(cluster: MockCluster) -> None:
    assert _partitions(cluster, "sudden") == AUTOMATIC_PARTITIONS


def test_a_topic_cannot_be_made_twice(cluster: MockCluster) -> None:
    cluster.create_topic("once", 1)
    with pytest.raises(MockClusterError, match="already exists"):
        cluster.create_topic("once", 1)
