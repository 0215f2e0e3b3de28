"""The settings, as the values that each room knows: what the environment says in the words of those who act on it."""

from typing import Any

from config.schedule import least_gap_seconds
from config.settings import Settings
from payments.event import Provider
from payments.flows.dead_letters.burying import BurialPolicy
from payments.flows.dead_letters.desk import ReplayPolicy
from payments.flows.desk import WorkPolicy
from payments.gateway.client import ClientPolicy
from payments.gateway.endpoint import Endpoint
from payments.ledger.database import DatabasePolicy
from payments.ledger.dead_letters.burial import ReplayDelays
from payments.resilience.poison import PoisonPolicy
from payments.streams.consumer import Position
from payments.streams.kafka import KafkaAccess


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


def trace_settings(settings: Settings) -> dict[str, Any]:
    """Return where traces go, as a `TracePolicy` has it: where they go nowhere, its module is not even read."""
    told = settings.tracing
    return {
        "exporter": told.exporter,
        "endpoint": told.endpoint,
        "headers": told.header_pairs(),
        "ratio": told.sample_ratio,
        "process": settings.process.name,
    }


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
