"""What /health says, as a value that is told as JSON."""

from datetime import datetime

import msgspec

from payments.resilience.breaker_state import BreakerView
from workers.monitor.finding import Finding, Status
from workers.monitor.survey import DEPENDENCIES, Survey
from workers.monitor.watch import Watch, blind
from workers.pulse.sign import Life, Seen


class Dependency(msgspec.Struct, frozen=True, kw_only=True):
    """One server. `why` says why it cannot be reached; None where it can."""

    name: str
    up: bool
    why: str | None


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """One process and its progress. Durations are in seconds."""

    name: str
    role: str
    life: Life
    why: str | None
    seen_seconds: float
    """Since its last sign."""
    turned_seconds: float
    """Since its loop last made progress, as its last sign tells."""
    up_seconds: float
    pid: int
    version: str
    troubles: dict[str, float]
    numbers: dict[str, float]


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """The whole answer. What could not be read is null, and `unread` says why."""

    status: Status
    findings: tuple[Finding, ...]
    taken_at: datetime
    age_seconds: float
    dependencies: tuple[Dependency, ...]
    breakers: tuple[BreakerView, ...] | None
    processes: tuple[Process, ...] | None
    unread: dict[str, str]


def health_of(watch: Watch) -> Health:
    """Return what /health says."""
    look, age_seconds = watch.latest, watch.age_seconds
    survey = look.survey
    verdict = blind(age_seconds, survey.taken_at) if watch.is_late else look.verdict
    return Health(
        status=verdict.status,
        findings=verdict.findings,
        taken_at=survey.taken_at,
        age_seconds=round(age_seconds, 1),
        dependencies=tuple(_dependencies(survey)),
        breakers=survey.resilience.breakers if survey.resilience else None,
        processes=tuple(map(_process, survey.fleet.processes)) if survey.fleet else None,
        unread=survey.unread,
    )


def _dependencies(survey: Survey) -> list[Dependency]:
    return [
        Dependency(name=name, up=is_up, why=survey.unread.get(DEPENDENCIES[name]))
        for name, is_up in survey.dependencies.items()
    ]


def _process(seen: Seen) -> Process:
    sign = seen.sign
    return Process(
        name=sign.name,
        role=sign.role,
        life=seen.life,
        why=seen.why or None,
        seen_seconds=round(seen.seen_seconds, 1),
        turned_seconds=sign.turned_seconds,
        up_seconds=sign.up_seconds,
        pid=sign.pid,
        version=sign.version,
        troubles=sign.troubles,
        numbers=sign.numbers,
    )
