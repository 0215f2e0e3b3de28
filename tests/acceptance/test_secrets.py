"""Card numbers and e-mail addresses go no further than the inbox."""

from typing import Any, Self

import pytest
import redis

from payments.streams.kafka import KafkaAccess
from payments.streams.reader import TopicReader
from tests.acceptance.celery_events import CeleryEvents
from tests.acceptance.commands import payferry
from tests.acceptance.harbour import Harbour
from tests.acceptance.quick import QUICK
from tests.acceptance.running import Sandbox, Up
from tests.integration.kafka import eventually
from workers.traffic import CARDS, Traffic

CANARIES = ("@example.com", "customer_email", *CARDS)
RECORDS = 300


def shown(text: str) -> list[str]:
    """Return the canaries that are in a text."""
    return [canary for canary in CANARIES if canary in text]


class Keys:
    """Everything that a Redis holds, looked at again and again."""

    def __init__(self, client: "redis.Redis") -> None:
        self._client = client
        self.found: set[str] = set()
        self.looked_at = 0

    def look(self) -> int:
        """Take note of the canaries in all that is there now; return how many values were looked at so far."""
        for key in self._client.scan_iter(count=1000):
            text = key.decode(errors="replace") + self._text(key)
            self.looked_at += 1
            self.found.update(shown(text))
        return self.looked_at

    def _text(self, key: bytes) -> str:
        """Return the value; the dump of a short list is compressed, so its elements are read one by one."""
        match self._client.type(key):
            case b"list":
                parts: list[Any] = self._client.lrange(key, 0, -1)
            case b"hash":
                parts = [part for pair in self._client.hgetall(key).items() for part in pair]
            case _:
                parts = [self._client.dump(key) or b""]
        return "\n".join(part.decode(errors="replace") for part in parts)


class Announced:
    """The topic of outgoing events."""

    def __init__(self, bootstrap_servers: str, topic: str) -> None:
        self.topic = topic
        self._reader = TopicReader(KafkaAccess(bootstrap_servers=bootstrap_servers), topic, "reads")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._reader.close()

    def texts(self) -> list[str]:
        """Return all that was sent so far, headers too."""
        return [f"{record.payload!r} {record.key!r} {record.headers}" for record in self._reader.records()]


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_no_canary_is_in_a_log_in_redis_or_in_celerys_events(harbour: Harbour) -> None:
    with (
        Sandbox(harbour.folder, "--error-rate", "0.3", "--decline-rate", "0.2", "--rate-limit-rate", "0.05") as sandbox,
        redis.Redis.from_url(harbour.redis_url) as client,
        redis.Redis.from_url(harbour.redis_url.removesuffix("/0") + "/1") as shared,
        CeleryEvents(harbour.redis_url) as events,
        Announced(harbour.env["KAFKA_BOOTSTRAP_SERVERS"], f"{harbour.env['KAFKA_TOPIC']}.events") as announced,
    ):
        env = {
            **harbour.env,
            **QUICK,
            "SANDBOX_URL": sandbox.url,
            "KAFKA_EVENTS_TOPIC": announced.topic,
            "LOG_LEVEL": "debug",
        }
        keys, states = Keys(client), Keys(shared)
        with Up(env, harbour.folder, "--no-flower") as up:
            arguments = ("produce", "--count", str(RECORDS), "--seed", "11", "--bad", "0.1")
            assert payferry(*arguments, env=env, folder=harbour.folder).code == 0
            eventually(lambda: keys.look() + states.look() >= 0 and _has_ended(harbour), "all has ended")
            eventually(lambda: len(announced.texts()) >= _changes(harbour), "all is announced")
            eventually(lambda: events.of("task-retried"), "the failures are told")
            keys.look()
            sent = announced.texts()
    assert _emails_known(harbour) > RECORDS / 10, "what must get no further is really there"
    assert shown("".join(sent)) == []
    endings = dict(harbour.ledger.rows("SELECT state::TEXT, count(*) FROM inbox GROUP BY state"))
    assert endings["declined"] > 0
    assert harbour.ledger.rows("SELECT count(*) FROM dead_letters")[0][0] > 0
    assert shown(up.output()) == []
    assert shown(sandbox.output()) == []
    assert keys.looked_at > 0
    assert states.looked_at > 0
    assert keys.found == states.found == set()
    assert len(events.of("task-succeeded")) > RECORDS / 3
    assert shown(repr(events.all())) == []


def _changes(harbour: Harbour) -> int:
    told: int = harbour.ledger.rows("SELECT count(*) FROM inbox WHERE state IN ('settled', 'declined')")[0][0]
    return max(told, 1)


def _emails_known(harbour: Harbour) -> int:
    told: int = harbour.ledger.rows("SELECT count(*) FROM payments WHERE customer_email LIKE '%@example.com'")[0][0]
    return told


def _has_ended(harbour: Harbour) -> bool:
    return harbour.ledger.ended() == harbour.ledger.taken_in() >= RECORDS * 0.9


def test_the_canaries_really_are_in_what_is_sent() -> None:
    sent = "".join(message.value.decode(errors="replace") for message in Traffic(11).messages(RECORDS))
    assert set(shown(sent)) == set(CANARIES)
