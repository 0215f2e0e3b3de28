"""A survey of real servers, and what it becomes as metrics."""

from collections.abc import Iterator

import psycopg
import pytest
import redis

from config.settings import Settings
from payments.ledger.database import Database
from payments.ledger.sweeps import Sweeps
from payments.metrics.catalogue import CATALOGUE, Source
from payments.resilience.exchange import connect
from tests.integration.kafka import Brokers
from tests.integration.ledger.dead_letters.letters import a_letter, a_row
from workers.embedded.port import free_port
from workers.monitor.building import surveyor_of
from workers.monitor.finding import Status
from workers.monitor.samples import samples
from workers.monitor.server import verdict_policy
from workers.monitor.survey import Survey
from workers.monitor.surveyor import Surveyor
from workers.monitor.verdict import judge
from workers.pulse.book import PulseBook
from workers.pulse.sign import Sign

ROLES = ("bridge", "worker", "beat", "relay")


@pytest.fixture
def settings(
    database_url: str, redis_url: str, kafka: Brokers, topic: str, group: str, monkeypatch: pytest.MonkeyPatch
) -> Settings:
    told = {
        "DATABASE_URL": database_url,
        "CELERY_BROKER_URL": redis_url,
        "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "KAFKA_TOPIC": topic,
        "KAFKA_GROUP_ID": group,
        "PAYFERRY_POLICY__RATE_LIMITS__STRIPE__CALLS_PER_SECOND": "50",
    }
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    return Settings()


@pytest.fixture
def surveyor(settings: Settings) -> Iterator[Surveyor]:
    with surveyor_of(settings, lambda *_name, **_fields: None) as made:
        yield made


def populate(database: Database, settings: Settings) -> None:
    """Put a little of everything there."""
    a_row(database, "evt_1")
    a_letter(database, state="parked", first_failed=100.0)
    a_letter(database, state="resolved", resolution="settled", replay_count=1, first_failed=500.0, ended=100.0)
    Sweeps(database).take_slot("sweep", 1.0)
    with connect(settings.redis.state_url) as client:
        for role in ROLES:
            name = f"{role}@box"
            PulseBook(client).write(Sign(name=name, role=role, host="box", pid=1, version="1", started_at=0.0))


def read(survey: Survey, settings: Settings) -> dict[tuple[str, tuple[str, ...]], float]:
    verdict = judge(survey, verdict_policy(settings))
    return {(name, labels): value for name, labels, value in samples(survey, verdict)}


def test_every_metric_of_the_fleet_has_a_sample_with_the_labels_of_the_catalogue(
    surveyor: Surveyor, settings: Settings, database: Database
) -> None:
    populate(database, settings)
    survey = surveyor.look()
    assert survey.unread == {}
    told = read(survey, settings)
    assert {name for name, _ in told} == {name for name, one in CATALOGUE.items() if one.source is Source.FLEET}
    assert all(len(labels) == len(CATALOGUE[name].labels) for name, labels in told)


def test_a_survey_counts_what_is_there(
    surveyor: Surveyor, settings: Settings, database: Database, redis_url: str
) -> None:
    populate(database, settings)
    with redis.Redis.from_url(redis_url) as client:
        client.lpush("payments.stripe", "a", "b")
    told = read(surveyor.look(), settings)
    assert told["payferry_inbox_events", ("stripe", "received")] == 1
    assert told["payferry_dead_letters", ("parked",)] == 1
    assert told["payferry_dead_letters", ("resolved",)] == 1
    assert told["payferry_dead_letter_replays_lately", ("succeeded",)] == 1
    assert told["payferry_dead_letters_parked_unseen_seconds", ()] == pytest.approx(100.0, abs=10.0)
    assert told["payferry_dead_letters_last_processed_seconds", ()] == pytest.approx(100.0, abs=10.0)
    assert told["payferry_queue_messages", ("payments.stripe",)] == 2
    assert told["payferry_rate_limit_calls_per_second", ("stripe",)] == 50
    assert told["payferry_processes", ("worker", "alive")] == 1
    assert told["payferry_health", ("healthy",)] == 1


def test_what_has_ended_is_counted_for_good_but_what_is_dead(
    surveyor: Surveyor, settings: Settings, database: Database
) -> None:
    for number, state in enumerate(("settled", "settled", "declined", "dead")):
        row = a_row(database, f"evt_{number}")
        told = {"id": row, "state": state}
        database.run("UPDATE inbox SET state = %(state)s::inbox_state, finished_at = now() WHERE id = %(id)s", told)
    told = read(surveyor.look(), settings)
    assert told["payferry_events_ended", ("stripe", "settled")] == 2
    assert told["payferry_events_ended", ("stripe", "declined")] == 1
    assert ("payferry_events_ended", ("stripe", "dead")) not in told
    assert told["payferry_inbox_events", ("stripe", "dead")] == 1


def test_an_event_behind_another_is_not_overdue(surveyor: Surveyor, database: Database) -> None:
    first, second = (a_row(database, f"evt_{number}") for number in range(2))
    line = {"first": first, "second": second}
    database.run("UPDATE inbox SET ordering_key = 'stripe:pi_1', received_at = now() - '1 hour'::INTERVAL", line)
    database.run("UPDATE inbox SET due_at = now() + '1 hour'::INTERVAL WHERE id = %(first)s", line)
    database.run("UPDATE inbox SET due_at = now() - '1 hour'::INTERVAL WHERE id = %(second)s", line)
    ledger = surveyor.look().ledger
    assert ledger is not None
    assert ledger.oldest_due_seconds == 0.0
    database.run("UPDATE inbox SET yielding_since = now() WHERE id = %(first)s", line)  # lets those behind it go first
    ledger = surveyor.look().ledger
    assert ledger is not None
    assert ledger.oldest_due_seconds == pytest.approx(3600.0, abs=10.0)


def test_servers_that_are_away_cost_their_own_parts_and_a_survey_a_bounded_time(
    settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    populate(database, settings)
    nowhere = free_port()
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", f"127.0.0.1:{nowhere}")
    monkeypatch.setenv("CELERY_BROKER_URL", f"redis://127.0.0.1:{nowhere}/0")
    with surveyor_of(Settings(), lambda *_name, **_fields: None) as surveyor:
        survey = surveyor.look()
    assert survey.took_seconds < 3.0
    assert survey.ledger is not None
    assert survey.unread.keys() == {"queues", "kafka", "fleet", "resilience"}
    assert survey.dependencies == {"postgresql": True, "redis": False, "shared_state": False, "kafka": False}
    assert judge(survey, verdict_policy(settings)).status is Status.DEGRADED


def test_without_its_database_the_rest_of_the_fleet_is_still_seen(
    surveyor: Surveyor, settings: Settings, database: Database
) -> None:
    populate(database, settings)
    assert surveyor.look().ledger is not None
    with psycopg.connect(settings.database.url, autocommit=True) as connection:
        connection.execute("ALTER TABLE inbox RENAME TO hidden")
        connection.execute("ALTER TABLE dead_letters RENAME TO hidden_letters")
        try:
            survey = surveyor.look()
        finally:
            connection.execute("ALTER TABLE hidden RENAME TO inbox")
            connection.execute("ALTER TABLE hidden_letters RENAME TO dead_letters")
    assert survey.unread.keys() >= {"ledger"}
    assert survey.fleet is not None
    assert len(survey.fleet.processes) == len(ROLES)
