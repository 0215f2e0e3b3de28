"""The one place where things are put together. Call it after fork: what it builds holds sockets and threads."""

from collections.abc import Mapping
from contextlib import nullcontext
from functools import cached_property
from pathlib import Path
from typing import Any

import structlog

from config.celery import ARCHIVE_TASK, PROCESS_TASK, REPLAY_JOB_TASK
from config.policies import told_policies
from config.schedule import least_gap_seconds
from config.settings import Settings
from payments.alarms.alarms import Alarms, Outlet
from payments.event import Provider
from payments.flows.dead_letters.archiving import ArchiveDesk
from payments.flows.dead_letters.burying import BurialPolicy
from payments.flows.dead_letters.desk import ReplayDesk, ReplayPolicy
from payments.flows.desk import Desk, WorkPolicy
from payments.flows.forgetting import FeedDesk
from payments.flows.guard import Guard
from payments.flows.intake import Intake
from payments.flows.reading import PaymentReader, ReadPolicy
from payments.flows.relay import RelayDesk
from payments.gateway.client import ClientPolicy
from payments.gateway.endpoint import Endpoint
from payments.gateway.gateways import build_gateways
from payments.ledger.bell import NEWS, Bell
from payments.ledger.bridge_pauses import BridgePauses
from payments.ledger.census import Census
from payments.ledger.claims import Claims
from payments.ledger.database import Database, DatabasePolicy, Shield
from payments.ledger.dead_letters.archives import Archives
from payments.ledger.dead_letters.burial import DeadLetters, ReplayDelays
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
from payments.policies import Policies
from payments.policy_check import load_policies
from payments.queue.tasks import call_task
from payments.queue.wakeups import Wakeups
from payments.resilience.backoff import Backoff
from payments.resilience.exchange import Exchange, connect
from payments.resilience.last_known import LastKnown
from payments.resilience.poison import PoisonPolicy
from payments.resilience.policy import RatePolicy
from payments.resilience.rate_limit import RateLimits
from payments.resilience.retry_budget import RetryBudgets
from payments.resilience.switchboard import Switchboard
from payments.streams.consumer import Position, StreamConsumer
from payments.streams.kafka import KafkaAccess
from payments.streams.publisher import NO_RETRIES, Retries, StreamPublisher
from payments.streams.topics import Topics


