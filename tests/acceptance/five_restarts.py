"""Payments that are settled while the API is killed and started again, and subscribers that must see each event once.

    python -m tests.acceptance.five_restarts --payments 20000

starts PostgreSQL, Valkey and the API, settles the payments through a few writers side by side, ends the API with
SIGKILL and SIGTERM in turn, five times in all, checks what each subscriber has seen, and prints it as JSON. The test
runs less of it.
"""

import argparse
import json
import os
import signal
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from payments.client import Endpoint, Event, Filter, PaymentClient, Reconnect, Watch, WatchPolicy
from payments.event import Kind
from payments.ledger.database import Database, DatabasePolicy
from payments.ledger.schema import migrate
from tests.acceptance.commands import PROGRAM
from tests.acceptance.running import Running
from tests.builders import an_event
from tests.integration.api.till import Till
from tests.integration.kafka import eventually
from workers.embedded.port import free_port
from workers.embedded.postgres import Postgres
from workers.embedded.valkey import Valkey

TOKEN = "token-of-a-subscriber"  # noqa: S105 - no secret
WRITERS = 3
RESTARTS = 5
_EVERY_REFUNDED = 5
_EVERY_YEN = 4
_EVERY_SLOW = 50
_SLOW_SECONDS = 0.1
_PERSISTENT = WatchPolicy(reconnect=Reconnect(base_seconds=0.1, cap_seconds=1.0, most_in_a_row=0))
_POLICY = DatabasePolicy(pool_size=2, connect_timeout_seconds=5, statement_timeout_ms=30_000)


class Subscriber:
    """One watch of the public client, read in a thread: all that it has handed out."""

    def __init__(self, watch: Watch) -> None:
        self.events: list[Event] = []
        self._watch = watch
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def wait_live(self) -> None:
        eventually(lambda: self._watch.is_live, "the watch is live", 60)

    def wait_for(self, holds: Callable[["Subscriber"], bool], what: str) -> None:
        eventually(lambda: holds(self) or self._error, what, 120)
        assert self._error is None, self._error

    @property
    def reconnects(self) -> int:
        return self._watch.statistics.reconnects

    def close(self) -> dict[str, Any]:
        """End it, and return in numbers what it has seen."""
        self._watch.close()
        self._thread.join()
        told = self._watch.statistics
        return {"existing": told.existing, "new": told.new, "reconnects": told.reconnects}

    def revisions(self) -> dict[str, list[int]]:
        """Return of each payment which revisions were told, in the order in which they came."""
        found: dict[str, list[int]] = defaultdict(list)
        for event in self.events:
            found[event.payment.payment_id].append(event.payment.revision)
        return found

    def ends(self) -> dict[str, int]:
        """Return which revision of each payment was told last."""
        return {event.payment.payment_id: event.payment.revision for event in self.events}

    def _read(self) -> None:
        try:
            self.events.extend(self._watch)
        except BaseException as error:  # noqa: BLE001 - told by wait_for
            self._error = error


class Writer:
    """Settles its share of the payments, some of them slowly, some of them with a refund right after."""

    def __init__(self, database_url: str, numbers: range, settled: Callable[[], object]) -> None:
        self._till = Till(Database(database_url, _POLICY))
        self._numbers = numbers
        self._settled = settled

    def run(self) -> None:
        for number in self._numbers:
            told = {"currency": "JPY" if number % _EVERY_YEN == 0 else "EUR"}
            self._settle(number, an_event(f"evt_p{number}", Kind.CAPTURED, f"p{number}", **told))
            if number % _EVERY_REFUNDED == 0:
                refund = told | {"reference_id": f"re_{number}", "amount_minor": 10}
                self._settle(number, an_event(f"evt_re_{number}", Kind.REFUNDED, f"p{number}", **refund))
            self._settled()

    def _settle(self, number: int, event: Any) -> None:  # noqa: ANN401 - an Event of the ledger
        [inbox_id] = self._till.bring_in([event])
        if number % _EVERY_SLOW == 0:
            self._till.end_slowly(inbox_id, _SLOW_SECONDS)
        else:
            self._till.end(inbox_id)


