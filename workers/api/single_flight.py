"""One question at a time about the same thing: who asks meanwhile gets the same answer."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class _Flight(Generic[T]):
    """An answer that is under way, and how many wait for it."""

    def __init__(self, task: "asyncio.Task[T]") -> None:
        self.task = task
        self.waiting = 0


class SingleFlight(Generic[T]):
    """Answers that are under way, by what they are about."""

    def __init__(self) -> None:
        self._under_way: dict[Hashable, _Flight[T]] = {}

    async def of(self, key: Hashable, ask: Callable[[], Awaitable[T]]) -> T:
        """Return the answer that is under way for `key`, or ask for one.

        Who goes away does not take it from others; when the last one has gone, nobody asks any more.
        """
        flight = self._under_way.get(key) or self._begun(key, ask)
        flight.waiting += 1
        try:
            return await asyncio.shield(flight.task)
        finally:
            flight.waiting -= 1
            if not flight.waiting and not flight.task.done():
                self._forget(key, flight)
                flight.task.cancel()

    def _begun(self, key: Hashable, ask: Callable[[], Awaitable[T]]) -> _Flight[T]:
        task: asyncio.Task[T] = asyncio.ensure_future(_asked(ask))
        flight = self._under_way[key] = _Flight(task)
        task.add_done_callback(lambda done: self._landed(key, flight, done))
        return flight

    def _landed(self, key: Hashable, flight: _Flight[T], task: "asyncio.Task[T]") -> None:
        self._forget(key, flight)
        if not task.cancelled():
            task.exception()  # looked at, also where everybody who asked is gone

    def _forget(self, key: Hashable, flight: _Flight[T]) -> None:
        if self._under_way.get(key) is flight:
            del self._under_way[key]


async def _asked(ask: Callable[[], Awaitable[Any]]) -> Any:  # noqa: ANN401 - whatever is asked for
    return await ask()
