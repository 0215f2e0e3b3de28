"""Surveys made by hand. What a test does not name is well."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from payments.ledger.census import OutboxDepth
from payments.ledger.dead_letters.attention import Attention
from payments.ledger.dead_letters.statistics import Rates, Statistics
from payments.resilience.breaker_state import BreakerView
from workers.monitor.survey import (
    DeadLettersSeen,
    FleetSeen,
    KafkaSeen,
    LedgerSeen,
    QueuesSeen,
    ResilienceSeen,
    Survey,
)
from workers.pulse.sign import Seen, Sign

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


def a_process(role: str, name: str = "", seen_seconds: float = 1.0, **told: Any) -> Seen:  # noqa: ANN401 - any field
    """Return a process that is alive, unless told otherwise."""
    plain: dict[str, Any] = {"host": "box", "pid": 7, "version": "1", "started_at": 0.0, "up_seconds": 86_400.0}
    sign = Sign(name=name or f"{role}@box", role=role, **(plain | told))
    return Seen(sign=sign, seen_seconds=seen_seconds)


def a_fleet(*processes: Seen, **told: Any) -> FleetSeen:  # noqa: ANN401 - any field
    """Return these processes, and one alive of each role that none of them has and that is not absent."""
    missing = (
        {"bridge", "worker", "beat", "relay"} - {each.sign.role for each in processes} - told.get("absent", {}).keys()
    )
    return FleetSeen(processes=(*processes, *map(a_process, sorted(missing))), **told)


def a_breaker(name: str, state: str = "closed", **told: Any) -> BreakerView:  # noqa: ANN401 - any field
    """Return a breaker."""
    figures = ("calls", "failures", "slow", "consecutive_failures", "opened", "opened_in_a_row")
    plain: dict[str, Any] = dict.fromkeys((*figures, "active_probes", "successful_probes", "generation"), 0)
    return BreakerView(name=name, state=state, **({"until_seconds": 0.0, "isolated": False} | plain | told))


def a_ledger(**told: Any) -> LedgerSeen:  # noqa: ANN401 - any field
    """Return a ledger without anything under way."""
    plain: dict[str, Any] = {
        "inbox": {},
        "oldest_due_seconds": 0.0,
        "outbox": OutboxDepth(waiting=0, refused=0, oldest_seconds=0.0),
        "slot_ages": {},
        "poison_pause": None,
    }
    return LedgerSeen(**(plain | told))


def dead_letters(**told: Any) -> DeadLettersSeen:  # noqa: ANN401 - any field of the statistics
    """Return the numbers of no dead letters, but for what is told."""
    rates = Rates(seconds=60, came_in=0, went_out=0, in_per_second=0.0, out_per_second=0.0)
    known: dict[str, Any] = {field.name: 0 for field in msgspec.structs.fields(Statistics)}
    known |= {name: {} for name in known if name.startswith("by_")}
    known |= {"oldest_open_at": None, "mttr_seconds": None, "replay_success_rate": None}
    known |= {"last_minute": rates, "last_hour": rates}
    attention = Attention(parked_unseen_seconds=0.0, last_processed_seconds=None, replays_lately={})
    return DeadLettersSeen(statistics=Statistics(**(known | told)), attention=attention)


def a_survey(**told: Any) -> Survey:  # noqa: ANN401 - any field
    """Return a survey in which all is well."""
    plain: dict[str, Any] = {
        "taken_at": NOW,
        "took_seconds": 0.01,
        "ledger": a_ledger(),
        "ended": {},
        "dead_letters": dead_letters(),
        "queues": QueuesSeen(waiting={}, unacknowledged=0),
        "resilience": ResilienceSeen(breakers=(), budgets_used={}, limits_per_second={}, limits_used={}),
        "kafka": KafkaSeen(topic="payments.raw", lag={0: 0}),
        "fleet": a_fleet(),
    }
    return Survey(**(plain | told))
