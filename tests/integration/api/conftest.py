"""A real API server over a real ledger, in this process, and channels to it."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest

from config.settings import ApiClient, Grant, digest_of
from payferry.v1 import payment_pb2_grpc
from payments.flows.reading import PaymentReader, ReadPolicy
from payments.ledger.bell import NEWS, Bell
from payments.ledger.database import Database, DatabasePolicy
from payments.ledger.feed import Feed
from payments.ledger.history import Histories
from payments.ledger.views import PaymentViews
from payments.resilience.exchange import Exchange, connect
from payments.resilience.last_known import LastKnown
from payments.resilience.policy import BreakerPolicy, RatePolicy
from payments.resilience.rate_limit import RateLimits
from payments.resilience.switchboard import Switchboard
from tests.integration.api.till import Till
from workers.api.callers import Callers
from workers.api.hub import StreamPolicy
from workers.api.server import ApiServer, Edges, ServerPolicy, limit_name
from workers.api.service import Library
from workers.api.subscription import Source
from workers.api.threads import Threads

READER, ADMIN, SEER = "reader-token-0001", "admin-token-00001", "seer-token-000001"
CLIENTS = (
    ApiClient(name="shop", grants=frozenset({Grant.READ}), digest=digest_of(READER)),
    ApiClient(name="ops", grants=frozenset({Grant.READ, Grant.ADMIN}), digest=digest_of(ADMIN)),
    ApiClient(name="crm", grants=frozenset({Grant.READ, Grant.EMAIL}), digest=digest_of(SEER)),
)
STREAMS = StreamPolicy(max_streams=50, buffer_events=10_000, heartbeat_seconds=0.5)


class Running:
    """A server in a thread of its own; `told` is what it has logged."""

    def __init__(self, policy: ServerPolicy, edges: Edges, told: list[tuple[str, dict[str, Any]]]) -> None:
        self.told = told
        self._stopped = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = self._do(self._made(policy, edges))
        self.port: int = self._do(self._server.start())

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def streams(self) -> int:
        """How many it has now."""
        return self._server._hub.count()  # noqa: SLF001 - nobody else has to know

    def tasks(self) -> int:
        """Return how many tasks its event loop has: what a call that does not end leaves behind."""
        return self._do(_count_tasks()) - 1

    def end_the_feed(self) -> None:
        """End the thread that reads it, as a fault that nobody foresaw would."""

        def fail(_position: object, _limit: int) -> None:
            raise SystemExit

        self._server._follower._feed.after = fail  # noqa: SLF001 - there is no such fault from outside

    def stop(self) -> None:
        if self._stopped:
            return
        self._stopped = True
        self._do(self._server.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _do(self, what: Any) -> Any:  # noqa: ANN401 - any coroutine
        return asyncio.run_coroutine_threadsafe(what, self._loop).result(30)

    @staticmethod
    async def _made(policy: ServerPolicy, edges: Edges) -> ApiServer:
        return ApiServer(policy, edges)


async def _count_tasks() -> int:
    return len(asyncio.all_tasks())


Serve = Callable[..., Running]


@pytest.fixture
def serve(database: Database, database_url: str, redis_url: str) -> Iterator[Serve]:
    """Return what starts a server; each ends with the test."""
    running: list[Running] = []

    def start(
        *,
        redis: str | None = redis_url,
        limit: RatePolicy | None = None,
        fresh_seconds: float = 0.0,
        streams: StreamPolicy = STREAMS,
        **told: Any,  # noqa: ANN401 - fields of the policy
    ) -> Running:
        logged: list[tuple[str, dict[str, Any]]] = []
        tell = lambda name, **fields: logged.append((name, fields))  # noqa: E731 - a short one
        exchange = Exchange(connect(redis) if redis else None, tell)
        cache = LastKnown(
            connect(redis, text=False) if redis else None,
            Switchboard(exchange, {"default": BreakerPolicy()}, tell).local("cache"),
            3600.0,
        )
        views, threads = PaymentViews(database), Threads(4)
        policy = DatabasePolicy(pool_size=2, connect_timeout_seconds=3, statement_timeout_ms=5000)
        edges = Edges(
            Library(
                PaymentReader(views, cache, ReadPolicy(remembers=True, fresh_seconds=fresh_seconds)),
                views,
                Histories(database),
                threads,
            ),
            Source(views, Feed(database), threads),
            Bell(database_url, policy, NEWS),
            Callers(CLIENTS),
            RateLimits(exchange, {limit_name(each.name): limit or RatePolicy() for each in CLIENTS}),
            tell,
        )
        whole = {"host": "127.0.0.1", "port": 0, "deadline_seconds": 5.0, "drain_seconds": 2.0}
        server = Running(ServerPolicy(**(whole | told), streams=streams), edges, logged)
        running.append(server)
        return server

    yield start
    for server in running:
        server.stop()


@pytest.fixture
def till(database: Database) -> Till:
    return Till(database)


@pytest.fixture
def server(serve: Serve) -> Running:
    return serve()


@pytest.fixture
def channel(server: Running) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(server.address) as opened:
        yield opened


@pytest.fixture
def stub(channel: grpc.Channel) -> payment_pb2_grpc.PaymentServiceStub:
    return payment_pb2_grpc.PaymentServiceStub(channel)


def bearer(token: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {token}"),)
