"""Several names of one payment: PayPal's order, authorization and capture have an id each.

An alias leads from a later name, `provider:id`, to the payment's ordering key: the first name that was booked under.
"""

from collections.abc import Mapping
from typing import Any

from payments.event import Event
from payments.ledger.database import Connection
from payments.payment import Payment


def told_by(event: Event) -> list[tuple[str, str]]:
    """Return the other names that `event` tells of its payment, each with the ordering key."""
    if event.ordering_key is None or event.parent_id is None:
        return []
    names = (f"{event.provider}:{name}" for name in (event.payment_id, event.parent_id))
    return [(name, event.ordering_key) for name in names if name != event.ordering_key]


def of_capture(payment: Payment) -> str | None:
    """Return the name under which a later refund may call `payment`, where its capture has an id of its own."""
    alias = f"{payment.provider}:{payment.capture_id}"
    return alias if payment.capture_id and alias != payment.ordering_key else None


def learn(connection: Connection, aliases: Mapping[str, list[Any]]) -> None:
    """Note `alias` and `ordering_key`, side by side; events that wait under another name join the line."""
    connection.execute(_LEARN, aliases)
    connection.execute(_SHORTEN, aliases)
    connection.execute(_JOIN_LINE, aliases)


def has_begun(connection: Connection, alias: str) -> bool:
    """Return whether something has been done, or is being done, under that name."""
    row = connection.execute(_HAS_BEGUN, {"alias": alias}).fetchone()
    return bool(row and row[0])


def turn_round(connection: Connection, alias: str, ordering_key: str) -> None:
    """Make `alias` the first name: what has begun keeps its name, and the others join it."""
    connection.execute(_FORGET, {"alias": alias})
    learn(connection, {"alias": [ordering_key], "ordering_key": [alias]})


_LEARN = """
INSERT INTO aliases (alias, ordering_key)
SELECT DISTINCT ON (alias) alias, ordering_key
  FROM unnest(%(alias)b::TEXT[], %(ordering_key)b::TEXT[]) AS told (alias, ordering_key)
 WHERE NOT EXISTS (SELECT FROM payments WHERE payments.ordering_key = told.alias)
 ORDER BY alias
    ON CONFLICT (alias) DO NOTHING
"""

# A capture's authorization may itself be another name of an order: every alias leads to the first name at once.
_SHORTEN = """
UPDATE aliases
   SET ordering_key = root.ordering_key
  FROM aliases AS root
 WHERE aliases.ordering_key = root.alias
   AND (aliases.alias = ANY (%(alias)b::TEXT[]) OR root.alias = ANY (%(alias)b::TEXT[]))
"""

# Also those whose alias was moved on just now: their old key is an alias itself.
_JOIN_LINE = """
UPDATE inbox
   SET ordering_key = aliases.ordering_key
  FROM aliases
 WHERE inbox.ordering_key = aliases.alias
   AND (aliases.alias = ANY (%(alias)b::TEXT[]) OR aliases.alias = ANY (%(ordering_key)b::TEXT[]))
   AND inbox.state IN ('received', 'retrying', 'waiting', 'verifying')
"""

_HAS_BEGUN = """
SELECT EXISTS (SELECT FROM payments WHERE ordering_key = %(alias)s)
    OR EXISTS (SELECT FROM inbox WHERE ordering_key = %(alias)s AND state = 'processing')
"""

_FORGET = """
DELETE FROM aliases
 WHERE alias = %(alias)s
"""
