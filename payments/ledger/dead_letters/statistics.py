"""Dead letters in numbers: for people, as JSON and for metrics, all from here."""

from datetime import datetime
from typing import Any

import msgspec

from payments.ledger.database import Database
from payments.ledger.dead_letters.choice import Choice
from payments.ledger.dead_letters.reading import read


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """How many came in and went out within the last so many seconds, and how many a second that is."""

    seconds: int
    came_in: int
    went_out: int
    in_per_second: float
    out_per_second: float


class Statistics(msgspec.Struct, frozen=True, kw_only=True):
    """Depths count letters; those but `by_state` count the open ones: pending, replaying, parked.

    `replay_success_rate` is the share of ended replays that ended well, None where none has ended. `mttr_seconds` is
    the mean time from the first failure to the resolution, None where nothing was resolved.
    """

    total: int
    open: int
    by_state: dict[str, int]
    by_failure_type: dict[str, int]
    by_category: dict[str, int]
    by_reason: dict[str, int]
    by_service: dict[str, int]
    by_provider: dict[str, int]
    by_resolution: dict[str, int]
    critical: int
    oldest_open_at: datetime | None
    oldest_open_seconds: float
    replays: int
    replays_succeeded: int
    replays_failed: int
    replay_success_rate: float | None
    mttr_seconds: float | None
    last_minute: Rates
    last_hour: Rates


class DeadLetterStatistics:
    """Counting."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self, choice: Choice | None = None) -> Statistics:
        """Return the numbers of all letters, or of those that `choice` means."""
        [row] = read(self._database, _STATISTICS, choice or Choice())
        return _statistics(row[0])


def _statistics(told: dict[str, Any]) -> Statistics:
    ended = told["succeeded"] + told["failed"]
    oldest = told["oldest_open_at"]
    return Statistics(
        total=told["total"],
        open=told["open"],
        **{name: told[name] or {} for name in _DEPTHS},
        critical=told["critical"],
        oldest_open_at=datetime.fromisoformat(oldest) if oldest else None,
        oldest_open_seconds=round(told["oldest_open_seconds"] or 0.0, 3),
        replays=told["replays"],
        replays_succeeded=told["succeeded"],
        replays_failed=told["failed"],
        replay_success_rate=round(told["succeeded"] / ended, 4) if ended else None,
        mttr_seconds=None if told["mttr_seconds"] is None else round(told["mttr_seconds"], 3),
        last_minute=_rates(60, told["in_minute"], told["out_minute"]),
        last_hour=_rates(3600, told["in_hour"], told["out_hour"]),
    )


def _rates(seconds: int, came_in: int, went_out: int) -> Rates:
    return Rates(
        seconds=seconds,
        came_in=came_in,
        went_out=went_out,
        in_per_second=round(came_in / seconds, 4),
        out_per_second=round(went_out / seconds, 4),
    )


_DEPTHS = ("by_state", "by_failure_type", "by_category", "by_reason", "by_service", "by_provider", "by_resolution")

# The table is read once, into a few hundred groups; everything else is counted from those. A letter that an edit has
# replaced is neither open nor resolved by a replay: its child counts, and tells its replays too. A replay that resolved
# is the last of its letter.
_STATISTICS = """
WITH counted AS (
    SELECT state, resolution, category, failure_type, reason, service, provider, count(*) AS number,
           count(*) FILTER (WHERE criticality <> 'normal') AS critical,
           min(first_failed_at) AS oldest_at, sum(ended_at - first_failed_at) AS took,
           sum(replay_count) AS replays, count(*) FILTER (WHERE replay_count > 0) AS replayed,
           count(*) FILTER (WHERE created_at > (SELECT now() - '1 minute'::INTERVAL)) AS in_minute,
           count(*) FILTER (WHERE created_at > (SELECT now() - '1 hour'::INTERVAL)) AS in_hour,
           count(*) FILTER (WHERE ended_at > (SELECT now() - '1 minute'::INTERVAL)) AS out_minute,
           count(*) FILTER (WHERE ended_at > (SELECT now() - '1 hour'::INTERVAL)) AS out_hour
      FROM dead_letters AS letter
     WHERE {condition}
     GROUP BY state, resolution, category, failure_type, reason, service, provider
), opened AS (
    SELECT *
      FROM counted
     WHERE state IN ('pending', 'replaying', 'parked')
), lived AS (
    SELECT *, state = 'resolved' AS is_mended
      FROM counted
     WHERE resolution IS DISTINCT FROM 'replaced'
)
SELECT jsonb_build_object(
    'total', (SELECT coalesce(sum(number), 0) FROM counted),
    'open', (SELECT coalesce(sum(number), 0) FROM opened),
    'by_state', (SELECT jsonb_object_agg(state, number)
                   FROM (SELECT state, sum(number) AS number FROM counted GROUP BY 1) AS each),
    'by_failure_type', (SELECT jsonb_object_agg(failure_type, number)
                          FROM (SELECT failure_type, sum(number) AS number FROM opened GROUP BY 1) AS each),
    'by_category', (SELECT jsonb_object_agg(category, number)
                      FROM (SELECT category, sum(number) AS number FROM opened GROUP BY 1) AS each),
    'by_reason', (SELECT jsonb_object_agg(reason, number)
                    FROM (SELECT reason, sum(number) AS number FROM opened GROUP BY 1) AS each),
    'by_service', (SELECT jsonb_object_agg(service, number)
                     FROM (SELECT service, sum(number) AS number FROM opened GROUP BY 1) AS each),
    'by_provider', (SELECT jsonb_object_agg(coalesce(provider, 'unknown'), number)
                      FROM (SELECT provider, sum(number) AS number FROM opened GROUP BY 1) AS each),
    'by_resolution', (SELECT jsonb_object_agg(resolution, number)
                        FROM (SELECT resolution, sum(number) AS number
                                FROM counted WHERE state = 'resolved' GROUP BY 1) AS each),
    'critical', (SELECT coalesce(sum(critical), 0) FROM opened),
    'oldest_open_at', (SELECT min(oldest_at) FROM opened),
    'oldest_open_seconds', (SELECT extract(epoch FROM now() - min(oldest_at)) FROM opened),
    'replays', (SELECT coalesce(sum(replays), 0) FROM lived),
    'succeeded', (SELECT coalesce(sum(replayed) FILTER (WHERE is_mended), 0) FROM lived),
    'failed', (SELECT coalesce(sum(replays), 0)
                      - coalesce(sum(replayed) FILTER (WHERE is_mended), 0)
                      - coalesce(sum(number) FILTER (WHERE state = 'replaying'), 0)
                 FROM lived),
    'mttr_seconds', (SELECT extract(epoch FROM sum(took)) / nullif(sum(number), 0) FROM lived WHERE is_mended),
    'in_minute', (SELECT coalesce(sum(in_minute), 0) FROM counted),
    'in_hour', (SELECT coalesce(sum(in_hour), 0) FROM counted),
    'out_minute', (SELECT coalesce(sum(out_minute), 0) FROM counted),
    'out_hour', (SELECT coalesce(sum(out_hour), 0) FROM counted))
"""
