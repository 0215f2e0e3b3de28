"""What a bridge touches, played by lists; the row of a pause may be shared by several bridges."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import msgspec

from payments.envelope import Record
from payments.failures import DatabaseAway
from payments.flows.intake import Intake, Taken
from payments.ledger.bridge_pauses import BridgePauses, Pause
from payments.ledger.inbox import Inbox
from payments.streams.consumer import StreamConsumer
from workers.bridge import Bridge, BridgePolicy

AWAY = DatabaseAway("no answer", code="database_away", service="database")
POLICY = BridgePolicy(batch_size=100, high_water_mark=1000, low_water_mark=400)
BAD = b"bad"
_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


class Row:
    """The pause of one group, with the rules of `payments.ledger.bridge_pauses`, and a clock that all share."""

    topic = "payments.raw"
    group_id = "bridges"

    def __init__(self) -> None:
        self.now = 1000.0
        self.pause_now: Pause | None = None
        self.probed_at = 0.0
        self.is_away = False

    def latest(self) -> Pause | None:
        self._answer()
        return self.pause_now

    def pause(self, reason: str, *, bad: int, looked_at: int, by: str, knows: datetime | None = None) -> bool:
        self._answer()
        if self.pause_now is not None and (self.pause_now.is_open or self.pause_now.resumed_at != knows):
            return False
        self.pause_now = Pause(
            topic=self.topic,
            group_id=self.group_id,
            reason=reason,
            bad=bad,
            looked_at=looked_at,
            paused_by=by,
            paused_at=self._stamp(),
        )
        self.probed_at = self.now
        return True

    def resume(self, pause: Pause, by: str, _why: str | None = None) -> bool:
        self._answer()
        mine = self.pause_now
        if mine is None or not mine.is_open or mine.paused_at != pause.paused_at:
            return False
        self.pause_now = msgspec.structs.replace(mine, resumed_by=by, resumed_at=self._stamp())
        return True

    def claim_probe(self, pause: Pause, every_seconds: float) -> bool:
        self._answer()
        assert self.pause_now == pause
        if self.now - self.probed_at < every_seconds:
            return False
        self.probed_at = self.now
        return True

    def mark_well(self, pause: Pause) -> bool:
        self._answer()
        assert self.pause_now is not None
        assert self.pause_now.resumed_at == pause.resumed_at
        self.pause_now = msgspec.structs.replace(self.pause_now, well_at=self._stamp())
        return True

    def say_go_on(self) -> None:
        """Resume, as a person does."""
        assert self.pause_now is not None
        assert self.resume(self.pause_now, "jo@host")

    def _answer(self) -> None:
        if self.is_away:
            raise AWAY

    def _stamp(self) -> datetime:
        return _EPOCH + timedelta(seconds=self.now)


class Edges:
    """The consumer, the intake and the inbox of one bridge, a clock, and the one diary that all of them write."""

    def __init__(self, policy: BridgePolicy = POLICY, row: Row | None = None) -> None:
        self.row = row or Row()
        self.diary: list[str] = []
        self.told: list[tuple[str, dict[str, object]]] = []
        self.batches: list[list[Record] | Exception] = []
        self.intake_failures: list[Exception | None] = []
        self.unfinished_now: int | Exception = 0
        self.stop_while_storing = False
        self.paused = False
        self.stored: list[Record] = []
        self.committed: list[Record] = []
        self.bridge = Bridge(
            cast("StreamConsumer", self),
            cast("Intake", self),
            cast("Inbox", self),
            cast("BridgePauses", self.row),
            policy,
            self.tell,
            clock=lambda: self.now,
        )

    @property
    def now(self) -> float:
        return self.row.now

    @now.setter
    def now(self, now: float) -> None:
        self.row.now = now

    # the consumer
    partitions = 4

    def batch(self, most: int, _timeout_seconds: float) -> list[Record]:
        self.diary.append("poll")
        if not self.batches:
            self.bridge.stop()
            return []
        if self.paused:
            return []
        told = self.batches.pop(0)
        if isinstance(told, Exception):
            raise told
        if told[most:]:
            self.batches.insert(0, told[most:])
        return told[:most]

    def commit(self, records: Sequence[Record]) -> None:
        self.diary.append("commit")
        self.committed += records

    def pause(self) -> None:
        self.diary.append("pause")
        self.paused = True

    def resume(self) -> None:
        self.diary.append("resume")
        self.paused = False

    def close(self) -> None:
        self.diary.append("close")

    # the intake
    def take(self, records: Sequence[Record]) -> Taken:
        failure = self.intake_failures.pop(0) if self.intake_failures else None
        if failure is not None:
            self.diary.append("refused")
            raise failure
        self.diary.append("store")
        if self.stop_while_storing:
            self.bridge.stop()
        self.stored += records
        bad = tuple(place for place, record in enumerate(records) if record.payload == BAD)
        new = len(records) - len(bad)
        return Taken(new=new, known=0, dead=len(bad), woken=new, undecodable=bad)

    # the inbox
    def unfinished(self, _at_most: int) -> int:
        if isinstance(self.unfinished_now, Exception):
            raise self.unfinished_now
        return self.unfinished_now

    def tell(self, name: str, **fields: Any) -> None:  # noqa: ANN401 - any field of a log event
        self.diary.append(name)
        self.told.append((name, fields))

    def did(self, *names: str) -> list[str]:
        return [name for name in self.diary if name in names]

    def fields_of(self, name: str) -> list[dict[str, object]]:
        """Return what was told under that name."""
        return [fields for told, fields in self.told if told == name]
