"""Putting the server together from the settings."""

from config.settings import ApiClient, Settings
from payments.from_settings import database_policy
from payments.ledger.bell import NEWS, Bell
from payments.ledger.feed import Feed
from payments.ledger.history import Histories
from payments.ledger.views import PaymentViews
from payments.resilience.policy import RatePolicy
from payments.wiring import Wiring
from workers.api.callers import Callers
from workers.api.hub import StreamPolicy
from workers.api.server import ApiServer, Edges, ServerPolicy, limit_name
from workers.api.service import Library
from workers.api.subscription import Source
from workers.api.threads import Threads


def api_server(settings: Settings, clients: tuple[ApiClient, ...]) -> ApiServer:
    """Return a server for these clients. Called in its event loop."""
    names = {client.name for client in clients}
    return ApiServer(server_policy(settings, len(names)), edges(settings, clients))


_STREAM_THREADS = 2
"""Streams that begin or catch up have their own, so that single reads do not wait for them. All may wait at once."""


def edges(settings: Settings, clients: tuple[ApiClient, ...]) -> Edges:
    """Return what the server reads from, for these clients."""
    wiring = Wiring(settings)
    told = settings.api
    reading, listing = wiring.database_for("reading"), wiring.database_for("listing")
    limit = RatePolicy(calls_per_second=told.calls_per_second, burst=told.call_burst, alone_share=1.0)
    callers = Callers(clients)
    threads = max(1, settings.database.pool_size - _STREAM_THREADS - 1)  # the feed has one as well
    return Edges(
        Library(
            wiring.reader(told.cache_seconds, reading), PaymentViews(listing), Histories(reading), Threads(threads)
        ),
        Source(PaymentViews(reading), Feed(reading), Threads(_STREAM_THREADS, told.max_subscribers)),
        Bell(settings.database.url, database_policy(settings), NEWS),
        callers,
        wiring.rate_limits({limit_name(name): limit for name in callers.names}),
        wiring.tell,
    )


def server_policy(settings: Settings, clients: int = 1) -> ServerPolicy:
    """Return where the server listens, and its bounds. Of several clients each may have half of the streams."""
    told = settings.api
    return ServerPolicy(
        host=told.host,
        port=told.port,
        streams=StreamPolicy(
            max_streams=told.max_subscribers,
            most_per_client=max(1, told.max_subscribers // 2) if clients > 1 else None,
            buffer_events=told.buffer_events,
            heartbeat_seconds=told.heartbeat_seconds,
        ),
        deadline_seconds=told.deadline_seconds,
        drain_seconds=told.drain_seconds,
        cert_file=told.tls_cert_file,
        key_file=told.tls_key_file,
        client_ca_file=told.tls_client_ca_file,
    )
