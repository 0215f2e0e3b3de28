"""What the monitor finds wrong, as values."""

from datetime import datetime
from enum import StrEnum

import msgspec


class Status(StrEnum):
    """How the whole system is."""

    HEALTHY = "healthy"
    """Payments flow."""
    DEGRADED = "degraded"
    """Payments flow, and something is in the way, or will be."""
    UNHEALTHY = "unhealthy"
    """Payments do not flow, or nobody sees to it that they do."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong. `what` is a word for machines, `subject` what it is about: together they name it."""

    what: str
    subject: str
    severity: Status
    cause: str
    """In words, without anything that is personal."""
    since: datetime
    """As far as the monitor knows."""
    look_at: str
    """Where to go on, or what to type."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """How it is, and all that is wrong, the worst first."""

    status: Status
    findings: tuple[Finding, ...] = ()

    @classmethod
    def of(cls, findings: list[Finding]) -> "Verdict":
        """Return the verdict that follows from `findings`: as bad as the worst of them."""
        ordered = sorted(findings, key=lambda each: (each.severity is not Status.UNHEALTHY, each.what, each.subject))
        return cls(status=ordered[0].severity if ordered else Status.HEALTHY, findings=tuple(ordered))


class Memory:
    """Since when each finding has been there, over surveys that all had it."""

    def __init__(self) -> None:
        self._since: dict[tuple[str, str], datetime] = {}

    def recall(self, verdict: Verdict) -> Verdict:
        """Return the verdict with the earliest `since` of each finding; forget those that are no more."""
        known = self._since
        self._since = {
            (each.what, each.subject): min(each.since, known.get((each.what, each.subject), each.since))
            for each in verdict.findings
        }
        told = (msgspec.structs.replace(each, since=self._since[each.what, each.subject]) for each in verdict.findings)
        return msgspec.structs.replace(verdict, findings=tuple(told))
