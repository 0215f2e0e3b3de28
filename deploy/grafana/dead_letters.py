"""Dead letters: how many, of what, and whether they come back."""

from deploy.grafana.dashboard import Dashboard, Row
from deploy.grafana.panel import Query, figure, lines
from deploy.grafana.promql import fleet, rate, share

_LATELY = "payferry_dead_letter_replays_lately"
_RESULTS = "sum(max by (result) (payferry_dead_letter_replays_lately))"

_NOW = Row(
    "Now",
    (
        figure(
            "Pending",
            "Come back by themselves.",
            fleet("payferry_dead_letters", selected='{state="pending"}'),
            100,
            1000,
        ),
        figure(
            "On their way", "Their event is at work.", fleet("payferry_dead_letters", selected='{state="replaying"}')
        ),
        figure("Parked", "Wait for a person.", fleet("payferry_dead_letters", selected='{state="parked"}'), 1, 100),
        figure("Critical", "A person must look at them now.", fleet("payferry_dead_letters_critical"), 1, 1),
        figure(
            "Oldest open",
            "Since it failed first.",
            fleet("payferry_dead_letters_oldest_open_seconds"),
            3600,
            86400,
            unit="s",
        ),
        figure(
            "Left alone",
            "The parked one that nobody has touched for longest.",
            fleet("payferry_dead_letters_parked_unseen_seconds"),
            43200,
            86400,
            unit="s",
        ),
        figure(
            "Last processed",
            "Since one was sent back, or ended.",
            fleet("payferry_dead_letters_last_processed_seconds"),
            unit="s",
        ),
        figure(
            "Time to resolution",
            "Mean, from the first failure to the resolution by a replay (MTTR).",
            fleet("payferry_dead_letters_mttr_seconds"),
            unit="s",
        ),
    ),
)

_IN_AND_OUT = Row(
    "In and out",
    (
        lines("By state", "All of them.", Query(fleet("payferry_dead_letters", "state"), "{{state}}")),
        lines(
            "In and out",
            "Within a minute, and within an hour.",
            Query(fleet("payferry_dead_letters_came_in", "window"), "in {{window}}"),
            Query(fleet("payferry_dead_letters_went_out", "window"), "out {{window}}"),
        ),
        lines(
            "Burials at work",
            "By reason, a second.",
            Query(rate("payferry_buried_total", "reason"), "{{reason}}"),
            unit="ops",
        ),
        lines(
            "Replays of the last hour",
            "By result, and the share that succeeded.",
            Query(fleet(_LATELY, "result"), "{{result}}"),
            Query(share(fleet(_LATELY, selected='{result="succeeded"}'), _RESULTS), "share that succeeded"),
        ),
        lines(
            "Replays of the letters that are kept",
            "By result.",
            Query(fleet("payferry_dead_letter_replays", "result"), "{{result}}"),
        ),
    ),
)

_OF_WHAT = Row(
    "Open ones, of what",
    (
        lines(
            "Reason",
            "The ten that have most.",
            Query(f"topk(10, {fleet('payferry_dead_letters_open_by_reason', 'reason')})", "{{reason}}"),
        ),
        lines(
            "Failure type",
            "Its name in the tree of failures.",
            Query(fleet("payferry_dead_letters_open_by_failure_type", "failure_type"), "{{failure_type}}"),
        ),
        lines(
            "Category",
            "Transient and unknown ones come back by themselves.",
            Query(fleet("payferry_dead_letters_open_by_category", "category"), "{{category}}"),
        ),
        lines(
            "Service",
            "Where it happened.",
            Query(fleet("payferry_dead_letters_open_by_service", "service"), "{{service}}"),
        ),
        lines(
            "Provider",
            "Whose payments they are.",
            Query(fleet("payferry_dead_letters_open_by_provider", "provider"), "{{provider}}"),
        ),
    ),
)

DEAD_LETTERS = Dashboard("payferry-dead-letters", "Payferry: dead letters", (_NOW, _IN_AND_OUT, _OF_WHAT))
