"""How each outgoing topic fares: which one rests, and which has been out of reach for so long that a person must hear.

A topic that cannot be written must not hold the others up, so it is left alone for a while, longer each time. Policy is
given, state is here, and time is an argument, on any clock that does not go back.
"""

from collections.abc import Callable, Collection

import msgspec


class Outage(msgspec.Struct):
    """How long nothing has been taken although there was something to send."""

    began_at: float | None = None
    is_told: bool = False

    def failed(self, since: float) -> None:
        """Note that what was handed over at `since` was not taken."""
        if self.began_at is None:
            self.began_at = since

    def succeeded(self, now: float) -> float | None:
        """Note that something was taken; return how long the outage was, where it had been told of."""
        lasted = now - self.began_at if self.is_told and self.began_at is not None else None
        self.began_at, self.is_told = None, False
        return lasted

    def alarm(self, now: float, alert_seconds: float) -> float | None:
        """Return how long it has lasted, once, when that is as long as somebody must hear of."""
        if self.began_at is None or self.is_told or now - self.began_at < alert_seconds:
            return None
        self.is_told = True
        return now - self.began_at


class _Topic(msgspec.Struct):
    """One topic's state."""

    outage: Outage = msgspec.field(default_factory=Outage)
    failures: int = 0
    """In a row."""
    rests_until: float = 0.0
    code: str = ""
    """Of the latest failure."""


class Topics:
    """The state of all topics that one process writes to. `delay_seconds` is the rest after so many failures."""

    def __init__(self, delay_seconds: Callable[[int], float], alert_seconds: float) -> None:
        self._delay_seconds = delay_seconds
        self._alert_seconds = alert_seconds
        self._topics: dict[str, _Topic] = {}

    def failed(self, name: str, code: str, since: float, now: float, at_least_seconds: float = 0.0) -> float:
        """Let the topic rest, since it did not take what it was given at `since`; return for how long."""
        topic = self._topics.setdefault(name, _Topic())
        topic.outage.failed(since)
        topic.failures += 1
        topic.code = code
        seconds = max(at_least_seconds, self._delay_seconds(topic.failures))
        topic.rests_until = now + seconds
        return seconds

    def succeeded(self, name: str, now: float) -> float | None:
        """Note that the topic takes what it is given; return how long it did not, where a person was told."""
        topic = self._topics.pop(name, None)
        return topic.outage.succeeded(now) if topic else None

    def resting(self, now: float) -> tuple[str, ...]:
        """Return the topics to leave alone."""
        return tuple(name for name, topic in self._topics.items() if topic.rests_until > now)

    def failing(self) -> tuple[str, ...]:
        """Return the topics that did not take what they were given last. May be asked from any thread."""
        return tuple(sorted(self._topics))

    def unasked(self, asked: Collection[str], now: float) -> tuple[str, ...]:
        """Return the topics that failed once, have rested, and that nothing waits for any more."""
        return tuple(name for name in self._topics if name not in asked and name not in self.resting(now))

    def alarms(self, now: float) -> list[tuple[str, str, float]]:
        """Return the topic, the latest code and the seconds of each outage that a person must hear of now."""
        lasted = {name: topic.outage.alarm(now, self._alert_seconds) for name, topic in self._topics.items()}
        return [(name, self._topics[name].code, seconds) for name, seconds in lasted.items() if seconds is not None]
