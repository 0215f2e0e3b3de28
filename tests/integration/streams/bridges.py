"""Bridges in this process: real Kafka protocol, real PostgreSQL, real Valkey."""

import time
from collections.abc import Callable

from celery import Celery

from config.celery import celery_options
from config.settings import Settings
from payments.from_settings import kafka_access, position
from payments.log_events import LOG_EVENTS
from payments.streams.consumer import StreamConsumer
from payments.wiring import Wiring
from tests.integration.kafka import PATIENCE_SECONDS
from workers.bridge import Bridge, BridgePolicy

POLICY = BridgePolicy(batch_size=50, high_water_mark=100_000, low_water_mark=50_000)


class Told:
    """What was told to the log, by name."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, object]]] = []

    def __call__(self, name: str, **fields: object) -> None:
        assert name in LOG_EVENTS
        self.events.append((name, fields))

    def of(self, name: str) -> list[dict[str, object]]:
        """Return the fields of each event of that name."""
        return [fields for told, fields in self.events if told == name]


class Member:
    """A bridge, its consumer, and what it told."""

    def __init__(self, bridge: Bridge, consumer: StreamConsumer, told: Told) -> None:
        self.bridge = bridge
        self.consumer = consumer
        self.told = told
        self._in_group = True

    @property
    def partitions(self) -> set[int]:
        """The partitions that are its own, from what it was told about them."""
        owned: set[int] = set()
        for name, fields in self.told.events:
            numbers = fields.get("partitions", ())
            assert isinstance(numbers, list | tuple)
            if name == "bridge_partitions_assigned":
                owned |= set(numbers)
            elif name in {"bridge_partitions_revoked", "bridge_partitions_lost"}:
                owned -= set(numbers)
        return owned

    def leave(self) -> None:
        """Leave the group without a commit, as a process that has ended."""
        if self._in_group:
            self._in_group = False
            self.consumer.close()


class Bridges:
    """Makes bridges with one set of settings, and turns them."""

    def __init__(self) -> None:
        self._members: list[Member] = []
        self._wirings: list[Wiring] = []
        self._apps: list[Celery] = []

    def join(
        self,
        settings: Settings,
        policy: BridgePolicy = POLICY,
        *,
        consumer: type[StreamConsumer] = StreamConsumer,
        clock: Callable[[], float] = time.monotonic,
    ) -> Member:
        """Return a bridge that has just asked to join the group."""
        wiring, app, told = Wiring(settings), Celery("test", set_as_current=False), Told()
        app.conf.update(celery_options(settings))
        wiring.tell = told
        reader = consumer(kafka_access(settings), position(settings), told)
        edges = reader, wiring.intake(app), wiring.inbox(), wiring.bridge_pauses()
        member = Member(Bridge(*edges, policy, told, clock), reader, told)
        self._wirings.append(wiring)
        self._apps.append(app)
        self._members.append(member)
        return member

    def turn_until(
        self, condition: Callable[[], object], *members: Member, what: str, seconds: float = PATIENCE_SECONDS
    ) -> None:
        """Let the members, or all, take turns until the condition holds."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"within {seconds:g} s: {what}; told: {self.story()}"
            for member in members or self._members:
                member.bridge.turn()

    def story(self) -> str:
        """Return what the members told, for the reader of a failed test."""
        return "\n".join(f"{number} {event}" for number, each in enumerate(self._members) for event in each.told.events)

    def close(self) -> None:
        """Leave the group and close every connection."""
        for member in self._members:
            member.leave()
        for wiring in self._wirings:
            wiring.database.close()
        for app in self._apps:
            app.close()
