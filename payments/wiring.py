"""The one place where things are put together. Call it after fork: what it builds holds sockets and threads."""

from collections.abc import Mapping
from contextlib import nullcontext
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from config.celery import ARCHIVE_TASK, PROCESS_TASK, REPLAY_JOB_TASK
from config.policies import told_policies
from config.settings import Settings
from payments.alarms.alarms import Alarms, Outlet
from payments.event import Provider
from payments.flows.dead_letters.archiving import ArchiveDesk
from payments.flows.dead_letters.desk import ReplayDesk
from payments.flows.desk import Desk
from payments.flows.forgetting import FeedDesk
from payments.flows.guard import Guard
from payments.flows.intake import Entrance, Intake
from payments.flows.reading import PaymentReader, ReadPolicy
from payments.flows.relay import RelayDesk
from payments.flows.traced import TracedGateway, TracedIntake, TracedPublisher, TracedSettlements, about_here
from payments.from_settings import (
    burial_policy,
    client_policy,
    database_policy,
    endpoints,
    kafka_access,
    position,
    replay_policy,
    trace_settings,
    work_policy,
)
from payments.gateway.gateway import Gateway
from payments.gateway.gateways import build_gateways
from payments.ledger.bell import NEWS, Bell
from payments.ledger.bridge_pauses import BridgePauses
from payments.ledger.census import Census
from payments.ledger.claims import Claims
from payments.ledger.database import Database, Shield
from payments.ledger.dead_letters.archives import Archives
from payments.ledger.dead_letters.burial import DeadLetters
from payments.ledger.dead_letters.jobs import ReplayJobs
from payments.ledger.dead_letters.replays import Replays
from payments.ledger.dead_letters.switch import ReplaySwitch
from payments.ledger.feed import Feed
from payments.ledger.inbox import Inbox
from payments.ledger.lanes import Lanes
from payments.ledger.outbox import Outbox
from payments.ledger.settlements import Settlements
from payments.ledger.sweeps import Sweeps
from payments.ledger.views import PaymentViews
from payments.log_events import Alarm, Tell, teller
from payments.metrics.meters import meter_of, meters_here
from payments.policies import Policies
from payments.policy_check import load_policies
from payments.queue.tasks import call_task
from payments.queue.wakeups import Wakeups
from payments.resilience.backoff import Backoff
from payments.resilience.exchange import Exchange, connect
from payments.resilience.last_known import LastKnown
from payments.resilience.policy import RatePolicy
from payments.resilience.rate_limit import RateLimits
from payments.resilience.retry_budget import RetryBudgets
from payments.resilience.switchboard import Switchboard
from payments.streams.consumer import StreamConsumer
from payments.streams.publisher import NO_RETRIES, Retries, StreamPublisher
from payments.streams.topics import Topics
from payments.tracing.tracer import UNTRACED, Tracer, kept

if TYPE_CHECKING:
    from sentry_sdk.integrations import Integration

    from payments.alarms.sentry import Sentry