class Wiring:
    """Builds, from one process' settings, what that process needs."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        logger = structlog.get_logger()
        self.tell: Tell = teller(logger, build_alarm(settings, teller(logger)))
        self.policies: Policies = load_policies(told_policies(settings))
        self.switchboard = Switchboard(self._exchange, self.policies.breakers, self.tell)
        self.database = build_database(settings, self.switchboard.breaker("database").call)

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
            settlements=Settlements(self.database),
            sweeps=Sweeps(self.database),
            wakeups=Wakeups(app, PROCESS_TASK),
            gateways=build_gateways(endpoints(self.settings), client_policy(self.settings), tell=self.tell),
            guard=self.guard(),
            policies=self.policies,
            policy=work_policy(self.settings),
            burials=burial_policy(self.settings),
            events_topic=self.settings.kafka.events_topic,
            tell=self.tell,
        )

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

    def intake(self, app: Any) -> Intake:  # noqa: ANN401 - Celery is untyped
        """Return what the bridge hands its batches to."""
        return Intake(
            self.inbox(),
            DeadLetters(self.database),
            Wakeups(app, PROCESS_TASK),
            max_bytes=self.settings.bridge.max_event_bytes,
            tell=self.tell,
        )

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
        return RelayDesk(
            outbox=self.outbox(),
            lanes=Lanes(self.database),
            bell=Bell(self.settings.database.url, database_policy(self.settings), NEWS),
            publisher=self.publisher(_RELAY_DELIVERY_SECONDS),
            topics=Topics(_REST.delay_seconds, self.settings.kafka.outage_alert_seconds),
            tell=self.tell,
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
        return PaymentReader(PaymentViews(database or self.database), self._last_known, policy)

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
    """Return what takes critical events besides the log, or None where nobody has named a Sentry."""
    told = settings.alerts
    if told.sentry_dsn is None:
        return None
    dsn = told.sentry_dsn.get_secret_value()

    def connect() -> Outlet:
        from payments.alarms.sentry import Sentry, SentryPolicy  # noqa: PLC0415 - 0.3 s, which only an alarm is worth

        named = SentryPolicy(dsn=dsn, environment=told.sentry_environment, server_name=settings.process.name)
        return Sentry(named, tell)

    return Alarms(connect, tell).sound


def build_database(settings: Settings, shield: Shield = nullcontext) -> Database:
    """Return a pool of connections to the ledger; `shield` stands before every use of one."""
    told = settings.database
    return Database(told.url, database_policy(settings), shield)


def database_policy(settings: Settings) -> DatabasePolicy:
    """Return how long the ledger may take."""
    told = settings.database
    return DatabasePolicy(
        pool_size=told.pool_size,
        connect_timeout_seconds=told.connect_timeout_seconds,
        statement_timeout_ms=told.statement_timeout_ms,
    )


def kafka_access(settings: Settings) -> KafkaAccess:
    """Return how to reach the brokers."""
    told = settings.kafka
    return KafkaAccess(
        bootstrap_servers=told.bootstrap_servers,
        ssl=told.ssl,
        ssl_ca_location=told.ssl_ca_location,
        ssl_certificate_location=told.ssl_certificate_location,
        ssl_key_location=told.ssl_key_location,
        sasl_mechanism=told.sasl_mechanism,
        sasl_username=told.sasl_username,
        sasl_password=told.sasl_password.get_secret_value() if told.sasl_password else None,
    )


def position(settings: Settings) -> Position:
    """Return what a bridge reads, and from where."""
    told = settings.kafka
    return Position(
        topic=told.topic,
        group_id=told.group_id,
        group_instance_id=told.group_instance_id,
        session_timeout_ms=told.session_timeout_ms,
        on_new_group=told.on_new_group,
        on_lost_offset=told.on_lost_offset,
    )


def poison_policy(settings: Settings) -> PoisonPolicy:
    """Return when the bridges pause for bad records."""
    told = settings.bridge
    return PoisonPolicy(
        share=told.poison_share,
        window=told.poison_window,
        probe_seconds=told.probe_seconds,
        probe_size=told.probe_size,
    )


def work_policy(settings: Settings) -> WorkPolicy:
    """Return the rules of work."""
    told = settings.work
    two_calls_seconds = 2 * settings.gateway.total_timeout_seconds
    return WorkPolicy(
        lease_seconds=told.lease_seconds,
        line_seconds=max(0.0, told.soft_time_limit_seconds - two_calls_seconds),
        longest_countdown_seconds=told.visibility_timeout_seconds / 2,
        longest_wait_seconds=max(_LONGEST_WAIT, told.out_of_order_wait_seconds),
        buries_when_open=settings.policies.breaker_open_action == "dead-letter",
        out_of_order_wait_seconds=told.out_of_order_wait_seconds,
        out_of_order_window_seconds=told.out_of_order_window_seconds,
        sweep_interval_seconds=told.sweep_interval_seconds,
        sweep_grace_seconds=told.sweep_grace_seconds,
        sweep_batch_size=told.sweep_batch_size,
    )


def replay_policy(settings: Settings) -> ReplayPolicy:
    """Return how much of the dead letters goes back at once."""
    told = settings.dead_letters
    return ReplayPolicy(
        batch_size=told.replay_batch_size,
        least_gap_seconds=least_gap_seconds(told.replay_schedule),
        max_event_bytes=settings.bridge.max_event_bytes,
        job_seconds=min(4.0, settings.work.soft_time_limit_seconds / 2),
    )


def burial_policy(settings: Settings) -> BurialPolicy:
    """Return how dead letters are disposed of."""
    told = settings.dead_letters
    return BurialPolicy(
        delays=ReplayDelays(
            base_seconds=told.replay_base_seconds, factor=told.replay_factor, cap_seconds=told.replay_cap_seconds
        ),
        critical_amount=told.critical_amount,
    )


_LONGEST_WAIT = 5.0
"""Seconds. Thousands of messages that wait in a worker for a breaker would be a burden; rows in a table are none."""


def client_policy(settings: Settings) -> ClientPolicy:
    """Return how long a provider may take."""
    told = settings.gateway
    return ClientPolicy(
        connect_timeout_seconds=told.connect_timeout_seconds,
        read_timeout_seconds=told.total_timeout_seconds,
        total_timeout_seconds=told.total_timeout_seconds,
        max_connections=told.max_connections,
    )


def endpoints(settings: Settings) -> dict[Provider, Endpoint]:
    """Return where each provider is; the sandbox plays those that are not named."""
    told = settings.gateway
    named = {
        Provider.STRIPE: (told.stripe_base_url, told.stripe_api_key),
        Provider.RAZORPAY: (told.razorpay_base_url, told.razorpay_api_key),
        Provider.PAYPAL: (told.paypal_base_url, told.paypal_api_key),
        Provider.CANONICAL: (told.canonical_base_url, told.canonical_api_key),
    }
    places = {provider: (url or told.sandbox_url, key) for provider, (url, key) in named.items()}
    return {
        provider: Endpoint(base_url=url, api_key=key.get_secret_value())
        for provider, (url, key) in places.items()
        if url
    }
