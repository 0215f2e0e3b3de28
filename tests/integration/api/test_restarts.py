"""A database that crashes under the streams, and a server that was held so long that the feed went on without it."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import grpc
import msgspec
import pytest
from google.rpc import error_details_pb2

from payments.ledger.database import Database, DatabasePolicy
from payments.ledger.feed import Feed
from payments.ledger.schema import migrate
from tests.acceptance.commands import PROGRAM
from tests.acceptance.running import Running
from tests.integration.api.conftest import READER, STREAMS, Serve
from tests.integration.api.conftest import Running as Server
from tests.integration.api.test_calls import detail
from tests.integration.api.test_streams import Watcher
from tests.integration.api.till import Till
from tests.integration.kafka import eventually
from workers.embedded.port import free_port
from workers.embedded.postgres import Postgres

POLICY = DatabasePolicy(pool_size=1, connect_timeout_seconds=3, statement_timeout_ms=5000)


@pytest.fixture
def own_postgres() -> Iterator[Postgres]:
    """A server of a test's own, which it may kill."""
    with Postgres() as server:
        migrate(server.url)
        yield server


@pytest.fixture
def database_url(own_postgres: Postgres) -> str:
    return own_postgres.url


def code_of(error: grpc.RpcError) -> str:
    told = detail(error, error_details_pb2.ErrorInfo)
    assert isinstance(told, error_details_pb2.ErrorInfo)
    return told.reason


def has_noticed(server: Server) -> bool:
    return any(name == "feed_unread" for name, _ in server.told)


def test_streams_go_on_without_a_gap_after_the_database_has_crashed(
    serve: Serve, till: Till, own_postgres: Postgres
) -> None:
    server = serve()
    watcher = Watcher(server.address)
    watcher.until(lambda each: each.live)
    till.captured("a", "b")
    watcher.until(lambda each: len(each.events) == 2)
    own_postgres.kill()
    eventually(lambda: has_noticed(server), "the server has noticed")
    own_postgres.start()
    with closing(Database(own_postgres.url, POLICY)) as database:  # those of before are of no use
        till = Till(database)
        till.captured("c")
        till.refunded("a", "re_1")
    watcher.until(lambda each: len(each.events) == 4)
    assert watcher.told == [("a", 1), ("b", 1), ("c", 1), ("a", 2)]
    for place, event in enumerate(watcher.events):
        rest = Watcher(server.address, cursor=event.cursor)
        rest.until(lambda each, place=place: len(each.events) == 3 - place)
        assert rest.told == watcher.told[place + 1 :]
        rest.close()
    watcher.close()


def test_a_server_that_still_waits_for_its_ledger_ends_when_it_is_told_to(tmp_path: Path) -> None:
    nowhere = {
        "DATABASE_URL": "postgresql://postgres@127.0.0.1:1/nowhere",
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "API_PORT": str(free_port()),
        "API_TOKENS": f"shop:read:{READER}",
    }
    with Running([PROGRAM, "api"], nowhere, tmp_path, "api") as running:
        running.wait_for(lambda: "feed_unread" in running.output(), "it has noticed")
        assert running.stop(10) == 0


def test_while_the_database_is_away_streams_give_signs_of_life_and_stand_still(
    serve: Serve, till: Till, own_postgres: Postgres
) -> None:
    server = serve(streams=msgspec.structs.replace(STREAMS, heartbeat_seconds=0.1))
    watcher = Watcher(server.address)
    till.captured("a")
    watcher.until(lambda each: len(each.events) == 1)
    own_postgres.kill()
    eventually(lambda: has_noticed(server), "the server has noticed")
    cursor, signs = watcher.cursor, watcher.signs
    watcher.until(lambda each: each.signs >= signs + 3)
    assert watcher.cursor == cursor
    watcher.close()


def test_what_was_forgotten_before_the_server_has_read_it_is_no_silent_gap(
    serve: Serve, till: Till, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve()
    watcher = Watcher(server.address)
    watcher.until(lambda each: each.live)
    with monkeypatch.context() as held:
        held.setattr(Feed, "after", lambda *_: 1 / 0)
        eventually(lambda: has_noticed(server), "the server reads no more")
        till.captured("a", "b")
        database.run("UPDATE payment_events SET settled_at = now() - interval '8 days'")
        assert Feed(database).purge(7 * 86_400.0, 10) == 2
    till.captured("c")
    error = watcher.ended()
    assert watcher.events == []
    again = Watcher(server.address, cursor=watcher.cursor)
    assert [code_of(error), code_of(again.ended())] == ["too_slow", "cursor_lost"]