class Wiring:
    """Builds, from one process' settings, what that process needs."""

    def __init__(self, settings: Settings, slot: str = "main") -> None:
        """`slot` tells which one this process is of those that share a place for their metrics."""
        self.settings = settings
        logger = structlog.get_logger()
        meters = meters_here(slot, teller(logger))
        self.tell: Tell = teller(logger, build_alarm(settings, teller(logger)), meter_of(meters))
        self.policies: Policies = load_policies(told_policies(settings))
        self.switchboard = Switchboard(self._exchange, self.policies.breakers, self.tell)
        self.database = build_database(settings, self.switchboard.breaker("database").call)
        if meters is not None:
            meters.watch("payferry_database_connections", self.database.connections)
            meters.watch("payferry_database_waiting", self.database.waiting)

    @cached_property
    def _exchange(self) -> Exchange:
        """Return the line to what the fleet shares. It connects when it is first needed."""
        url = self.settings.redis.state_url
        return Exchange(connect(url) if url else None, self.tell)

    def guard(self) -> Guard:
        """Return what stands before the providers."""
        limits = self.rate_limits(self.policies.rate_limits)
        return Guard(self.switchboard, limits, RetryBudgets(self._exchange, self.policies.retry_budgets))

    def rate_limits(self, policies: Mapping[str, RatePolicy]) -> RateLimits:
        """Return limits that the fleet shares, by name."""
        return RateLimits(self._exchange, policies)

    def desk(self, app: Any) -> Desk:  # noqa: ANN401 - Celery is untyped
        """Return a worker's tools; `app` is its Celery app."""
        return Desk(
            claims=Claims(self.database),
            settlements=TracedSettlements(self.database, self.tracer) if self._traces else Settlements(self.database),
            sweeps=Sweeps(self.database),
            wakeups=Wakeups(app, PROCESS_TASK),
            gateways=self._gateways(),
            guard=self.guard(),
            policies=self.policies,
            policy=work_policy(self.settings),
            burials=burial_policy(self.settings),
            events_topic=self.settings.kafka.events_topic,
            tell=self.tell,
            tracer=self.tracer,
        )

    def _gateways(self) -> Mapping[Provider, Gateway]:
        told = endpoints(self.settings), client_policy(self.settings)
        gateways = build_gateways(*told, tell=self.tell, beside=lambda: about_here(self.tracer))
        if not self._traces:
            return gateways
        return {provider: TracedGateway(each, provider, self.tracer) for provider, each in gateways.items()}

    @cached_property
    def tracer(self) -> Tracer:
        """What traces the work of this process, made when it is first needed: after the fork."""
        return build_tracer(self.settings, self.tell)

    @property
    def _traces(self) -> bool:
        return self.tracer is not UNTRACED

    def replay_desk(self, app: Any) -> ReplayDesk:  # noqa: ANN401 - Celery is untyped
        """Return the tools for dead letters that go back."""
        return ReplayDesk(
            database=self.database,
            letters=DeadLetters(self.database),
            replays=Replays(self.database),
            jobs=ReplayJobs(self.database),
            switch=ReplaySwitch(self.database),
            sweeps=Sweeps(self.database),
            wakeups=Wakeups(app, PROCESS_TASK),
            switchboard=self.switchboard,
            policies=self.policies,
            policy=replay_policy(self.settings),
            start_job=lambda job_id, seconds: call_task(app, REPLAY_JOB_TASK, seconds, job_id=job_id),
            tell=self.tell,
            tracer=self.tracer,
        )

    def feed_desk(self) -> FeedDesk:
        """Return the tools for changes that are forgotten."""
        retention_seconds = self.settings.api.events_retention_days * 86_400
        return FeedDesk(
            feed=Feed(self.database),
            sweeps=Sweeps(self.database),
            retention_seconds=retention_seconds,
            tell=self.tell,
        )

    def archive_desk(self, app: Any = None) -> ArchiveDesk:  # noqa: ANN401 - Celery is untyped
        """Return the tools for dead letters that are put away; without an app, in stretches of whoever calls."""
        told = self.settings.dead_letters
        return ArchiveDesk(
            archives=Archives(self.database),
            sweeps=Sweeps(self.database),
            retention_seconds=told.retention_days * 86_400,
            folder=Path(told.archive_dir) if told.archive_dir else None,
            tell=self.tell,
            go_on=lambda: call_task(app, ARCHIVE_TASK, 0.0, is_tick=False) if app is not None else None,
        )

    def intake(self, app: Any) -> Entrance:  # noqa: ANN401 - Celery is untyped
        """Return what the bridge hands its batches to."""
        intake = Intake(
            self.inbox(),
            DeadLetters(self.database),
            Wakeups(app, PROCESS_TASK),
            max_bytes=self.settings.bridge.max_event_bytes,
            tell=self.tell,
        )
        return TracedIntake(intake, self.tracer) if self._traces else intake

    def inbox(self) -> Inbox:
        """Return the inbox."""
        return Inbox(self.database)

    def bridge_pauses(self) -> BridgePauses:
        """Return the pause of the bridges' group."""
        return BridgePauses(self.database, self.settings.kafka.topic, self.settings.kafka.group_id)

    def outbox(self) -> Outbox:
        """Return the outbox."""
        return Outbox(self.database)

    def census(self) -> Census:
        """Return what counts and lists."""
        return Census(self.database)

    def consumer(self) -> StreamConsumer:
        """Return a member of the bridges' group."""
        return StreamConsumer(kafka_access(self.settings), position(self.settings), self.tell)

    def publisher(self, delivery_timeout_seconds: float = 30.0, retries: Retries = NO_RETRIES) -> StreamPublisher:
        """Return a producer."""
        return StreamPublisher(
            kafka_access(self.settings),
            delivery_timeout_seconds,
            self.switchboard.breaker("kafka").call,
            retries=retries,
            standing=lambda: self.switchboard.standing("kafka").value,
        )

    def relay_desk(self) -> RelayDesk:
        """Return a relay's tools."""
        publisher = self.publisher(_RELAY_DELIVERY_SECONDS)
        return RelayDesk(
            outbox=self.outbox(),
            lanes=Lanes(self.database),
            bell=Bell(self.settings.database.url, database_policy(self.settings), NEWS),
            publisher=TracedPublisher(publisher, self.tracer) if self._traces else publisher,
            topics=Topics(_REST.delay_seconds, self.settings.kafka.outage_alert_seconds),
            tell=self.tell,
            sends_to=(self.settings.kafka.events_topic, self.settings.kafka.dead_letter_topic),
            outdate=self._last_known.outdate,
        )

    def database_for(self, use: str) -> Database:
        """Return the ledger behind a breaker of this process' own, apart for each `use`.

        Whoever only reads for others has one, so that their questions, however slow, stop no worker of the fleet.
        """
        return self.database.behind(self.switchboard.local("database", use).call)

    def reader(self, fresh_seconds: float = 0.0, database: Database | None = None) -> PaymentReader:
        """Return what reads single payments, also while the ledger is away, and for `fresh_seconds` asks only once."""
        remembers = self.policies.fallbacks.read == "last_known"
        policy = ReadPolicy(remembers=remembers, fresh_seconds=fresh_seconds)
        return PaymentReader(PaymentViews(database or self.database), self._last_known, policy, self.tell)

    @cached_property
    def _last_known(self) -> LastKnown:
        url = self.settings.redis.state_url
        client = connect(url, text=False) if url else None
        return LastKnown(client, self.switchboard.breaker("cache"), _REMEMBERED)


