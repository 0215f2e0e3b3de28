"""Every metric of Payferry: its name, kind, labels, and what it means.

`Source.PROCESS` is counted in each process, by what that process does. `Source.FLEET` is read by the monitor from the
ledger, Redis and Kafka, where it is true, however many processes have died meanwhile. No label holds an id, and each
has few values: providers, states, codes of the failure tree.
"""

from enum import StrEnum

import msgspec


class Kind(StrEnum):
    """What Prometheus makes of a metric."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Source(StrEnum):
    """Who knows it."""

    PROCESS = "process"
    FLEET = "fleet"


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """One metric. `buckets` are the upper bounds of a histogram, in its unit; `adds` how processes make one gauge."""

    name: str
    kind: Kind
    source: Source
    labels: tuple[str, ...] = ()
    about: str
    buckets: tuple[float, ...] = ()
    adds: str = "livesum"


def _process(name: str, kind: Kind, about: str, *labels: str, buckets: tuple[float, ...] = ()) -> Metric:
    return Metric(name=name, kind=kind, source=Source.PROCESS, labels=labels, about=about, buckets=buckets)


def _counted(name: str, about: str, *labels: str) -> Metric:
    return _process(name, Kind.COUNTER, about, *labels)


def _held(name: str, about: str, *labels: str) -> Metric:
    return _process(name, Kind.GAUGE, about, *labels)


def _timed(name: str, about: str, *labels: str, buckets: tuple[float, ...] = ()) -> Metric:
    return _process(name, Kind.HISTOGRAM, about, *labels, buckets=buckets or _SECONDS)


def _fleet(name: str, about: str, *labels: str, kind: Kind = Kind.GAUGE) -> Metric:
    return Metric(name=name, kind=kind, source=Source.FLEET, labels=labels, about=about)


_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_LONG_SECONDS = (0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)
_RECORDS = (1, 5, 10, 25, 50, 100, 250, 500, 1000)

_WORK = (
    _counted("payferry_works", "Claims of payment events that have come to an ending.", "provider", "ending"),
    _timed(
        "payferry_settlement_seconds",
        "From the intake of an event to its settlement, decline or supersession.",
        "provider",
        buckets=_LONG_SECONDS,
    ),
    _timed("payferry_work_seconds", "One claim of one event, from claim to ending.", "provider", "ending"),
    _timed("payferry_task_seconds", "One Celery task.", "task", "state"),
    _counted("payferry_errors", "Failures met at work.", "failure_type", "category", "service"),
    _counted("payferry_retries", "Attempts put off after a failure.", "provider", "failure_type"),
    _counted(
        "payferry_retry_successes",
        "Events that took effect after an earlier attempt had failed, by its failure.",
        "provider",
        "failure_type",
    ),
    _counted("payferry_waits", "Times an event had to wait for no fault of its own, by what for.", "provider", "code"),
    _counted("payferry_buried", "Events that became dead letters at work.", "provider", "reason"),
    _timed(
        "payferry_recovery_seconds",
        "From the first failure of an event to its effect, also of one that was dead meanwhile.",
        "provider",
        buckets=_LONG_SECONDS,
    ),
    _counted(
        "payferry_compensations", "Steps at providers that were taken back, by how.", "provider", "step", "result"
    ),
    _counted("payferry_swept", "What the sweeper found: claims of dead workers, lost wake-ups.", "found"),
)

_GATEWAY = (
    _timed("payferry_gateway_seconds", "One exchange with a provider.", "service", "operation", "result"),
    _counted("payferry_breaker_transitions", "Changes of a breaker that processes saw.", "breaker", "state"),
    _held("payferry_shared_state_away", "1 in each process that cannot reach the state which the fleet shares."),
)

_BRIDGE = (
    _counted("payferry_bridge_records", "Records taken from Kafka, by what became of them.", "outcome"),
    _process(
        "payferry_bridge_batch_records",
        Kind.HISTOGRAM,
        "Records of one batch.",
        buckets=_RECORDS,
    ),
    _timed(
        "payferry_bridge_delay_seconds",
        "From the time of a record to its row in the inbox, of the oldest of each batch.",
        buckets=_LONG_SECONDS,
    ),
    _held("payferry_bridge_paused", "1 while a bridge takes nothing for this reason.", "reason"),
    _held("payferry_bridge_partitions", "Partitions that are a bridge's."),
)

_RELAY = (
    _counted(
        "payferry_relay_letters",
        "Outgoing messages that were sent or refused, and tries that failed.",
        "topic",
        "result",
    ),
    _timed("payferry_relay_publish_seconds", "One batch of the outbox, from reading it to its confirmation."),
    _held("payferry_publisher_outage", "1 while a topic has taken nothing for longer than is usual.", "topic"),
)

_API = (
    _counted("payferry_api_calls", "Calls of the gRPC API that have ended.", "method", "code"),
    _timed("payferry_api_seconds", "One call that is no stream.", "method"),
    _held("payferry_api_streams", "Streams that are open."),
    _counted("payferry_api_stream_events", "Events told to streams."),
    _counted("payferry_cache_reads", "Reads of single payments, by where the answer came from.", "result"),
)

_EVERYWHERE = (
    _counted("payferry_log_events", "Log events told.", "event", "level"),
    _held("payferry_database_connections", "Connections of the processes' pools.", "state"),
    _held("payferry_database_waiting", "Who waits for a connection."),
    Metric(
        name="payferry_build_info",
        kind=Kind.GAUGE,
        source=Source.PROCESS,
        labels=("version", "python", "role"),
        about="1 for each kind of process that runs.",
        adds="livemax",
    ),
)

_LEDGER = (
    _fleet("payferry_inbox_events", "Events of the inbox.", "provider", "state"),
    _fleet(
        "payferry_events_ended",
        "Events that have ended for good: settled, declined, superseded, ignored. Counted in the ledger.",
        "provider",
        "ending",
        kind=Kind.COUNTER,
    ),
    _fleet("payferry_inbox_oldest_due_seconds", "For how long the longest overdue event has been due."),
    _fleet("payferry_outbox_messages", "Messages of the outbox: waiting, or set aside as refused.", "state"),
    _fleet("payferry_outbox_oldest_seconds", "Age of the oldest message that waits to be sent."),
    _fleet("payferry_beat_slot_age_seconds", "Since a tick of beat was last taken.", "slot"),
    _fleet("payferry_bridge_poison_pause", "1 while the bridges of the group are paused for poison."),
    _fleet("payferry_consumer_lag_records", "Records that the bridges have not committed.", "topic", "partition"),
    _fleet("payferry_queue_messages", "Messages that wait in a Celery queue.", "queue"),
    _fleet("payferry_queue_unacknowledged", "Messages that workers hold, over all queues."),
)

_DEAD_LETTERS = (
    _fleet("payferry_dead_letters", "Dead letters.", "state"),
    _fleet("payferry_dead_letters_open_by_reason", "Pending, replaying or parked.", "reason"),
    _fleet("payferry_dead_letters_open_by_service", "Pending, replaying or parked.", "service"),
    _fleet("payferry_dead_letters_open_by_provider", "Pending, replaying or parked.", "provider"),
    _fleet("payferry_dead_letters_open_by_failure_type", "Pending, replaying or parked.", "failure_type"),
    _fleet("payferry_dead_letters_open_by_category", "Pending, replaying or parked.", "category"),
    _fleet("payferry_dead_letters_critical", "Open ones that a person must look at."),
    _fleet("payferry_dead_letters_oldest_open_seconds", "Since the oldest open one failed first."),
    _fleet("payferry_dead_letters_parked_unseen_seconds", "Since the parked one that was touched longest ago was."),
    _fleet("payferry_dead_letters_mttr_seconds", "Mean time from the first failure to the resolution by a replay."),
    _fleet("payferry_dead_letters_came_in", "Buried within the window.", "window"),
    _fleet("payferry_dead_letters_went_out", "Resolved or discarded within the window.", "window"),
    _fleet(
        "payferry_dead_letters_last_processed_seconds",
        "Since a dead letter was last sent back or ended; where none ever was, since the first was buried.",
    ),
    _fleet("payferry_dead_letter_replays", "Replays that have ended, of the letters that are kept.", "result"),
    _fleet("payferry_dead_letter_replays_lately", "Replays that ended within the last hour.", "result"),
)

_RESILIENCE = (
    _fleet("payferry_breaker_state", "1 for the state that a breaker is in.", "breaker", "state"),
    _fleet(
        "payferry_breaker_calls",
        "Calls in a breaker's window: succeeded or failed, and how many were slow.",
        "breaker",
        "result",
    ),
    _fleet("payferry_breaker_openings", "Times a breaker has opened.", "breaker", kind=Kind.COUNTER),
    _fleet("payferry_retry_budget_used_ratio", "Share of the retry budget that is spent.", "provider"),
    _fleet("payferry_rate_limit_calls_per_second", "The limit that is set.", "provider"),
    _fleet("payferry_rate_limit_used_ratio", "Share of the burst that is spent.", "provider"),
)

_FLEET_ITSELF = (
    _fleet("payferry_processes", "Processes by how they are: alive, stuck, silent.", "role", "state"),
    _fleet("payferry_dependency_up", "1 while the monitor reaches it.", "dependency"),
    _fleet("payferry_health", "1 for what the monitor finds: healthy, degraded or unhealthy.", "verdict"),
    _fleet("payferry_survey_seconds", "How long the monitor's last look around took."),
)

CATALOGUE: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        *_WORK,
        *_GATEWAY,
        *_BRIDGE,
        *_RELAY,
        *_API,
        *_EVERYWHERE,
        *_LEDGER,
        *_DEAD_LETTERS,
        *_RESILIENCE,
        *_FLEET_ITSELF,
    )
}
"""By name. A counter is exposed with `_total` behind it, a histogram as `_bucket`, `_sum` and `_count`."""