class Story:
    """One run on a ledger that is empty at first."""

    def __init__(self, env: Mapping[str, str], folder: Path, payments: int, restarts: int = RESTARTS) -> None:
        port = free_port()
        api = {"API_PORT": str(port), "API_TOKENS": f"shop:read:{TOKEN}", "API_HEARTBEAT_SECONDS": "0.5"}
        self._env = {**env, **api, "PROCESS_NAME": "api"}
        self._folder = folder
        self._payments = payments
        self._restarts = restarts
        self._endpoint = Endpoint(address=f"127.0.0.1:{port}", token=TOKEN)
        self._settled = 0
        self._counting = threading.Lock()

    def go(self) -> dict[str, Any]:
        """Settle, restart and check; return what was seen. AssertionError where a promise is broken."""
        self._server = self._started()
        try:
            return self._told()
        finally:
            self._server.stop()

    def _told(self) -> dict[str, Any]:
        began = time.monotonic()
        first = self._subscribe()
        yen = self._subscribe(Filter(currencies=("JPY",)))
        for each in (first, yen):
            each.wait_live()
        with ThreadPoolExecutor(WRITERS) as pool:
            writing = [pool.submit(self._writer(share).run) for share in range(WRITERS)]
            self._wait_settled(self._payments // (2 * (self._restarts + 1)))
            later = self._subscribe(include_existing=True)
            self._restart_now_and_then(first)
            for each in writing:
                each.result()
        written = time.monotonic() - began
        self._check_all(first, range(self._payments))
        self._check_all(yen, range(0, self._payments, _EVERY_YEN))
        self._check_later(later)
        return {
            "payments": self._payments,
            "events": len(first.events),
            "writing_seconds": round(written, 1),
            "seconds": round(time.monotonic() - began, 1),
            "everything": first.close(),
            "yen_only": yen.close(),
            "with_existing": later.close(),
        }

    def _started(self) -> Running:
        running = Running([PROGRAM, "api"], self._env, self._folder, "api").__enter__()
        begun = len(running.output())
        running.wait_for(lambda: "api_started" in running.output()[begun:], "the API serves")
        return running

    def _subscribe(self, meant: Filter = Filter(), *, include_existing: bool = False) -> Subscriber:  # noqa: B008 - frozen
        client = PaymentClient(self._endpoint)
        return Subscriber(client.watch(meant, include_existing=include_existing, policy=_PERSISTENT))

    def _writer(self, share: int) -> Writer:
        return Writer(self._env["DATABASE_URL"], range(share, self._payments, WRITERS), self._count)

    def _count(self) -> None:
        with self._counting:
            self._settled += 1

    def _wait_settled(self, count: int) -> None:
        eventually(lambda: self._settled >= count, f"{count} payments are settled", 600)

    def _restart_now_and_then(self, subscriber: Subscriber) -> None:
        """End the server as the kernel does it where memory runs out, or as a supervisor, and start it again."""
        for number, how in enumerate(islice(cycle((signal.SIGKILL, signal.SIGTERM)), self._restarts), start=1):
            self._wait_settled(number * self._payments // (self._restarts + 1))
            self._server.process.send_signal(how)
            self._server.process.wait(30)
            self._server = self._started()
            subscriber.wait_for(lambda each, number=number: each.reconnects >= number, "it has come back")

    def _check_all(self, subscriber: Subscriber, numbers: range) -> None:
        """Every event of these payments has come once, and those of a payment in their order."""
        meant = {f"p{number}": [1, 2] if number % _EVERY_REFUNDED == 0 else [1] for number in numbers}
        count = sum(map(len, meant.values()))
        subscriber.wait_for(lambda each: len(each.events) >= count, f"{count} events have come")
        _check_same(subscriber, meant)
        assert set(Counter(event.event_id for event in subscriber.events).values()) == {1}

    def _check_later(self, subscriber: Subscriber) -> None:
        """Each payment was told as it stood or as it changed first, and then all that came after, once and in order."""
        ends = {f"p{number}": 2 if number % _EVERY_REFUNDED == 0 else 1 for number in range(self._payments)}
        subscriber.wait_for(lambda each: len(each.events) >= len(ends) and each.ends() == ends, "all have come")
        _check_same(
            subscriber, {name: [*range(told[0], ends[name] + 1)] for name, told in subscriber.revisions().items()}
        )


def _check_same(subscriber: Subscriber, meant: dict[str, list[int]]) -> None:
    found = subscriber.revisions()
    wrong = {name: (found.get(name), meant.get(name)) for name in found | meant if found.get(name) != meant.get(name)}
    assert not wrong, f"{len(wrong)} payments are wrong (found, meant): {dict(islice(wrong.items(), 20))}"


def main() -> None:
    """Run once with embedded servers and print JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--payments", type=int, default=20_000)
    parser.add_argument("--restarts", type=int, default=RESTARTS)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, Postgres() as postgres, Valkey() as valkey:
        migrate(postgres.url)
        env = {**os.environ, "DATABASE_URL": postgres.url, "REDIS_URL": valkey.url}
        sys.stdout.write(json.dumps(Story(env, Path(name), given.payments, given.restarts).go(), indent=2) + "\n")


if __name__ == "__main__":
    main()
