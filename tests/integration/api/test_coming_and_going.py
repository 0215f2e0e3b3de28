"""Readers that come, go and come back by chance while payments are settled: each sees exactly what it should."""

import time
from concurrent.futures import Future, ThreadPoolExecutor
from random import Random

import msgspec
import pytest

from payferry.v1 import payment_pb2 as pb
from payments.event import Kind
from payments.ledger.database import Database, DatabasePolicy
from payments.ledger.feed import Change, Feed, Position, Purged
from tests.builders import an_event
from tests.integration.api.conftest import STREAMS, Serve
from tests.integration.api.test_streams import Watcher
from tests.integration.api.till import Till
from workers.api import follower, subscription
from workers.api.cursors import stream_cursor

READERS, WRITERS, PAYMENTS = 6, 3, 100
PATIENCE_SECONDS = 30.0
POLICY = DatabasePolicy(pool_size=2, connect_timeout_seconds=3, statement_timeout_ms=5000)


class Writer:
    """Settles payments of its own; what it does next, and how long that takes, is left to chance."""

    def __init__(self, database_url: str, name: str, chance: Random) -> None:
        self._till = Till(Database(database_url, POLICY))
        self._name = name
        self._chance = chance

    def run(self) -> None:
        for number in range(PAYMENTS):
            payment_id = f"{self._name}-{number}"
            told = {"currency": self._chance.choice(["EUR", "JPY"])}
            self._settle(an_event(f"evt_{payment_id}", Kind.CAPTURED, payment_id, **told))
            for refund in range(self._chance.choice([0, 0, 1, 3])):
                more = told | {"reference_id": f"re_{payment_id}_{refund}", "amount_minor": 10}
                self._settle(an_event(f"evt_re_{payment_id}_{refund}", Kind.REFUNDED, payment_id, **more))

    def _settle(self, event: object) -> None:
        [inbox_id] = self._till.bring_in([event])  # type: ignore[list-item]
        if self._chance.random() < 0.05:
            self._till.end_slowly(inbox_id, self._chance.random() * 0.1)
        else:
            self._till.end(inbox_id)


class Reader:
    """One reader with all its streams, one after the other; `events` are those of one that had never gone away."""

    def __init__(self, address: str, chance: Random) -> None:
        self.events: list[pb.PaymentEvent] = []
        self.begun = ""
        self.asked = {"include_existing": chance.random() < 0.5}
        self.currencies = chance.choice([[], ["JPY"]])
        self._address = address
        self._chance = chance
        self._cursor = ""

    def run(self, writing: list[Future[None]]) -> None:
        """Come and go until the writers are done."""
        time.sleep(self._chance.random() * 0.5)  # so that they do not all begin at once
        while not all(each.done() for each in writing):
            watcher = self._watch()
            if not self.begun:
                watcher.until(lambda each: bool(each.begun) or each.error is not None)
            time.sleep(self._chance.random() * 0.2)  # how long it stays
            self._leave(watcher)
            time.sleep(self._chance.random() * 0.2)  # how long it is away
            self._go_back()

    def read_all(self, count: int) -> None:
        """Come once more, and stay until so many new events have come."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(self.new()) < count:
            watcher = self._watch()
            missing = count - len(self.new())
            watcher.until(lambda each, missing=missing: len(_new(each.events)) >= missing or each.error is not None)
            self._leave(watcher)
            assert time.monotonic() < deadline, (len(self.new()), count)

    def new(self) -> list[pb.PaymentEvent]:
        return _new(self.events)

    def existing(self) -> dict[str, int]:
        """Return which revision of each payment was there."""
        return {event.payment.payment_id: event.payment.revision for event in self.events if event.existing}

    def _watch(self) -> Watcher:
        wanted = pb.PaymentFilter(currencies=self.currencies)
        asked = {"cursor": self._cursor} if self._cursor else self.asked
        return Watcher(self._address, filter=wanted, **asked)

    def _leave(self, watcher: Watcher) -> None:
        watcher.close()
        self.begun = self.begun or watcher.begun
        self.events += watcher.events
        self._cursor = watcher.cursor or self._cursor

    def _go_back(self) -> None:
        """Sometimes, go on after an event that was some time ago."""
        if self.events and self._chance.random() < 0.3:
            place = self._chance.randrange(max(0, len(self.events) - 40), len(self.events))
            del self.events[place + 1 :]
            self._cursor = self.events[place].cursor


def _new(events: list[pb.PaymentEvent]) -> list[pb.PaymentEvent]:
    return [event for event in events if not event.existing]


def all_changes(database: Database) -> list[Change]:
    stretch = Feed(database).after(Position(0), 10_000)
    assert not isinstance(stretch, Purged)
    return list(stretch.changes)


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of a few events, so that there are many edges to fall over."""
    monkeypatch.setattr(follower, "_BATCH", 5)
    monkeypatch.setattr(subscription, "BATCH", 7)


@pytest.mark.usefixtures("small_steps")
@pytest.mark.parametrize("seed", [1, 2])
def test_every_reader_sees_what_one_would_that_had_never_gone_away(
    serve: Serve, database: Database, database_url: str, seed: int
) -> None:
    server = serve(streams=msgspec.structs.replace(STREAMS, buffer_events=20))
    readers = [Reader(server.address, Random(f"{seed} reader {number}")) for number in range(READERS)]  # noqa: S311
    writers = [Writer(database_url, f"w{n}", Random(f"{seed} writer {n}")) for n in range(WRITERS)]  # noqa: S311
    with ThreadPoolExecutor(READERS + WRITERS) as pool:
        writing = [pool.submit(each.run) for each in writers]
        for done in [*writing, *(pool.submit(each.run, writing) for each in readers)]:
            done.result()
    changes = all_changes(database)
    for reader in readers:
        check(reader, changes, Feed(database).epoch())


def check(reader: Reader, changes: list[Change], epoch: str) -> None:
    """Each change after its beginning has come once, in the order of the feed; what was there, as it was then."""
    begun = stream_cursor(reader.begun, epoch).position
    fitting = [each for each in changes if not reader.currencies or each.view.currency in reader.currencies]
    after = [each for each in fitting if each.position > begun]
    reader.read_all(len(after))
    assert [event.event_id for event in reader.new()] == [each.event_id for each in after]
    assert [stream_cursor(event.cursor, epoch).position for event in reader.new()] == [each.position for each in after]
    before = {each.view.payment_id: each.view.revision for each in fitting if each.position <= begun}
    told = reader.existing()
    assert told.items() <= before.items()
    if reader.asked["include_existing"]:
        changed = {each.view.payment_id for each in after}
        assert before.keys() - told.keys() <= changed
