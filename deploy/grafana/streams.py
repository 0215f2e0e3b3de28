"""What goes in and out beside the work itself: bridges, relays, the API, tasks, and each process' own figures."""

from deploy.grafana.dashboard import Dashboard, Row
from deploy.grafana.panel import Query, lines
from deploy.grafana.promql import fleet, high, quantiles, rate, total

_API = Row(
    "API",
    (
        lines(
            "Calls",
            "Ended a second.",
            Query(rate("payferry_api_calls_total", "method", "code"), "{{method}} {{code}}"),
            unit="ops",
        ),
        lines(
            "Time of a call",
            "95th percentile, of those that are no streams.",
            high("payferry_api_seconds", "method"),
            unit="s",
        ),
        lines("Open streams", "At all API processes together.", Query(total("payferry_api_streams"), "streams")),
        lines(
            "Told to streams", "Events a second.", Query(rate("payferry_api_stream_events_total"), "events"), unit="ops"
        ),
        lines(
            "Reads of payments",
            "By where the answer came from.",
            Query(rate("payferry_cache_reads_total", "result"), "{{result}}"),
            unit="ops",
        ),
    ),
)

_KAFKA = Row(
    "Kafka",
    (
        lines(
            "Records taken",
            "By what became of them, a second.",
            Query(rate("payferry_bridge_records_total", "outcome"), "{{outcome}}"),
            unit="ops",
        ),
        lines("Records of a batch", "How large batches are.", *quantiles("payferry_bridge_batch_records")),
        lines("Partitions", "That bridges have.", Query(total("payferry_bridge_partitions"), "partitions")),
        lines(
            "Messages sent",
            "By topic and result, a second.",
            Query(rate("payferry_relay_letters_total", "topic", "result"), "{{topic}} {{result}}"),
            unit="ops",
        ),
        lines(
            "Time to publish",
            "From reading a batch to its confirmation.",
            *quantiles("payferry_relay_publish_seconds"),
            unit="s",
        ),
        lines(
            "Topics that take nothing",
            "1 while it lasts.",
            Query("max by (topic) (payferry_publisher_outage)", "{{topic}}"),
        ),
    ),
)

_WORK = Row(
    "Work",
    (
        lines("Tasks", "95th percentile of one Celery task.", high("payferry_task_seconds", "task", "state"), unit="s"),
        lines(
            "Work on one event",
            "95th percentile, from claim to ending.",
            high("payferry_work_seconds", "provider", "ending"),
            unit="s",
        ),
        lines(
            "Calls in the windows of breakers",
            "By how they went.",
            Query(fleet("payferry_breaker_calls", "breaker", "result"), "{{breaker}} {{result}}"),
        ),
        lines(
            "Openings of breakers",
            "As Redis counts them.",
            Query("max by (breaker) (increase(payferry_breaker_openings_total[$__rate_interval]))", "{{breaker}}"),
        ),
    ),
)

_WARNINGS = rate("payferry_log_events_total", "event", selected='{level!~"debug|info"}')

_PROCESSES = Row(
    "Processes",
    (
        lines(
            "Log events",
            "A second; the level says how bad.",
            Query(rate("payferry_log_events_total", "level"), "{{level}}"),
            unit="ops",
        ),
        lines(
            "What warnings are about",
            "The ten that are told most often.",
            Query(f"topk(10, {_WARNINGS})", "{{event}}"),
            unit="ops",
        ),
        lines(
            "Connections to PostgreSQL",
            "Of all pools; and who waits for one.",
            Query(total("payferry_database_connections", "state"), "{{state}}"),
            Query(total("payferry_database_waiting"), "waiting"),
        ),
        lines(
            "Versions",
            "What runs.",
            Query("max by (role, version, python) (payferry_build_info)", "{{role}} {{version}} on Python {{python}}"),
        ),
        lines(
            "A look of the monitor", "How long it takes.", Query(fleet("payferry_survey_seconds"), "survey"), unit="s"
        ),
    ),
)

STREAMS = Dashboard("payferry-streams", "Payferry: API and streams", (_API, _KAFKA, _WORK, _PROCESSES))
