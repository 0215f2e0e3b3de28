"""Reading all that a report counts, out of one snapshot of the ledger."""

from datetime import datetime, timedelta

import msgspec

from payments.ledger.database import Connection, Database
from payments.ledger.reports.endings import Ended, ended
from payments.ledger.reports.errors import Errors, errors
from payments.ledger.reports.impact import Impact, impact
from payments.ledger.reports.letters import Letters, letters
from payments.ledger.reports.recovery import Replayed, Retried, Time, replayed, retried, time_to_effect
from payments.ledger.reports.standing import Standing, Wait, standing, waits
from payments.ledger.reports.window import MOST_DAYS, Window

USUAL = timedelta(days=1)
"""How long the window is where nobody says."""

_STATEMENT_TIMEOUT_MS = 120_000
"""One statement may read the whole inbox: longer than work at payments may ever take, and nobody waits for it."""


class WrongWindow(ValueError):
    """No such window can be reported. Its text says why, in words that follow the name of the option."""


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """All that was counted, at the moment `at` of the database's clock."""

    at: datetime
    window: Window
    ended: tuple[Ended, ...]
    errors: Errors
    retried: tuple[Retried, ...]
    replayed: Replayed
    time_to_effect: Time
    impact: Impact
    letters: Letters
    standing: Standing
    waits: tuple[Wait, ...]


class ReportReader:
    """Counts. It changes nothing, and stands in nobody's way."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self, since: datetime | None = None, until: datetime | None = None) -> Counted:
        """Return what was counted from `since` to `until`: now, and a day before it, unless told otherwise.

        Raises WrongWindow, and DatabaseAway also where a statement takes longer than two minutes.
        """
        with self._database.transaction() as connection:
            connection.execute(_SNAPSHOT)
            row = connection.execute(_BEGIN, {"timeout": f"{_STATEMENT_TIMEOUT_MS}"}).fetchone()
            assert row is not None
            return _counted(connection, row[0], _window(row[0], since, until))


def _window(now: datetime, since: datetime | None, until: datetime | None) -> Window:
    until = min(until or now, now)
    since = since or until - USUAL
    if since >= until:
        raise WrongWindow(f"{since:%Y-%m-%d %H:%M:%S}Z is not before {until:%Y-%m-%d %H:%M:%S}Z, where the window ends")
    if until - since > timedelta(days=MOST_DAYS):
        raise WrongWindow(f"{since:%Y-%m-%d} is more than {MOST_DAYS} days before {until:%Y-%m-%d}; say a later day")
    return Window(since=since, until=until)


def _counted(connection: Connection, at: datetime, window: Window) -> Counted:
    return Counted(
        at=at,
        window=window,
        ended=ended(connection, window),
        errors=errors(connection, window),
        retried=retried(connection, window),
        replayed=replayed(connection, window),
        time_to_effect=time_to_effect(connection, window),
        impact=impact(connection, window),
        letters=letters(connection, window),
        standing=standing(connection),
        waits=waits(connection, window),
    )


_SNAPSHOT = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"

_BEGIN = "SELECT now(), set_config('statement_timeout', %(timeout)s, TRUE)"
