"""Looking around: every part of a survey at the same time, each for itself."""

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

from workers.monitor.part import Part, Unread
from workers.monitor.survey import Survey

_PATIENCE_SECONDS = 2.5
"""The longest that a survey waits for its parts."""


class Surveyor:
    """Reads the parts of a Survey by their names. One thread looks at a time."""

    def __init__(self, parts: Mapping[str, Part], patience_seconds: float = _PATIENCE_SECONDS) -> None:
        self._parts = parts
        self._patience_seconds = patience_seconds
        self._pool = ThreadPoolExecutor(max_workers=len(parts), thread_name_prefix="look")

    def look(self) -> Survey:
        """Return what can be seen now. Never raises; takes no longer than the patience."""
        began = time.monotonic()
        taken_at = datetime.now(UTC)
        for part in self._parts.values():
            part.begin(self._pool)
        found: dict[str, Any] = {}
        unread: dict[str, str] = {}
        for name, part in self._parts.items():
            try:
                found[name] = part.answer(began + self._patience_seconds - time.monotonic())
            except Unread as why:
                found[name], unread[name] = None, str(why)
        took_seconds = round(time.monotonic() - began, 4)
        return Survey(taken_at=taken_at, took_seconds=took_seconds, unread=unread, **found)

    def close(self) -> None:
        """Look no more. What is still being read is left alone."""
        self._pool.shutdown(wait=False, cancel_futures=True)
