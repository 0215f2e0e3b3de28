"""The table of failures: everything that can come from outside, how it is staged, and what it must be called.

Every stage is the real thing as far as it can be had on one machine: sockets, TLS, PostgreSQL, Valkey, a mock Kafka,
and providers' bodies over HTTP. `MADE_BY_US` are the types that no other program can cause alone, each with its reason.
"""

import errno
from typing import NamedTuple

from billiard.exceptions import SoftTimeLimitExceeded, Terminated, TimeLimitExceeded, WorkerLostError

from payments.event import Provider
from tests.failure_stages import database, machine, messaging, network
from tests.failure_stages.network import Staged
from tests.failure_stages.providers import answers, canonical, declines, paypal, razorpay, stripe, undecided_at_stripe


class FailureCase(NamedTuple):
    """What happens, the kind of failure that it must become, and how it is brought about."""

    name: str
    kind: str
    happens: Staged
    code: str | None = None
    """What the failure's code must be; None: its kind."""


NETWORK = [
    FailureCase("nobody listens", "connection_refused", network.refused),
    FailureCase("a name without an address", "dns_failed", network.at("http://provider.invalid/")),
    FailureCase("an address without a way", "network_unreachable", network.at("http://224.0.0.1/")),
    FailureCase("a handshake that is never answered", "connect_timeout", network.on(network.says_nothing, "https")),
    FailureCase("a handshake that is reset", "connection_aborted", network.on(network.resets, "https")),
    FailureCase("a handshake that is hung up on", "connection_aborted", network.on(network.hangs_up, "https")),
    FailureCase("a certificate that nobody signed", "tls_failed", network.self_signed),
    FailureCase("no TLS at all", "tls_failed", network.on(network.says(b"HTTP/1.1 200 OK\r\n\r\n"), "https")),
    FailureCase("no connection left", "pool_exhausted", network.pool_exhausted),
    FailureCase("a header that cannot be sent", "bad_request", network.unsendable, "unsendable"),
    FailureCase("no answer", "answer_timeout", network.on(network.says_nothing)),
    FailureCase("a reset after the request", "connection_reset", network.on(network.resets)),
    FailureCase("hung up after the request", "connection_reset", network.on(network.hangs_up)),
    FailureCase(
        "half an answer", "connection_reset", network.on(network.says(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"))
    ),
    FailureCase("an answer that is no HTTP", "connection_reset", network.on(network.says(b"220 mail ready\r\n"))),
    FailureCase(
        "a huge answer",
        "answer_unreadable",
        network.on(network.says(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 2000)),
        "answer_too_large",
    ),
    FailureCase(
        "a question without an answer", "unanswered", network.on(network.says_nothing, method="GET"), "answer_timeout"
    ),
    FailureCase("a question that is reset", "unanswered", network.on(network.resets, method="GET"), "connection_reset"),
]

STATUSES = [
    FailureCase(f"status {status}", kind, answers(Provider.STRIPE, status, "<html>"), f"http_{status}")
    for status, kind in (
        (303, "refused"),
        (400, "bad_request"),
        (401, "unauthorized"),
        (403, "forbidden"),
        (404, "not_found"),
        (408, "service_unavailable"),
        (409, "conflict"),
        (422, "validation_failed"),
        (424, "server_error"),
        (425, "conflict"),
        (429, "rate_limited"),
        (500, "server_error"),
        (502, "server_error"),
        (503, "service_unavailable"),
        (504, "gateway_timeout"),
        (599, "server_error"),
    )
]

STRIPE = [
    FailureCase(f"Stripe: {status} {code or error}", kind, stripe(status, error, code), code or error)
    for status, error, code, kind in (
        (500, "api_error", None, "server_error"),
        (400, "idempotency_error", None, "duplicate_request"),
        (409, "idempotency_error", "idempotency_key_in_use", "conflict"),
        (429, "invalid_request_error", "lock_timeout", "conflict"),
        (429, "invalid_request_error", "rate_limit", "rate_limited"),
        (400, "invalid_request_error", "resource_missing", "not_found"),
        (400, "invalid_request_error", "parameter_missing", "bad_request"),
    )
]

RAZORPAY = [
    FailureCase(f"Razorpay: {status} {reason or code}", kind, razorpay(status, code, reason), reason or code)
    for status, code, reason, kind in (
        (400, "BAD_REQUEST_ERROR", None, "bad_request"),
        (400, "GATEWAY_ERROR", None, "server_error"),
        (502, "GATEWAY_ERROR", None, "server_error"),
        (500, "SERVER_ERROR", None, "server_error"),
        (400, "GATEWAY_ERROR", "bank_technical_error", "server_error"),
    )
]

PAYPAL = [
    FailureCase(f"PayPal: {status} {issue or name}", kind, paypal(status, name, issue), issue or name)
    for status, name, issue, kind in (
        (500, "INTERNAL_SERVER_ERROR", None, "server_error"),
        (401, "AUTHENTICATION_FAILURE", None, "unauthorized"),
        (403, "NOT_AUTHORIZED", None, "forbidden"),
        (422, "UNPROCESSABLE_ENTITY", "PERMISSION_DENIED", "forbidden"),
        (404, "RESOURCE_NOT_FOUND", "INVALID_RESOURCE_ID", "not_found"),
        (429, "RATE_LIMIT_REACHED", None, "rate_limited"),
        (422, "UNPROCESSABLE_ENTITY", "DUPLICATE_INVOICE_ID", "duplicate_request"),
        (409, "DUPLICATE_REQUEST_ID", None, "duplicate_request"),
        (422, "UNPROCESSABLE_ENTITY", "PREVIOUS_REQUEST_IN_PROGRESS", "conflict"),
        (422, "UNPROCESSABLE_ENTITY", "AMOUNT_MISMATCH", "validation_failed"),
    )
]

CANONICAL = [
    FailureCase(f"canonical: {status} {code}", kind, canonical(status, code), code)
    for status, code, kind in ((422, "idempotency_key_reused", "duplicate_request"), (409, "in_use", "conflict"))
]

DECLINES = [
    FailureCase(f"{provider}: declined for {code}", kind, declines(provider, code), code)
    for provider, code, kind in (
        (Provider.STRIPE, "do_not_honor", "card_declined"),
        (Provider.STRIPE, "try_again_later", "card_declined"),
        (Provider.STRIPE, "insufficient_funds", "insufficient_funds"),
        (Provider.RAZORPAY, "payment_declined", "card_declined"),
        (Provider.RAZORPAY, "insufficient_funds", "insufficient_funds"),
        (Provider.PAYPAL, "INSTRUMENT_DECLINED", "card_declined"),
        (Provider.CANONICAL, "expired_card", "card_declined"),
        (Provider.CANONICAL, "insufficient_funds", "insufficient_funds"),
    )
]

SUCCESSES = [
    FailureCase("a success in HTML", "answer_unreadable", answers(Provider.STRIPE, 200, "<html>"), "unreadable_answer"),
    FailureCase("Stripe has not decided", "undecided", undecided_at_stripe, "processing"),
]

DATABASE = [
    FailureCase("PostgreSQL is not there", "database_away", database.nobody_there),
    FailureCase("ended by an operator", "database_away", database.ended_by_an_operator, "sqlstate_57P01"),
    FailureCase("a deadlock", "deadlock", database.deadlock, "sqlstate_40P01"),
    FailureCase("changed meanwhile", "serialization_failure", database.serialization_failure, "sqlstate_40001"),
    FailureCase("locked", "write_conflict", database.locked, "sqlstate_55P03"),
    FailureCase("NUL in a text", "data_refused", database.a_text_that_cannot_be),
]

SQL = [
    FailureCase(f"SQLSTATE {state}", kind, database.says(*statements), f"sqlstate_{state}")
    for state, kind, *statements in (
        ("57014", "database_away", "SELECT pg_sleep(5)"),
        ("25006", "database_away", "SET TRANSACTION READ ONLY", "DELETE FROM outbox"),
        ("23514", "constraint_violation", "CREATE TABLE t (n INT CHECK (n < 3))", "INSERT INTO t VALUES (4)"),
        ("22003", "data_refused", "SELECT 99999999999::INT"),
        ("54000", "data_refused", "CREATE TABLE t (k TEXT UNIQUE)", database.A_KEY_TOO_LONG),
        ("42601", "statement_refused", "SELEC 1"),
        ("42501", "statement_refused", "CREATE ROLE nobody_here", "SET LOCAL ROLE nobody_here", "TABLE inbox"),
        ("42P01", "schema_mismatch", "SELECT * FROM payments_of_tomorrow"),
        ("42703", "schema_mismatch", "SELECT tomorrow FROM inbox"),
        ("53100", "disk_full", "DO $$ BEGIN RAISE SQLSTATE '53100'; END $$"),
        ("53200", "out_of_memory", "DO $$ BEGIN RAISE SQLSTATE '53200'; END $$"),
        ("XX000", "unexpected", "DO $$ BEGIN RAISE SQLSTATE 'XX000'; END $$"),
    )
]

MESSAGING = [
    FailureCase("a message too large", "message_too_large", messaging.too_large),
    FailureCase("no confirmation", "broker_timeout", messaging.not_confirmed),
    FailureCase("no brokers to read from", "kafka_away", messaging.kafka_away, "broker_unavailable"),
    FailureCase("no leader", "broker_unavailable", messaging.kafka_says("LEADER_NOT_AVAILABLE")),
    FailureCase("no broker", "broker_unavailable", messaging.kafka_says("_ALL_BROKERS_DOWN")),
    FailureCase("the client's queue is full", "local_queue_full", messaging.kafka_says("_QUEUE_FULL")),
    FailureCase("no such topic", "unknown_topic", messaging.kafka_says("UNKNOWN_TOPIC_OR_PART")),
    FailureCase("no right to the topic", "kafka_unauthorized", messaging.kafka_says("TOPIC_AUTHORIZATION_FAILED")),
    FailureCase("a login that is refused", "kafka_unauthorized", messaging.kafka_says("SASL_AUTHENTICATION_FAILED")),
    FailureCase("a record of the wrong form", "schema_invalid", messaging.kafka_says("INVALID_RECORD")),
    FailureCase("a corrupt message", "publish_refused", messaging.kafka_says("INVALID_MSG")),
    FailureCase("another with its name", "kafka_broken", messaging.kafka_says("INVALID_PRODUCER_EPOCH", fatal=True)),
    FailureCase("something new", "publish_failed", messaging.kafka_says("UNKNOWN")),
    FailureCase("Redis is not there", "queue_away", messaging.redis_away),
    FailureCase("Redis is full", "queue_away", messaging.redis_full, "out_of_memory"),
    FailureCase("Redis is a replica", "queue_away", messaging.redis_read_only, "queue_read_only"),
    FailureCase("Redis wants a password", "queue_away", messaging.redis_locked, "queue_unauthorized"),
    FailureCase("a record that is no event", "undecodable", messaging.no_event),
]

MACHINE = [
    FailureCase("a full disk", "disk_full", machine.raised_by(machine.fill_the_disk)),
    FailureCase("no memory", "out_of_memory", machine.raised_by(machine.want_too_much_memory)),
    FailureCase("no handles", "machine_fault", machine.raising(OSError(errno.EMFILE, "…")), "emfile"),
    FailureCase("the soft time limit", "time_limit_reached", machine.raising(SoftTimeLimitExceeded())),
    FailureCase("the hard time limit", "process_crashed", machine.raising(TimeLimitExceeded(9))),
    FailureCase("a worker that was killed", "process_crashed", machine.raising(WorkerLostError("signal 9"))),
    FailureCase("a task that was revoked", "process_crashed", machine.raising(Terminated(15))),
    FailureCase("a bug", "unexpected", machine.raised_by(lambda: {}[1])),
    FailureCase("gRPC: cancelled", "outcome_unknown", machine.grpc("CANCELLED"), "grpc_cancelled"),
    FailureCase("gRPC: aborted", "conflict", machine.grpc("ABORTED"), "grpc_aborted"),
]

FAILURE_CASES: list[FailureCase] = [
    *(*NETWORK, *STATUSES, *STRIPE, *RAZORPAY, *PAYPAL, *CANONICAL, *DECLINES, *SUCCESSES),
    *(*DATABASE, *SQL, *MESSAGING, *MACHINE),
]

MADE_BY_US: dict[str, str] = {
    "failure": "a branch of the tree",
    "transient": "a branch of the tree",
    "unreachable": "a branch; also a socket's error that is not in our table",
    "unavailable": "a branch of the tree",
    "postponed": "a branch of the tree",
    "unknown": "a branch of the tree",
    "permanent": "a branch of the tree",
    "declined": "a branch of the tree",
    "rate_exceeded": "our own limiter",
    "circuit_open": "our own breaker",
    "budget_spent": "our own retry budget",
    "rule_broken": "our own rules (lifecycle)",
    "out_of_order": "our own rules (lifecycle), after a wait in vain",
    "captured_other_amount": "our own comparison of an answer with what was asked for",
    "attempts_spent": "our own count",
    "compensation_failed": "our own saga",
    "offset_lost": "our own comparison of offsets (tests/integration/streams/test_consumer.py)",
    "configuration_error": "our own check of the settings",
}
