import pytest
from confluent_kafka import KafkaError

from payments.borders.kafka import failure_of_consuming, failure_of_publishing, kind_of_kafka, worst
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

CODES = sorted(
    name for name in dir(KafkaError) if not name.startswith("__") and isinstance(getattr(KafkaError, name), int)
)
ITS_OWN_FAULT = {
    *("MSG_SIZE_TOO_LARGE", "RECORD_LIST_TOO_LARGE", "INVALID_MSG", "INVALID_RECORD"),
    *("_KEY_SERIALIZATION", "_VALUE_SERIALIZATION"),
}
THE_CLIENTS_END = {"_FATAL", "_FENCED", "PRODUCER_FENCED", "FENCED_INSTANCE_ID"}


def an_error(name: str, *, fatal: bool = False) -> KafkaError:
    return KafkaError(getattr(KafkaError, name), "broker 1 says so", fatal=fatal)


@pytest.mark.parametrize("name", CODES)
def test_a_message_is_refused_only_for_what_is_wrong_with_itself(name: str) -> None:
    kind = kind_of_kafka(an_error(name))
    assert issubclass(kind, PublishRefused) == (name in ITS_OWN_FAULT)
    assert issubclass(kind, KafkaBroken) == (name in THE_CLIENTS_END)
    assert issubclass(kind, PublishFailed) == (name not in ITS_OWN_FAULT | THE_CLIENTS_END)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("_TRANSPORT", BrokerUnavailable),
        ("_ALL_BROKERS_DOWN", BrokerUnavailable),
        ("_SSL", BrokerUnavailable),
        ("NOT_LEADER_FOR_PARTITION", BrokerUnavailable),
        ("NOT_ENOUGH_REPLICAS", BrokerUnavailable),
        ("_MSG_TIMED_OUT", BrokerTimeout),
        ("REQUEST_TIMED_OUT", BrokerTimeout),
        ("_QUEUE_FULL", LocalQueueFull),
        ("MSG_SIZE_TOO_LARGE", MessageTooLarge),
        ("UNKNOWN_TOPIC_OR_PART", UnknownTopic),
        ("_UNKNOWN_TOPIC", UnknownTopic),
        ("TOPIC_AUTHORIZATION_FAILED", KafkaUnauthorized),
        ("_AUTHENTICATION", KafkaUnauthorized),
        ("INVALID_RECORD", SchemaInvalid),
        ("INVALID_TIMESTAMP", PublishFailed),
        ("POLICY_VIOLATION", PublishFailed),
        ("_INVALID_DIFFERENT_RECORD", PublishFailed),
        ("OUT_OF_ORDER_SEQUENCE_NUMBER", PublishFailed),
    ],
)
def test_the_codes_that_we_meet_have_their_failures(name: str, kind: type[Failure]) -> None:
    failure = failure_of_publishing(an_error(name))
    assert (type(failure), failure.code, failure.message) == (kind, kind.kind, name)


def test_a_code_that_is_new_to_us_is_tried_again() -> None:
    assert kind_of_kafka(KafkaError(9999)) is PublishFailed


@pytest.mark.parametrize("name", ["INVALID_RECORD", "TOPIC_AUTHORIZATION_FAILED", "_ALL_BROKERS_DOWN"])
def test_whatever_is_fatal_ends_the_client_and_says_why(name: str) -> None:
    failure = failure_of_publishing(an_error(name, fatal=True))
    assert type(failure) is KafkaBroken
    assert "broker 1 says so" in failure.message


@pytest.mark.parametrize("name", ["UNKNOWN_TOPIC_OR_PART", "MSG_SIZE_TOO_LARGE"])
def test_a_failure_knows_which_places_were_not_confirmed(name: str) -> None:
    failure = failure_of_publishing(an_error(name), frozenset({1, 3}))
    assert isinstance(failure, PublishFailed | PublishRefused)
    assert failure.unconfirmed == {1, 3}


def test_the_worst_of_a_batch_is_what_ends_the_client_then_what_can_never_be_sent() -> None:
    batch = [an_error("_INVALID_DIFFERENT_RECORD"), an_error("INVALID_RECORD"), an_error("_MSG_TIMED_OUT")]
    assert worst(batch).name() == "INVALID_RECORD"
    assert worst([*batch, an_error("UNKNOWN", fatal=True)]).fatal()
    assert worst([an_error("_MSG_TIMED_OUT")]).name() == "_MSG_TIMED_OUT"


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("TOPIC_AUTHORIZATION_FAILED", "kafka_unauthorized"),
        ("_ALL_BROKERS_DOWN", "broker_unavailable"),
        ("_TIMED_OUT", "broker_timeout"),
        ("_MAX_POLL_EXCEEDED", "kafka_away"),
        ("INVALID_MSG", "kafka_away"),
    ],
)
def test_a_reader_that_gets_nothing_is_away_from_kafka_and_knows_why(name: str, code: str) -> None:
    failure = failure_of_consuming(an_error(name), "consume")
    assert (type(failure), failure.code, failure.operation) == (KafkaAway, code, "consume")


@pytest.mark.parametrize("name", ["FENCED_INSTANCE_ID", "_FATAL"])
def test_a_reader_whose_name_was_taken_is_broken(name: str) -> None:
    assert type(failure_of_consuming(an_error(name), "consume")) is KafkaBroken
