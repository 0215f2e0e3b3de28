"""A look at Celery's broker from the thread of a pulse, beside the connections that Celery itself works with."""

from collections.abc import Iterable
from typing import Any

from payments.queue.tasks import broker_errors

_ASKING: dict[str, Any] = {"socket_timeout": 1.0, "socket_connect_timeout": 1.0}
"""A sign must not wait long for a broker that does not answer."""


class BrokerLook:
    """One connection of its own, made at the first look and again after each fault. One thread at a time may look."""

    def __init__(self, app: Any) -> None:  # noqa: ANN401 - Celery is untyped
        self._app = app
        self._connection: Any = None

    def waiting(self, queues: Iterable[str] = ()) -> int | None:
        """Return how many messages wait in these queues; None where the broker does not answer."""
        try:
            return self._counted(queues)
        except broker_errors(self._app):
            self._connection = None
            return None

    def _counted(self, queues: Iterable[str]) -> int:
        if self._connection is None:
            self._connection = self._app.connection_for_read(transport_options=_ASKING)
        with self._connection.default_channel.client.pipeline(transaction=False) as pipe:
            pipe.ping()
            for name in queues:
                pipe.llen(name)
            return sum(pipe.execute()[1:])
