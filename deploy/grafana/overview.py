"""Payferry at a glance: do payments flow, what is stuck, and why."""

from deploy.grafana.dashboard import Dashboard, Row
from deploy.grafana.panel import Panel, Query, figure, lines
from deploy.grafana.promql import fleet, high, quantiles, rate, share, total

_OPEN = '{state=~"pending|replaying|parked"}'
_UNFINISHED = '{state!~"settled|declined|ignored|superseded|dead"}'
_ENDED = "sum(max by (provider, ending) (rate(payferry_events_ended_total[$__rate_interval])))"

_NOW = Row(
    "Now",
    (
        Panel(
            title="Health",
            about="What the monitor finds. Its /health says why.",
            queries=(
                Query(
                    '2 * (max(payferry_health{verdict="unhealthy"}) or vector(0))'
                    ' + (max(payferry_health{verdict="degraded"}) or vector(0)) and on () max(payferry_health)'
                ),
            ),
            kind="stat",
            words=("healthy", "degraded", "unhealthy"),
            width=3,
            height=4,
        ),
        figure("Alerts", "How many fire now.", 'count(ALERTS{alertstate="firing"}) or vector(0)', 1, 3),
        figure("Ended a second", "Settled, declined, superseded or ignored.", _ENDED),
        figure(
            "Oldest due", "How long it has been due.", fleet("payferry_inbox_oldest_due_seconds"), 60, 300, unit="s"
        ),
        figure(
            "Lag now",
            "Records in Kafka that no bridge has taken.",
            "sum(max by (topic, partition) (payferry_consumer_lag_records))",
            1000,
            10000,
        ),
        figure(
            "Open dead letters",
            "Pending, on their way, or parked.",
            f"sum(max by (state) (payferry_dead_letters{_OPEN}))",
            100,
            1000,
        ),
        figure(
            "Oldest outgoing", "Age of the oldest message.", fleet("payferry_outbox_oldest_seconds"), 60, 300, unit="s"
        ),
        figure(
            "Last sweep",
            "Since beat's last tick was taken.",
            fleet("payferry_beat_slot_age_seconds", selected='{slot="sweep"}'),
            10,
            60,
            unit="s",
        ),
    ),
)

_FLOW = Row(
    "Flow",
    (
        lines(
            "Throughput",
            "Events that ended, a second, as the ledger counts them.",
            Query(
                "sum by (ending) (max by (provider, ending) (rate(payferry_events_ended_total[$__rate_interval])))",
                "{{ending}}",
            ),
            unit="ops",
        ),
        lines(
            "Intake to settled",
            "From the intake of an event to its end.",
            *quantiles("payferry_settlement_seconds"),
            unit="s",
        ),
        lines(
            "Kafka to inbox", "The oldest record of each batch.", *quantiles("payferry_bridge_delay_seconds"), unit="s"
        ),
        lines(
            "Inbox",
            "Unfinished events by state.",
            Query(
                f"sum by (state) (max by (provider, state) (payferry_inbox_events{_UNFINISHED}))",
                "{{state}}",
            ),
        ),
        lines(
            "Lag",
            "Records that no bridge has committed.",
            Query("sum by (topic) (max by (topic, partition) (payferry_consumer_lag_records))", "{{topic}}"),
        ),
        lines(
            "Queues",
            "Messages that wait, and those that workers hold.",
            Query(fleet("payferry_queue_messages", "queue"), "{{queue}}"),
            Query(fleet("payferry_queue_unacknowledged"), "unacknowledged"),
        ),
    ),
)

