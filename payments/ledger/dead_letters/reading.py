"""Reading what a choice means, by a plan that PostgreSQL makes for just this choice."""

from collections.abc import Iterator, Mapping
from typing import Any

from psycopg.rows import TupleRow

from payments.ledger.database import Database
from payments.ledger.dead_letters.choice import Choice


def read(
    database: Database,
    statement: str,
    choice: Choice,
    told: Mapping[str, Any] | None = None,
    *,
    in_order: bool = False,
) -> list[TupleRow]:
    """Return the rows of `statement` with the choice's condition in the place of `{condition}`.

    `in_order` is for statements that want a few letters in the order of their numbers. Nothing is prepared: a plan that
    is kept for a statement does not know how frequent the reason is that is asked for.
    """
    condition, parameters = choice.condition()
    with database.transaction() as connection:
        for name in _discouraged(choice, in_order=in_order):
            connection.execute(f"SET LOCAL {name} = off")
        return connection.execute(
            statement.format(condition=condition), parameters | dict(told or {}), prepare=False
        ).fetchall()


def _discouraged(choice: Choice, *, in_order: bool) -> Iterator[str]:
    """Yield what PostgreSQL is not to do, although it may think it clever.

    After a wave of burials it has not counted yet, and takes every filter for a rare one: it would look up each letter's
    text by its number, and gather and sort tens of thousands of letters for one page. Walking through all of them in
    their order is at worst as slow, and mostly ends after a few. Filters that are rare by nature it may use.
    """
    if choice.is_narrow:
        return
    if choice.contains is not None:
        yield "enable_nestloop"
    if in_order:
        yield from ("enable_sort", "enable_hashjoin")
