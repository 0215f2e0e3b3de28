"""The table of answers: for every kind of failure the first delay, how many tries in all, and the end.

The figures are those of config/policies.toml, written down a second time on purpose.
"""

from typing import NamedTuple


class Told(NamedTuple):
    """What becomes of an event whose every try ends with this failure.

    `first` is `retry`, `wait` or `bury`; the delay after it lies between `least_seconds` and `most_seconds`. After
    `tries` it ends as a dead letter with the reason `end`, where `code` is the failure's own; None: it waits on.
    """

    first: str
    least_seconds: float = 0.0
    most_seconds: float = 0.0
    tries: int = 1
    end: str | None = "code"


PAUSE_SECONDS = 7.0
"""What each failure that asks for a pause asks for."""

_TRANSIENT = Told("retry", 0.5, 1.0, tries=4)
_QUICK = Told("retry", 0.025, 0.05, tries=4)
_UNFORESEEN = Told("retry", 0.5, 1.0, tries=3)
_WAITS = Told("wait", PAUSE_SECONDS + 0.25, PAUSE_SECONDS + 0.5, end=None)
_BURIED = Told("bury")

ANSWERS: dict[str, Told] = {
    **dict.fromkeys(
        (
            *("transient", "unreachable", "connect_timeout", "connection_refused", "connection_aborted", "dns_failed"),
            *("network_unreachable", "tls_failed", "pool_exhausted"),
            *("unavailable", "service_unavailable", "conflict", "unanswered"),
            *("database_away", "queue_away", "kafka_away"),
            *("publish_failed", "broker_unavailable", "broker_timeout", "local_queue_full", "unknown_topic"),
            "kafka_unauthorized",
            *("machine_fault", "out_of_memory", "disk_full", "process_crashed"),
            *("outcome_unknown", "answer_timeout", "connection_reset", "gateway_timeout", "server_error"),
            *("answer_unreadable", "undecided", "time_limit_reached"),
        ),
        _TRANSIENT,
    ),
    **dict.fromkeys(("write_conflict", "deadlock", "serialization_failure"), _QUICK),
    **dict.fromkeys(("unknown", "unexpected"), _UNFORESEEN),
    **dict.fromkeys(("postponed", "rate_exceeded", "budget_spent"), _WAITS),
    "rate_limited": Told("wait", PAUSE_SECONDS + 1.0, PAUSE_SECONDS + 2.0, end=None),
    "circuit_open": Told("wait", PAUSE_SECONDS + 0.25, PAUSE_SECONDS + 30.5, end=None),
    **dict.fromkeys(
        (
            *("failure", "permanent", "undecodable", "refused", "bad_request", "unauthorized", "forbidden"),
            *("not_found", "validation_failed", "duplicate_request", "declined", "card_declined"),
            *("insufficient_funds", "rule_broken", "attempts_spent", "data_refused", "constraint_violation"),
            *("statement_refused", "schema_mismatch", "publish_refused", "message_too_large", "schema_invalid"),
            *("kafka_broken", "offset_lost", "configuration_error"),
        ),
        _BURIED,
    ),
    **dict.fromkeys(("out_of_order", "compensation_failed"), _BURIED),
    "captured_other_amount": Told("bury", end="manual_review"),
}
