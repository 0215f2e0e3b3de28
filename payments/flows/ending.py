"""How work on one event can end. A value for each way, so that nothing ends by accident."""

import msgspec


class Settled(msgspec.Struct, frozen=True, tag=True):
    """It took effect, and is booked."""


class Declined(msgspec.Struct, frozen=True, tag=True):
    """The provider said no: an outcome, not an outage."""


class Superseded(msgspec.Struct, frozen=True, tag=True):
    """What it tells has already taken effect, or can no longer."""


class RetryLater(msgspec.Struct, frozen=True, tag=True):
    """It failed and may succeed: due again in `delay_seconds`. `code` names the failure."""

    delay_seconds: float
    code: str


class Waiting(msgspec.Struct, frozen=True, tag=True):
    """It must wait for no fault of its own: due again in `delay_seconds`, no attempt spent. `code` says what for."""

    delay_seconds: float
    code: str


class Buried(msgspec.Struct, frozen=True, tag=True):
    """It is a dead letter, for this reason."""

    reason: str


class Passed(msgspec.Struct, frozen=True, tag=True):
    """There was nothing to do: it is in this state, not due, or behind an earlier event of its payment."""

    state: str


class Overtaken(msgspec.Struct, frozen=True, tag=True):
    """Its lease ended and somebody else has it; nothing was written."""


Ending = Settled | Declined | Superseded | RetryLater | Waiting | Buried | Passed | Overtaken


def name_of(ending: Ending) -> str:
    """Return the ending's name, for logs."""
    return type(ending).__name__.lower()


def words_of(ending: Ending) -> str:
    """Return how it ended in a few words, for Flower: `settled`, `buried: http_400`, `waiting: circuit_open`."""
    match ending:
        case Buried(reason=why) | Waiting(code=why) | RetryLater(code=why) | Passed(state=why):
            return f"{name_of(ending)}: {why}"
        case _:
            return name_of(ending)
