"""Several names of one payment: PayPal's order, authorization and capture have an id each.

An alias leads from a name, `provider:id`, to the payment's ordering key, which is itself no alias: the first name, or
the one that was booked under first.
"""

from collections.abc import Iterable, Mapping, Sequence

from psycopg import Rollback

from payments.event import Event
from payments.ledger.database import Connection
from payments.payment import Payment

ROOT = "coalesce((SELECT aliases.ordering_key FROM aliases WHERE alias = %(name)s), %(name)s)"
"""The ordering key of the payment called `name`: its own name, or one that it was found to have as well."""

Link = tuple[str, str]
"""Another name of a payment, and the name that it is to be filed under."""


def told_by(event: Event) -> list[Link]:
    """Return the other names that `event` tells of its payment, each with the ordering key."""
    if event.ordering_key is None or event.parent_id is None:
        return []
    names = (f"{event.provider}:{name}" for name in (event.payment_id, event.parent_id))
    return [(name, event.ordering_key) for name in names if name != event.ordering_key]


def other_name(payment: Payment, reference_id: str | None) -> str | None:
    """Return the alias by which later events may call `payment`, where a step of it was given an id of its own."""
    alias = f"{payment.provider}:{reference_id}"
    return alias if reference_id and alias != payment.ordering_key else None


def learn(connection: Connection, links: Sequence[Link]) -> None:
    """Note that these names are one payment's; events that wait under another name join the line.

    A name under which a payment is booked keeps its line. One process at a time learns, for the length of the
    transaction, so that names told in opposite directions never lead in a circle.
    """
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LEARNING,))
    names = sorted({name for link in links for name in link})
    roots: dict[str, str] = dict(connection.execute(_ROOTS, {"names": names}).fetchall())
    booked = {row[0] for row in connection.execute(_BOOKED, {"names": sorted({*names, *roots.values()})})}
    if moves := _moves(links, roots, booked):
        parameters = {"old": list(moves), "new": list(moves.values())}
        connection.execute(_MOVE, parameters)
        connection.execute(_LEARN, parameters)
        connection.execute(_JOIN_LINE, parameters)


def join(connection: Connection, alias: str, ordering_key: str) -> bool:
    """Learn another name, unless something is booked or at work under it; return whether it was learned."""
    joined = False
    with connection.transaction() as savepoint:
        learn(connection, [(alias, ordering_key)])
        joined = connection.execute(_BOOKED_OR_AT_WORK, {"names": [alias]}).fetchone() is None
        if not joined:
            raise Rollback(savepoint)
    return joined


def _moves(links: Iterable[Link], roots: Mapping[str, str], booked: set[str]) -> dict[str, str]:
    """Return the roots that get another root, each with its last one."""
    above: dict[str, str] = {}

    def root_of(name: str) -> str:
        name = roots.get(name, name)
        while name in above:
            name = above[name]
        return name

    for alias, ordering_key in links:
        old, new = root_of(alias), root_of(ordering_key)
        if old != new and old not in booked:
            above[old] = new
    return {old: root_of(old) for old in above}


_LEARNING = 7_217_309_313  # any number, the same for all who learn

_ROOTS = """
SELECT alias, ordering_key
  FROM aliases
 WHERE alias = ANY (%(names)s::TEXT[])
"""

_BOOKED = """
SELECT ordering_key
  FROM payments
 WHERE ordering_key = ANY (%(names)s::TEXT[])
"""

_BOOKED_OR_AT_WORK = f"""
{_BOOKED}
 UNION
SELECT ordering_key
  FROM inbox
 WHERE ordering_key = ANY (%(names)s::TEXT[])
   AND state = 'processing'
"""  # noqa: S608 - put together from constants

_MOVE = """
UPDATE aliases
   SET ordering_key = moved.new
  FROM unnest(%(old)s::TEXT[], %(new)s::TEXT[]) AS moved (old, new)
 WHERE aliases.ordering_key = moved.old
"""

_LEARN = """
INSERT INTO aliases (alias, ordering_key)
SELECT old, new
  FROM unnest(%(old)s::TEXT[], %(new)s::TEXT[]) AS moved (old, new)
"""

_JOIN_LINE = """
UPDATE inbox
   SET ordering_key = moved.new
  FROM unnest(%(old)s::TEXT[], %(new)s::TEXT[]) AS moved (old, new)
 WHERE inbox.ordering_key = moved.old
   AND inbox.state IN ('received', 'retrying', 'waiting', 'verifying')
"""
