"""Reading what a choice means, by a plan that PostgreSQL makes for just this choice."""

from collections.abc import Mapping
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
    advice = _advice(choice, in_order=in_order)
    with database.transaction() as connection:
        if advice:
            connection.execute(_ADVISE, {"names": list(advice), "values": list(advice.values())})
        return connection.execute(
            statement.format(condition=condition), parameters | dict(told or {}), prepare=False
        ).fetchall()


def _advice(choice: Choice, *, in_order: bool) -> dict[str, str]:
    """Return how PostgreSQL is to plan; it may use filters that are rare by nature as it likes."""
    if choice.is_narrow:
        return {}
    advice = _WALK if in_order else _HELP
    return advice | _HELP | _TEXTS if choice.contains is not None else advice


# After a wave of burials PostgreSQL has not counted yet, and takes every filter for a rare one.

_WALK = {"enable_sort": "off", "enable_hashjoin": "off"}
"""It would gather and sort tens of thousands of letters for one page; walking through them mostly ends after a few."""

_TEXTS = {"enable_nestloop": "off"}
"""It would look up the text of each letter by its number, which takes longer than reading all of them."""

_HELP = {"parallel_setup_cost": "0", "parallel_tuple_cost": "0", "max_parallel_workers_per_gather": "1"}
"""A second process starts in some milliseconds, and where all letters are read it saves more."""

_ADVISE = """
SELECT set_config(name, value, TRUE)
  FROM unnest(%(names)s::TEXT[], %(values)s::TEXT[]) AS advice (name, value)
"""
