"""One alarm on its way to a person."""

from collections.abc import Mapping

import msgspec

CRITICAL = "critical"


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """What a person is told: a log event with its level, its meaning and its fields.

    `left_out` is how many of the same kind this process has kept back since it last told of one.
    """

    name: str
    level: str
    meaning: str
    fields: Mapping[str, object]
    left_out: int = 0

    @property
    def kind(self) -> tuple[str, ...]:
        """What alarms are grouped by: the name, and the finest cause that is told."""
        causes = (str(self.fields[field]) for field in _CAUSES if self.fields.get(field))
        return (self.name, *list(causes)[:1])

    @property
    def is_told_otherwise(self) -> bool:
        """Whether an alarm of another name tells a person of the same failure, so that this one is for the log alone.

        A dead letter that is critical has an alarm of its own. One that is so because a compensation has failed has
        been told of at that moment.
        """
        criticality = self.fields.get("criticality")
        if self.name == "payment_buried":
            return criticality not in {None, "normal"}
        return self.name == "dead_letter_critical" and criticality == "compensation_failed"


_CAUSES = ("fingerprint", "reason", "code", "error", "breaker", "topic")
"""The fields that tell causes apart, the finest first."""
