"""librdkafka's errors, by the code that it gives them (librdkafka's rdkafka.h, and Kafka's protocol guide).

Whoever sends may set a message aside only for what is wrong with this very message. So only the few codes that say so
are PublishRefused, and every other one, known or not, is PublishFailed: tried again, loudly, with nothing lost.
"""

from collections.abc import Iterable, Mapping

from confluent_kafka import KafkaError

from payments.failures import (
    BrokerTimeout,
    BrokerUnavailable,
    Failure,
    KafkaAway,
    KafkaBroken,
    KafkaUnauthorized,
    LocalQueueFull,
    MessageTooLarge,
    PublishFailed,
    PublishRefused,
    SchemaInvalid,
    UnknownTopic,
)


def failure_of_publishing(error: KafkaError, unconfirmed: frozenset[int] | None = None) -> Failure:
    """Return what it means that a message was not confirmed. `unconfirmed` are the places of all that were not."""
    kind = kind_of_kafka(error)
    failure = kind(_words(kind, error), service="kafka", operation="produce")
    if isinstance(failure, PublishFailed | PublishRefused):
        failure.unconfirmed = unconfirmed
    return failure


def worst(errors: Iterable[KafkaError]) -> KafkaError:
    """Return the error of a batch that decides what is done next: a broken client, then a message to be set aside."""
    return min(errors, key=lambda error: _rank(kind_of_kafka(error)))


def failure_of_consuming(error: KafkaError, operation: str) -> Failure:
    """Return what it means that nothing can be read: KafkaAway with the finer name as its code, or KafkaBroken."""
    kind = kind_of_kafka(error)
    if issubclass(kind, KafkaBroken):
        return KafkaBroken(_words(kind, error), service="kafka", operation=operation)
    named = issubclass(kind, PublishFailed) and kind is not PublishFailed
    return KafkaAway(error.name(), code=kind.kind if named else None, service="kafka", operation=operation)


def kind_of_kafka(error: KafkaError) -> type[Failure]:
    """Return what the error means to whoever sends."""
    return KafkaBroken if error.fatal() else _KINDS.get(error.code(), PublishFailed)


def _words(kind: type[Failure], error: KafkaError) -> str:
    """Return the name of the error; of one that ends the client, all that librdkafka says."""
    return str(error.str()) if issubclass(kind, KafkaBroken) else str(error.name())


def _rank(kind: type[Failure]) -> int:
    return next(rank for rank, above in enumerate((KafkaBroken, PublishRefused, Failure)) if issubclass(kind, above))


def _codes(kinds: Mapping[type[Failure], str]) -> dict[int, type[Failure]]:
    return {getattr(KafkaError, name): kind for kind, names in kinds.items() for name in names.split()}


_KINDS = _codes({
    KafkaBroken: "_FATAL _FENCED PRODUCER_FENCED FENCED_INSTANCE_ID",
    MessageTooLarge: "MSG_SIZE_TOO_LARGE RECORD_LIST_TOO_LARGE",
    SchemaInvalid: "INVALID_RECORD _KEY_SERIALIZATION _VALUE_SERIALIZATION",
    PublishRefused: "INVALID_MSG",  # corrupt, or without the key that its topic wants; librdkafka has tried it again
    UnknownTopic: (
        "UNKNOWN_TOPIC_OR_PART UNKNOWN_TOPIC_ID INCONSISTENT_TOPIC_ID TOPIC_EXCEPTION _UNKNOWN_TOPIC _UNKNOWN_PARTITION"
    ),
    KafkaUnauthorized: (
        "_AUTHENTICATION SASL_AUTHENTICATION_FAILED UNSUPPORTED_SASL_MECHANISM ILLEGAL_SASL_STATE SECURITY_DISABLED "
        "TOPIC_AUTHORIZATION_FAILED GROUP_AUTHORIZATION_FAILED CLUSTER_AUTHORIZATION_FAILED "
        "TRANSACTIONAL_ID_AUTHORIZATION_FAILED DELEGATION_TOKEN_AUTHORIZATION_FAILED DELEGATION_TOKEN_AUTH_DISABLED "
        "DELEGATION_TOKEN_EXPIRED DELEGATION_TOKEN_NOT_FOUND DELEGATION_TOKEN_OWNER_MISMATCH "
        "DELEGATION_TOKEN_REQUEST_NOT_ALLOWED INVALID_PRINCIPAL_TYPE UNACCEPTABLE_CREDENTIAL"
    ),
    BrokerTimeout: "_MSG_TIMED_OUT _TIMED_OUT _TIMED_OUT_QUEUE REQUEST_TIMED_OUT",
    LocalQueueFull: "_QUEUE_FULL",
    BrokerUnavailable: (
        "_TRANSPORT _RESOLVE _SSL _FAIL _ALL_BROKERS_DOWN _ISR_INSUFF _NODE_UPDATE _WAIT_COORD _UNKNOWN_BROKER "
        "_DESTROY_BROKER NETWORK_EXCEPTION BROKER_NOT_AVAILABLE LEADER_NOT_AVAILABLE NOT_LEADER_FOR_PARTITION "
        "REPLICA_NOT_AVAILABLE NOT_ENOUGH_REPLICAS NOT_ENOUGH_REPLICAS_AFTER_APPEND COORDINATOR_LOAD_IN_PROGRESS "
        "COORDINATOR_NOT_AVAILABLE NOT_COORDINATOR NOT_CONTROLLER KAFKA_STORAGE_ERROR LOG_DIR_NOT_FOUND "
        "LISTENER_NOT_FOUND FENCED_LEADER_EPOCH UNKNOWN_LEADER_EPOCH STALE_BROKER_EPOCH STALE_CTRL_EPOCH "
        "OFFSET_NOT_AVAILABLE ELIGIBLE_LEADERS_NOT_AVAILABLE PREFERRED_LEADER_NOT_AVAILABLE REBOOTSTRAP_REQUIRED"
    ),
})  # fmt: skip