_RELAY_DELIVERY_SECONDS = 10.0
"""A relay tries again by itself; a shorter delivery lets it stop, and see to its lanes, sooner."""

_REST = Backoff(base_seconds=0.5, cap_seconds=10.0)
"""For how long a relay leaves a topic alone that takes nothing: brokers that are back are found within some seconds."""

_REMEMBERED = 7 * 86_400.0
"""Seconds for which the last known value of a read is kept."""


def build_alarm(settings: Settings, tell: Tell) -> Alarm | None:
    """Return what takes alarms besides the log, or None where nobody has named a Sentry."""
    if settings.alerts.sentry_dsn is None:
        return None

    def connect() -> Outlet:
        from payments.alarms.sentry import sentry_here  # noqa: PLC0415 - 0.3 s, which only an alarm is worth

        return sentry_here(lambda: build_sentry(settings, tell))

    return Alarms(connect, tell).sound


def build_sentry(settings: Settings, tell: Tell, *integrations: "Integration") -> "Sentry":
    """Return this process' line to Sentry, which a setting must have named."""
    from payments.alarms.sentry import Sentry, SentryPolicy  # noqa: PLC0415 - as above

    told = settings.alerts
    assert told.sentry_dsn is not None
    policy = SentryPolicy(
        dsn=told.sentry_dsn.get_secret_value(),
        environment=told.sentry_environment,
        server_name=settings.process.name,
        release=told.sentry_release,
    )
    return Sentry(policy, tell, integrations=integrations)


def build_tracer(settings: Settings, tell: Tell) -> Tracer:
    """Return what traces the work of this process: nothing, unless a setting says where traces go."""
    if settings.tracing.exporter == "off":
        return UNTRACED
    from payments.tracing import export  # noqa: PLC0415 - OpenTelemetry's library, which only traces are worth

    return kept(export.build_tracer(export.TracePolicy(**trace_settings(settings)), tell))


def build_database(settings: Settings, shield: Shield = nullcontext) -> Database:
    """Return a pool of connections to the ledger; `shield` stands before every use of one."""
    told = settings.database
    return Database(told.url, database_policy(settings), shield)
