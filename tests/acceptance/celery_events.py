"""What Celery tells about its tasks: all that Flower could show."""

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from celery import Celery

_LOOK_SECONDS = 0.5


class CeleryEvents:
    """Takes every event from a broker, while entered."""

    def __init__(self, url: str) -> None:
        self._app = Celery("watcher", broker=url, set_as_current=False)
        self._seen: list[dict[str, Any]] = []
        self._ready = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(30)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join(30)
        self._app.close()

    def all(self) -> list[dict[str, Any]]:
        """Return what was seen by now."""
        return list(self._seen)

    def of(self, kind: str, chosen: Callable[[dict[str, Any]], bool] = lambda _: True) -> list[dict[str, Any]]:
        """Return the events of a type that are chosen, in their order."""
        return [event for event in self.all() if event["type"] == kind and chosen(event)]

    def _watch(self) -> None:
        with self._app.connection() as connection:
            receiver = self._app.events.Receiver(connection, handlers={"*": self._seen.append})
            with receiver.consumer_context() as (consuming, _channel, _consumers):
                self._ready.set()
                while not self._stopping.is_set():
                    self._drain(consuming)

    @staticmethod
    def _drain(connection: Any) -> None:  # noqa: ANN401 - kombu is untyped
        try:
            connection.drain_events(timeout=_LOOK_SECONDS)
        except TimeoutError:  # nothing came
            return
