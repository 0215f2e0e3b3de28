"""The tables, brought to the newest form by alembic."""

from pathlib import Path

import psycopg

from payments.ledger.feed import renumber_if_restored

_MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = 7_217_309_311  # any number, the same for all who migrate


def migrate(url: str, revision: str = "head") -> None:
    """Bring the database at `url` to `revision`. Safe to run from many processes at once: one does it, others wait.

    Tables that were restored from another server have their feed numbered anew.

    Raises psycopg.OperationalError where the database cannot be reached.
    """
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
        _upgrade(url, revision)
        if revision == "head":
            renumber_if_restored(connection)


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
