"""The surveyor, put together from the settings."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import msgspec
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from config.policies import told_policies
from config.settings import Settings
from payments.from_settings import database_policy, kafka_access
from payments.ledger.bridge_pauses import BridgePauses
from payments.ledger.census import Census
from payments.ledger.database import Database
from payments.ledger.dead_letters.attention import DeadLetterAttention
from payments.ledger.dead_letters.statistics import DeadLetterStatistics
from payments.log_events import Tell
from payments.policy_check import load_policies
from payments.resilience.exchange import Exchange, connect
from payments.streams.reader import TopicReader
from workers.monitor.looks import DeadLetterLook, FleetLook, KafkaLook, LedgerLook, ResilienceLook
from workers.monitor.part import Part, Trusted
from workers.monitor.queues import read_queues
from workers.monitor.surveyor import Surveyor
from workers.pulse.book import PulseBook

_ANSWER_SECONDS = 2.0
"""How long each server may take for one answer: less than a survey may take."""

_COUNTING_MS = 60_000
"""How long a count of everything may take. It holds nobody up but the next such count."""

_CONNECTIONS = 2


@contextmanager
def surveyor_of(settings: Settings, tell: Tell) -> Iterator[Surveyor]:
    """Lend what looks at the whole fleet. It has connections of its own, and no breaker: it is to see what is so.

    `settings` must name all servers.
    """
    with ExitStack() as exits:
        quick = _database(settings, exits, settings.database.statement_timeout_ms)
        counting = _database(settings, exits, _COUNTING_MS)
        broker = exits.enter_context(_broker(settings))
        url = settings.redis.state_url
        exchange = Exchange(connect(url) if url else None, tell)
        book = PulseBook(connect(url)) if url else None
        reader = TopicReader(
            kafka_access(settings), settings.kafka.topic, settings.kafka.group_id, answer_seconds=_ANSWER_SECONDS
        )
        exits.callback(reader.close)
        pauses = BridgePauses(quick, settings.kafka.topic, settings.kafka.group_id)
        dead_letters = DeadLetterLook(DeadLetterStatistics(counting), DeadLetterAttention(counting))
        parts = {
            "ledger": Part(LedgerLook(Census(quick), pauses)),
            "ended": Part(Trusted(Census(counting).ended), slow=True),
            "dead_letters": Part(Trusted(dead_letters), slow=True),
            "queues": Part(lambda: read_queues(broker)),
            "resilience": Part(ResilienceLook(exchange, load_policies(told_policies(settings)), tell)),
            "kafka": Part(KafkaLook(reader, settings.kafka.topic)),
            "fleet": Part(FleetLook(book, settings.monitor.roles)),
        }
        surveyor = Surveyor(parts)
        exits.callback(surveyor.close)
        yield surveyor


def _database(settings: Settings, exits: ExitStack, statement_timeout_ms: int) -> Database:
    told = msgspec.structs.replace(
        database_policy(settings),
        pool_size=_CONNECTIONS,
        connect_timeout_seconds=int(_ANSWER_SECONDS),
        statement_timeout_ms=statement_timeout_ms,
    )
    database = Database(settings.database.url, told)
    exits.callback(database.close)
    return database


def _broker(settings: Settings) -> redis.Redis:
    return redis.Redis.from_url(
        settings.redis.url,
        socket_connect_timeout=_ANSWER_SECONDS,
        socket_timeout=_ANSWER_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )
