"""Where an event is on its way."""

from enum import StrEnum


class State(StrEnum):
    """The state of an inbox row."""

    RECEIVED = "received"
    PROCESSING = "processing"
    RETRYING = "retrying"
    WAITING = "waiting"
    VERIFYING = "verifying"
    SETTLED = "settled"
    DECLINED = "declined"
    IGNORED = "ignored"
    SUPERSEDED = "superseded"
    DEAD = "dead"


ENDED = frozenset({State.SETTLED, State.DECLINED, State.IGNORED, State.SUPERSEDED, State.DEAD})
