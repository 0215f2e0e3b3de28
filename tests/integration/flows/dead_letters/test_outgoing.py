"""An outgoing message that the brokers refuse for good: a dead letter, which can be sent again or given up."""

from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
from alembic import command
from alembic.config import Config

from payments.event import Kind
from payments.failures import MessageTooLarge, PublishRefused, SchemaInvalid
from payments.flows.dead_letters.desk import ReplayDesk
from payments.flows.dead_letters.editing import edited_event
from payments.flows.dead_letters.job import work_on_job
from payments.flows.desk import Desk
from payments.flows.process import process
from payments.flows.relay import Relayed, relay_batch
from payments.ledger import schema
from payments.ledger.database import Database, DatabasePolicy
from payments.ledger.dead_letters.actor import Actor
from payments.ledger.dead_letters.changes import Changes, NotPossible
from payments.ledger.dead_letters.choice import Choice
from payments.ledger.dead_letters.search import Search
from payments.ledger.outbox import Outbox
from payments.ledger.schema import migrate
from payments.streams.publisher import Outgoing, StreamPublisher
from tests.builders import an_event
from tests.integration.flows.dead_letters.letters import letters, receive

EVENTS = "payments.events"
JO = Actor("jo@desk", "asked for")


class Broker:
    """Refuses the topics named, for good, and takes all else."""

    def __init__(self, *refused: str, refusal: type[PublishRefused] = MessageTooLarge) -> None:
        self.taken: list[Outgoing] = []
        self._refused = refused
        self._refusal = refusal

    def send(self, messages: Iterable[Outgoing]) -> int:
        batch = list(messages)
        if any(message.topic in self._refused for message in batch):
            raise self._refusal("MSG_SIZE_TOO_LARGE", service="kafka", operation="produce")
        self.taken += batch
        return len(batch)


def relayed(database: Database, broker: Broker) -> Relayed:
    return relay_batch(Outbox(database), cast("StreamPublisher", broker), 500)


@pytest.fixture
def settled(desk: Desk, database: Database) -> str:
    """Return the payload of the announcement of one captured payment, which waits in the outbox."""
    [inbox_id] = receive(database, an_event(kind=Kind.CAPTURED))
    process(desk, inbox_id)
    row = database.row("SELECT payload::TEXT FROM outbox")
    assert row is not None
    return str(row[0])


def replay(replayer: ReplayDesk) -> bool:
    """Replay all that can be, as `payferry dlq replay` does; return whether there was any."""
    job = replayer.jobs.make(Choice(states=("pending", "parked")), JO)
    return job is not None and work_on_job(replayer, job.id) == "done"


def states(database: Database) -> list[tuple[Any, ...]]:
    return letters(database, "state::TEXT, resolution, replay_count")


def test_it_is_a_parked_dead_letter_with_all_that_is_known_of_it(database: Database, settled: str) -> None:
    relayed(database, Broker(EVENTS))
    record = Search(database).record(1)
    assert record is not None
    assert (record["origin"], record["state"], record["topic"], record["partition"]) == ("outbox", "parked", EVENTS, -1)
    assert (record["provider"], record["event_id"], record["payment"]) == ("stripe", "evt_1", "stripe:p1")
    assert (record["reason"], record["category"], record["service"]) == ("message_too_large", "permanent", "kafka")
    assert [attempt["message"] for attempt in record["attempts"]] == ["MSG_SIZE_TOO_LARGE"]
    assert letters(database, "payload, key") == [(settled.encode(), b"stripe:p1")]
    [(headers,)] = letters(database, "headers::TEXT")
    assert ("ce_type", b"payferry.payment.completed") in msgspec.json.decode(headers, type=list[tuple[str, bytes]])


def test_it_is_told_of_where_its_event_came_from(database: Database, settled: str) -> None:
    del settled
    broker = Broker(EVENTS)
    relayed(database, broker)
    relayed(database, broker)
    [told] = broker.taken
    headers = dict(told.headers)
    assert (told.topic, told.key) == ("payments.raw.dlq", b"1")
    assert (headers["original_topic"], headers["state"]) == (EVENTS.encode(), b"parked")


