"""Everything that happened to one payment, as others may read it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from payments.ledger.aliases import ROOT
from payments.ledger.database import Database
from payments.ledger.inbox import CORRELATION

MOST = 200
"""Of each list at most this many are read, the latest: a payment has a handful, and an answer has a largest size."""


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """One line of an event's saga."""

    at: datetime
    step: str
    mark: str
    reference_id: str | None = None


class Failed(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt that failed."""

    at: datetime
    attempt: int
    kind: str
    code: str
    service: str
    operation: str
    message: str


class PastEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event, and what became of it. `due_at` is when it is worked on next, while it is unfinished."""

    event_id: str
    kind: str
    state: str
    attempts: int
    received_at: datetime
    finished_at: datetime | None
    due_at: datetime | None
    correlation_id: str
    trace_id: str | None
    steps: tuple[Done, ...]
    failures: tuple[Failed, ...]


class BookedEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One side of a movement of money, and when it was booked."""

    leg: str
    account: str
    amount_minor: int
    currency: str
    booked_at: datetime


class PastLetter(msgspec.Struct, frozen=True, kw_only=True):
    """One dead letter."""

    id: int
    event_id: str | None
    state: str
    resolution: str | None
    reason: str
    failure_type: str
    message: str
    replay_count: int
    first_failed_at: datetime
    last_failed_at: datetime
    next_replay_at: datetime | None
    correlation_id: str | None


class PastDecline(msgspec.Struct, frozen=True, kw_only=True):
    """That the provider said no to the payer."""

    kind: str
    code: str
    declined_at: datetime


class History(msgspec.Struct, frozen=True, kw_only=True):
    """All of it, each list oldest first. `truncated`: one of them holds only its latest."""

    events: tuple[PastEvent, ...]
    entries: tuple[BookedEntry, ...]
    dead_letters: tuple[PastLetter, ...]
    declines: tuple[PastDecline, ...]
    truncated: bool


class Histories:
    """Reading the history of single payments."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, name: str) -> History:
        """Return what happened to the payment of this name, `provider:id`; four empty lists where nothing has."""
        read = [self._rows(statement, name) for statement in (_EVENTS, _ENTRIES, _LETTERS, _DECLINES)]
        events, entries, letters, declines = (_latest(rows) for rows in read)
        return History(
            events=tuple(map(_event, events)),
            entries=tuple(_struct(BookedEntry, row) for row in entries),
            dead_letters=tuple(_struct(PastLetter, row) for row in letters),
            declines=tuple(_struct(PastDecline, row) for row in declines),
            truncated=any(len(rows) > MOST for rows in read),
        )

    def _rows(self, statement: str, name: str) -> list[tuple[Any, ...]]:
        return self._database.rows(statement, {"name": name, "limit": MOST + 1})


def _latest(rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Return rows that were read newest first in their order, without the one that only tells that there are more."""
    return [*reversed(rows[:MOST])]


def _struct(kind: type[Any], row: Sequence[Any]) -> Any:  # noqa: ANN401 - a value of `kind`
    return kind(**dict(zip(kind.__struct_fields__, row, strict=True)))


def _event(row: Sequence[Any]) -> PastEvent:
    *plain, steps, failures = row
    return PastEvent(
        **dict(zip(PastEvent.__struct_fields__, plain, strict=False)),
        steps=_STEPS.decode(steps)[-MOST:],
        failures=_FAILURES.decode(failures)[-MOST:],
    )


_STEPS = msgspec.json.Decoder(tuple[Done, ...])
_FAILURES = msgspec.json.Decoder(tuple[Failed, ...])

# Every name of the payment: what ended before two of them were found to be one's stays under its own.
_NAMES = f"""WITH root AS (
    SELECT {ROOT} AS name
), names AS (
    SELECT name FROM root
     UNION
    SELECT alias FROM aliases WHERE ordering_key = (SELECT name FROM root)
)"""  # noqa: S608 - put together from constants

# Two halves, since each has an index of its own.
_EVENTS = f"""
{_NAMES}
SELECT event_id, kind, state::TEXT, attempts, received_at, finished_at,
       CASE WHEN finished_at IS NULL THEN due_at END, {CORRELATION}, trace_id, saga::TEXT, failures::TEXT
  FROM (SELECT inbox.*
          FROM names
          JOIN inbox ON inbox.ordering_key = names.name
         WHERE state IN ('received', 'processing', 'retrying', 'waiting', 'verifying')
         UNION ALL
        SELECT inbox.*
          FROM names
          JOIN inbox ON inbox.ordering_key = names.name
         WHERE state IN ('settled', 'declined', 'ignored', 'superseded', 'dead')) AS events
 ORDER BY id DESC
 LIMIT %(limit)s
"""  # noqa: S608 - put together from constants

_ENTRIES = f"""
{_NAMES}
SELECT leg, account, amount_minor, currency, booked_at
  FROM entries
  JOIN names ON names.name = entries.ordering_key
 ORDER BY booked_at DESC, leg DESC
 LIMIT %(limit)s
"""  # noqa: S608 - put together from constants

_LETTERS = f"""
{_NAMES}
SELECT id, event_id, state::TEXT, resolution, reason, failure_type, message, replay_count,
       first_failed_at, last_failed_at, next_replay_at, correlation_id
  FROM dead_letters
  JOIN names ON names.name = dead_letters.ordering_key
 ORDER BY id DESC
 LIMIT %(limit)s
"""  # noqa: S608 - put together from constants

_DECLINES = f"""
{_NAMES}
SELECT kind, code, declined_at
  FROM declines
  JOIN names ON names.name = declines.ordering_key
 ORDER BY declined_at DESC
 LIMIT %(limit)s
"""  # noqa: S608 - put together from constants
