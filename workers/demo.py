"""The demonstration: events through a running stack, with or without faults, and the proof at the end."""

import secrets
import signal
import time
from collections.abc import Iterator

import redis
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from payments.flows.reconcile import Reconciliation
from payments.ledger.census import Census
from payments.ledger.state import ENDED
from payments.wiring import Wiring
from workers.cli.reconcile import compare, show
from workers.stack import Stack
from workers.traffic import Message, Traffic, outgoing

_LOOK_SECONDS = 0.25
_KILL_AT, _WIPE_AT = 0.25, 0.5  # of all events ended
_PATIENCE_SECONDS = 120.0  # without any progress


class Demo:
    """Sends `payments` events, and some duplicates on top, and watches them end."""

    def __init__(self, stack: Stack, console: Console, *, payments: int, seed: int | None, faults: bool) -> None:
        self._stack = stack
        self._console = console
        self._payments = payments
        self._seed = secrets.randbits(31) if seed is None else seed
        self._wiring = Wiring(stack.settings)
        self._census = self._wiring.census()
        self._faults = [(_KILL_AT, self._kill_worker), (_WIPE_AT, self._wipe_redis)] if faults else []

    def run(self, *, json: bool) -> bool:
        """Return whether everything that was sent has ended, with clean books."""
        started = time.monotonic()
        self._produce()
        produced = time.monotonic()
        self._watch()
        ended = time.monotonic()
        found = compare(self._stack.settings, self._census)
        show(found, json=json)
        if not json:
            self._console.print(
                f"{found.produced:,} events and {found.duplicates:,} duplicates sent in {produced - started:.1f} s, "
                f"all ended after {ended - started:.1f} s"
            )
        return self._passed(found)

    def _passed(self, found: Reconciliation) -> bool:
        return found.is_clean and found.in_flight == 0 and found.produced == self._payments

    def _produce(self) -> None:
        topic = self._stack.settings.kafka.topic
        self._wiring.publisher().send(outgoing(message, topic) for message in self._messages())

    def _messages(self) -> Iterator[Message]:
        """Yield messages until there are as many different events as were asked for."""
        seen: set[bytes] = set()
        for message in Traffic(self._seed, bad_ratio=0.01).messages(self._payments * 2):
            yield message
            seen.add(message.value if not message.bad else message.headers[0][1])
            if len(seen) >= self._payments:
                return

    def _watch(self) -> None:
        """Show progress until all has ended, causing the faults on the way."""
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=self._console) as progress:
            bar = progress.add_task("payments", total=self._payments)
            moved_at, before = time.monotonic(), -1
            while (ended := self._ended()) < self._payments:
                self._stack.supervisor.check()
                progress.update(bar, completed=ended)
                self._cause_faults(ended / self._payments)
                if ended != before:
                    moved_at, before = time.monotonic(), ended
                if time.monotonic() - moved_at > _PATIENCE_SECONDS:
                    return
                time.sleep(_LOOK_SECONDS)  # between two looks at the ledger
            self._cause_faults(1.0)  # those that a short run was too fast for
            progress.update(bar, completed=ended)

    def _ended(self) -> int:
        return ended_events(self._census, self._stack.settings.kafka.topic)

    def _cause_faults(self, share: float) -> None:
        while self._faults and share >= self._faults[0][0]:
            _, cause = self._faults.pop(0)
            cause()

    def _kill_worker(self) -> None:
        self._console.print("[yellow]fault:[/] SIGKILL to the worker")
        self._stack.supervisor.kill("worker", signal.SIGKILL)

    def _wipe_redis(self) -> None:
        self._console.print("[yellow]fault:[/] FLUSHALL of Redis")
        with redis.Redis.from_url(self._stack.settings.redis.url) as client:
            client.flushall()


def ended_events(census: Census, topic: str) -> int:
    """Return how many events and records have come to an end."""
    states = census.states()
    return sum(states.get(state, 0) for state in ENDED) + len(census.buried_records(topic))
