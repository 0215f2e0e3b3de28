"""librdkafka's mock cluster, through the C functions of the library that confluent-kafka brings (rdkafka_mock.h).

Known limits of the mock (rdkafka_mock.c): a partition keeps at most 5 MiB of batches, as compressed by their producer,
and 100,000 batches; older ones are dropped without a word, and no function raises that. More partitions and a
compressing producer hold more. Nothing survives the process. Topics appear on first use, with 4 partitions.
"""

import ctypes
from typing import Any

import confluent_kafka.cimpl

AUTOMATIC_PARTITIONS = 4
_RD_KAFKA_PRODUCER = 0
_ERROR_BYTES = 512


class MockClusterError(RuntimeError):
    """The library refused; the text is its own."""


class MockCluster:
    """A cluster of mock brokers with ids from 1, living in threads of this process until `close`."""

    def __init__(self, brokers: int = 1) -> None:
        self._library = _library()
        reason = ctypes.create_string_buffer(_ERROR_BYTES)
        self._handle = self._library.rd_kafka_new(_RD_KAFKA_PRODUCER, None, reason, _ERROR_BYTES)
        if not self._handle:
            raise MockClusterError(reason.value.decode())
        self._cluster = self._library.rd_kafka_mock_cluster_new(self._handle, brokers)
        if not self._cluster:
            raise MockClusterError("the mock cluster could not be made")
        self._replicas = brokers

    @property
    def bootstrap_servers(self) -> str:
        """`host:port`, comma separated."""
        addresses: bytes = self._library.rd_kafka_mock_cluster_bootstraps(self._cluster)
        return addresses.decode()

    def create_topic(self, name: str, partitions: int) -> None:
        """Make a topic; MockClusterError where it exists."""
        self._check(self._library.rd_kafka_mock_topic_create(self._cluster, name.encode(), partitions, self._replicas))

    def set_down(self, broker: int) -> None:
        """Close the broker's connections and refuse new ones, keeping what it holds."""
        self._check(self._library.rd_kafka_mock_broker_set_down(self._cluster, broker))

    def set_up(self, broker: int) -> None:
        """Let the broker answer again."""
        self._check(self._library.rd_kafka_mock_broker_set_up(self._cluster, broker))

    def set_topic_error(self, name: str, code: int) -> None:
        """Let the brokers say `code` of the topic, such as that it does not exist, or 0 for nothing."""
        self._library.rd_kafka_mock_topic_set_error(self._cluster, name.encode(), code)

    def close(self) -> None:
        """End the brokers; what they held is gone."""
        self._library.rd_kafka_mock_cluster_destroy(self._cluster)
        self._library.rd_kafka_destroy(self._handle)

    def _check(self, code: int) -> None:
        if code != 0:
            text: bytes = self._library.rd_kafka_err2str(code)
            raise MockClusterError(text.decode())


def _library() -> Any:  # noqa: ANN401  # functions of a C library have no Python types
    """Return librdkafka, found through the client's extension module, which is linked against it."""
    library = ctypes.CDLL(confluent_kafka.cimpl.__file__)
    pointer, text, integer, size = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_size_t
    signatures: dict[str, tuple[Any, list[Any]]] = {
        "rd_kafka_new": (pointer, [integer, pointer, text, size]),
        "rd_kafka_destroy": (None, [pointer]),
        "rd_kafka_err2str": (text, [integer]),
        "rd_kafka_mock_cluster_new": (pointer, [pointer, integer]),
        "rd_kafka_mock_cluster_destroy": (None, [pointer]),
        "rd_kafka_mock_cluster_bootstraps": (text, [pointer]),
        "rd_kafka_mock_topic_create": (integer, [pointer, text, integer, integer]),
        "rd_kafka_mock_topic_set_error": (None, [pointer, text, integer]),
        "rd_kafka_mock_broker_set_down": (integer, [pointer, ctypes.c_int32]),
        "rd_kafka_mock_broker_set_up": (integer, [pointer, ctypes.c_int32]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library