_FAILURES = Row(
    "Failures",
    (
        lines(
            "Errors by type",
            "Failures met at work, a second.",
            Query(rate("payferry_errors_total", "failure_type"), "{{failure_type}}"),
            unit="ops",
        ),
        lines(
            "Errors by service",
            "Whose failures they are.",
            Query(rate("payferry_errors_total", "service", "category"), "{{service}} {{category}}"),
            unit="ops",
        ),
        lines(
            "Retry success",
            "Events that took effect after a failure, for each attempt that was put off.",
            Query(
                share(
                    rate("payferry_retry_successes_total", "failure_type"),
                    rate("payferry_retries_total", "failure_type"),
                ),
                "{{failure_type}}",
            ),
            unit="percentunit",
        ),
        Panel(
            title="Breakers",
            about="What goes to an open one waits.",
            queries=(
                Query(
                    '2 * max by (breaker) (payferry_breaker_state{state="open"}) > 0'
                    ' or max by (breaker) (payferry_breaker_state{state="half_open"}) > 0'
                    " or 0 * max by (breaker) (payferry_breaker_state)",
                    "{{breaker}}",
                ),
            ),
            kind="state-timeline",
            words=("closed", "half-open", "open"),
        ),
        lines(
            "Waits",
            "Events that had to wait for no fault of their own, a second.",
            Query(rate("payferry_waits_total", "code"), "{{code}}"),
            unit="ops",
        ),
        lines(
            "Recovery",
            "From first put off to its effect; and of dead letters the mean time to resolution (MTTR).",
            *quantiles("payferry_recovery_seconds"),
            Query(fleet("payferry_dead_letters_mttr_seconds"), "dead letters, mean"),
            unit="s",
        ),
        lines(
            "Provider calls",
            "95th percentile of one exchange.",
            high("payferry_gateway_seconds", "service", "operation"),
            unit="s",
        ),
        lines(
            "Compensations",
            "Steps at providers that were taken back, and how many of them succeeded.",
            Query("sum by (result) (increase(payferry_compensations_total[$__rate_interval]))", "{{result}}"),
            Query(
                share(
                    'sum(increase(payferry_compensations_total{result="done"}[$__range]))',
                    "sum(increase(payferry_compensations_total[$__range]))",
                ),
                "share that succeeded",
            ),
        ),
        lines(
            "Dead letters",
            "By state.",
            Query(fleet("payferry_dead_letters", "state", selected=_OPEN), "{{state}}"),
        ),
    ),
)

_FLEET = Row(
    "Fleet",
    (
        lines(
            "Processes", "By how they are.", Query(fleet("payferry_processes", "role", "state"), "{{role}} {{state}}")
        ),
        lines(
            "Reached by the monitor",
            "1 while it is.",
            Query(fleet("payferry_dependency_up", "dependency"), "{{dependency}}"),
        ),
        lines(
            "Ticks of beat",
            "Since each was last taken.",
            Query(fleet("payferry_beat_slot_age_seconds", "slot"), "{{slot}}"),
            unit="s",
        ),
        lines(
            "Outbox",
            "Messages that wait, or are set aside.",
            Query(fleet("payferry_outbox_messages", "state"), "{{state}}"),
        ),
        lines(
            "Bridges paused",
            "1 while one takes nothing, for this reason; poison is the group's.",
            Query("max by (reason) (payferry_bridge_paused)", "{{reason}}"),
            Query(fleet("payferry_bridge_poison_pause"), "poison, all"),
        ),
        lines(
            "Work by ending",
            "Claims a second.",
            Query(rate("payferry_works_total", "provider", "ending"), "{{provider}} {{ending}}"),
            unit="ops",
        ),
        lines(
            "Retry budgets",
            "Share that is spent.",
            Query(fleet("payferry_retry_budget_used_ratio", "provider"), "{{provider}}"),
            unit="percentunit",
        ),
        lines(
            "Rate limits",
            "Share of the burst that is spent, and the limit that is set.",
            Query(fleet("payferry_rate_limit_used_ratio", "provider"), "{{provider}}"),
            Query(fleet("payferry_rate_limit_calls_per_second", "provider"), "{{provider}} calls a second"),
        ),
        lines(
            "What beat found",
            "Claims of dead workers, lost wake-ups; processes without the shared state.",
            Query(rate("payferry_swept_total", "found"), "{{found}}"),
            Query(total("payferry_shared_state_away"), "without shared state"),
        ),
    ),
)

OVERVIEW = Dashboard("payferry-overview", "Payferry: overview", (_NOW, _FLOW, _FAILURES, _FLEET))
