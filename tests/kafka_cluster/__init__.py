"""A real Apache Kafka for tests: brokers in KRaft mode, from Maven's jars, without Docker."""

from tests.kafka_cluster.cluster import KafkaCluster
from tests.kafka_cluster.jars import DEFAULT_CACHE, JarsMissingError, resolve_jars

__all__ = ["DEFAULT_CACHE", "JarsMissingError", "KafkaCluster", "resolve_jars"]
