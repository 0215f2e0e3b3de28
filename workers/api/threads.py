"""Asking the ledger and Redis, which make their caller wait, from an event loop that must not."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import TypeVar

from payments.failures import PoolExhausted

T = TypeVar("T")

_MOST_WAITING = 200
"""Unless somebody else bounds them: more would only wait until their clients have gone."""


class Threads:
    """A few threads. What is asked while all are busy waits for its turn, unless too many wait already."""

    def __init__(self, size: int, most_waiting: int = _MOST_WAITING) -> None:
        self._pool = ThreadPoolExecutor(max_workers=size, thread_name_prefix="api")
        self._most = size + most_waiting
        self._asked = 0
        self._counting = Lock()

    async def ask(self, what: Callable[[], T]) -> T:
        """Return what `what` returns, and raise what it raises. Raises PoolExhausted where too many wait.

        Whoever goes away before its turn has come is not waited for: it is never asked.
        """
        if self._asked >= self._most:
            raise PoolExhausted("too many questions wait for an answer", service="api")
        self._count(1)
        future = self._pool.submit(what)
        future.add_done_callback(lambda _done: self._count(-1))
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Begin nothing more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _count(self, more: int) -> None:
        with self._counting:
            self._asked += more
