"""Rows of a statement as values whose fields are its columns, in their order."""

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from payments.ledger.database import Connection

Told = TypeVar("Told", bound=msgspec.Struct)


def rows_as(
    kind: type[Told], connection: Connection, statement: str, parameters: Mapping[str, Any]
) -> tuple[Told, ...]:
    """Return the rows that `statement` gives, each as a `kind`."""
    rows = connection.execute(statement, parameters).fetchall()
    return tuple(kind(**dict(zip(kind.__struct_fields__, row, strict=True))) for row in rows)