def test_a_replay_sends_it_as_it_was_and_resolves_its_letter(
    database: Database, settled: str, replayer: ReplayDesk
) -> None:
    relayed(database, Broker(EVENTS))
    headers = database.row("SELECT headers FROM dead_letters")
    assert replay(replayer)
    assert states(database) == [("replaying", None, 1)]
    assert database.row(f"SELECT headers FROM outbox WHERE topic = '{EVENTS}'") == headers  # noqa: S608 - a constant
    broker = Broker()
    relayed(database, broker)
    assert [message.value.decode() for message in broker.taken if message.topic == EVENTS] == [settled]
    assert states(database) == [("resolved", "sent", 1)]
    [marks] = letters(database, "jsonb_path_query_array(replays, '$[*].mark')")
    assert marks == (["sent", "resolved"],)


def test_a_message_that_is_refused_again_goes_on_with_the_same_letter(
    database: Database, settled: str, replayer: ReplayDesk
) -> None:
    relayed(database, Broker(EVENTS))
    for number in (1, 2):
        assert replay(replayer)
        relayed(database, Broker(EVENTS, refusal=SchemaInvalid))
        assert states(database) == [("parked", None, number)]
    assert letters(database, "reason, jsonb_array_length(failures), convert_from(payload, 'UTF8')") == [
        ("schema_invalid", 3, settled)
    ]
    assert replay(replayer)
    relayed(database, Broker())
    assert states(database) == [("resolved", "sent", 3)]


def test_a_discarded_one_goes_nowhere_until_it_is_restored(
    database: Database, settled: str, replayer: ReplayDesk
) -> None:
    relayed(database, Broker(EVENTS))
    changes = Changes(database)
    assert changes.discard(Choice(ids=(1,)), JO) == 1
    assert not replay(replayer)
    assert database.row("SELECT count(*) FROM outbox WHERE topic = 'payments.events'") == (0,)
    assert changes.restore(Choice(ids=(1,)), JO) == 1
    assert replay(replayer)
    broker = Broker()
    relayed(database, broker)
    assert settled in [message.value.decode() for message in broker.taken]


def test_a_broker_that_takes_no_dead_letters_either_makes_no_more_of_them(database: Database, settled: str) -> None:
    del settled
    broker = Broker(EVENTS, "payments.raw.dlq")
    for _ in range(3):
        relayed(database, broker)
    assert len(letters(database)) == 1
    assert database.rows("SELECT topic, refused FROM outbox") == [("payments.raw.dlq", "MSG_SIZE_TOO_LARGE")]


def test_it_cannot_be_edited_and_says_why(database: Database, settled: str) -> None:
    relayed(database, Broker(EVENTS))
    original = Changes(database).original(1)
    assert original is not None
    with pytest.raises(NotPossible, match="a message of ours"):
        edited_event(original, settled.encode(), 1_048_576)


def test_a_letter_that_is_no_message_of_ours_is_replayed_beside_it(
    database: Database, settled: str, replayer: ReplayDesk
) -> None:
    del settled
    relayed(database, Broker(EVENTS))
    database.run(
        """
        INSERT INTO dead_letters (origin, topic, partition, "offset", payload, reason, message)
        VALUES ('intake', 'payments.raw', 0, 7, '{"id":', 'undecodable', '$: no JSON')
        """
    )
    assert replay(replayer)
    assert states(database) == [("replaying", None, 1), ("parked", None, 1)]


def test_on_the_way_down_and_up_again_a_refused_message_keeps_its_place(own_schema: str) -> None:
    policy = DatabasePolicy(pool_size=2, connect_timeout_seconds=3, statement_timeout_ms=10_000)
    with closing(Database(own_schema, policy)) as database:
        database.run("INSERT INTO outbox (topic, key, payload) VALUES ('payments.events', 'stripe:p1', '{\"n\": 1}')")
        relayed(database, Broker(EVENTS))
        _downgrade(own_schema, "0004")
        row = database.row("SELECT topic, key, payload, refused FROM outbox WHERE topic = 'payments.events'")
        assert row == (EVENTS, "stripe:p1", {"n": 1}, "MSG_SIZE_TOO_LARGE")
        migrate(own_schema)
        assert [letter.payload for letter in Outbox(database).waiting(10) if letter.topic == EVENTS] == [b'{"n": 1}']


def _downgrade(url: str, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(schema.__file__).with_name("migrations")))
    config.set_main_option("sqlalchemy.url", url.replace("postgresql://", "postgresql+psycopg://"))
    command.downgrade(config, revision)
