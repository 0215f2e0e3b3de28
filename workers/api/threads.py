"""Asking the ledger and Redis, which make their caller wait, from an event loop that must not."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


class Threads:
    """A few threads. What is asked while all are busy waits for its turn."""

    def __init__(self, size: int) -> None:
        self._pool = ThreadPoolExecutor(max_workers=size, thread_name_prefix="api")

    async def ask(self, what: Callable[[], T]) -> T:
        """Return what `what` returns, and raise what it raises."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, what)

    def close(self) -> None:
        """Begin nothing more."""
        self._pool.shutdown(wait=False, cancel_futures=True)
