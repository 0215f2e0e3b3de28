"""The tables, brought to the newest form by alembic."""

import time
from pathlib import Path

import psycopg
from psycopg.errors import LockNotAvailable

from payments.ledger.feed import renumber_if_restored

_MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = 7_217_309_311  # any number, the same for all who migrate
_TRIES = 60
_PAUSE_SECONDS = 1.0  # between two tries, for those who have waited behind us


def migrate(url: str, revision: str = "head") -> None:
    """Bring the database at `url` to `revision`. Safe to run from many processes at once: one does it, others wait.

    Tables that were restored from another server have their feed numbered anew.

    A table that is in use is tried again, for some minutes, so that nobody waits long behind us.

    Raises psycopg.OperationalError where the database cannot be reached, or a table is never free.
    """
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
        _upgrade_between_others(url, revision)
        if revision == "head":
            renumber_if_restored(connection)


def _upgrade_between_others(url: str, revision: str) -> None:
    from sqlalchemy.exc import OperationalError  # noqa: PLC0415 - see `_upgrade`

    for tries_left in reversed(range(_TRIES)):
        try:
            _upgrade(url, revision)
        except OperationalError as error:
            if not isinstance(error.orig, LockNotAvailable):
                raise
            if not tries_left:
                raise error.orig from None
            time.sleep(_PAUSE_SECONDS)
        else:
            return


def _upgrade(url: str, revision: str) -> None:
    from alembic import command  # noqa: PLC0415 - brings SQLAlchemy, which no other process needs in memory
    from alembic.config import Config  # noqa: PLC0415 - likewise

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.set_main_option("sqlalchemy.url", _for_sqlalchemy(url).replace("%", "%%"))
    command.upgrade(config, revision)


def _for_sqlalchemy(url: str) -> str:
    """Return `url` naming the driver, as SQLAlchemy wants it."""
    _, _, rest = url.partition("://")
    return f"postgresql+psycopg://{rest}"
