"""Reading payments as others may see them: one, a page of them, or all that stood still before some moment."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from payments.event import Provider
from payments.ledger.aliases import ROOT
from payments.ledger.database import Database
from payments.payment import Status
from payments.view import PaymentFilter, PaymentView


class Place(msgspec.Struct, frozen=True):
    """Where a listing has come to: the payment named last. The order is that of their creation, then of their ids."""

    created_at: datetime
    id: str


class PaymentViews:
    """Payments by name and by filter."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, name: str) -> PaymentView | None:
        """Return the payment of this name, `provider:id`, which may be any that it goes by."""
        row = self._database.row(_FIND, {"name": name})
        return view_of(row) if row else None

    def page(self, wanted: PaymentFilter, limit: int, before: Place | None = None) -> list[PaymentView]:
        """Return the newest payments that are `wanted`, at most `limit`; only those older than `before`, if given."""
        return self._read(_PAGE, wanted, {"limit": limit} | _place(before))

    def count(self, wanted: PaymentFilter) -> int:
        """Return how many payments are `wanted`."""
        row = self._database.row(_COUNT.format(wanted=_wanted(wanted)), _parameters(wanted))
        assert row is not None
        return int(row[0])

    def settled_before(
        self, boundary: int, wanted: PaymentFilter, limit: int, after: Place | None = None
    ) -> list[PaymentView]:
        """Return the oldest payments that no transaction from number `boundary` on has changed, at most `limit`.

        What `after` names and all before it is passed over. The pages of one boundary together name each such payment
        at most once, however long they take: a payment that changes meanwhile leaves them, and is in the feed.
        """
        return self._read(_SETTLED_BEFORE, wanted, {"limit": limit, "boundary": str(boundary)} | _place(after))

    def _read(self, statement: str, wanted: PaymentFilter, told: dict[str, Any]) -> list[PaymentView]:
        rows = self._database.rows(statement.format(wanted=_wanted(wanted)), _parameters(wanted) | told)
        return [view_of(row) for row in rows]


def view_of(row: Sequence[Any]) -> PaymentView:
    """Return the payment in a row of `VIEW_COLUMNS`."""
    return PaymentView(
        id=row[0],
        provider=Provider(row[1]),
        payment_id=row[2],
        status=Status(row[3]),
        currency=row[4],
        amount_minor=row[5],
        captured_minor=row[6],
        refunded_minor=row[7],
        created_at=row[8],
        updated_at=row[9],
        revision=row[10],
        customer_reference=row[11],
        customer_email=row[12],
    )


def _place(place: Place | None) -> dict[str, Any]:
    return {"at": place.created_at if place else None, "id": place.id if place else None}


def _wanted(wanted: PaymentFilter) -> str:
    """Return the conditions that `wanted` makes; only those that are needed, so that an index can serve them."""
    given = {name for name, value in msgspec.structs.asdict(wanted).items() if value}
    return "".join(f"\n   AND {text}" for name, text in _CONDITIONS.items() if name in given)


def _parameters(wanted: PaymentFilter) -> dict[str, Any]:
    told = msgspec.structs.asdict(wanted)
    return told | {name: list(told[name]) for name in ("providers", "statuses", "currencies")}


_CONDITIONS = {
    "providers": "provider = ANY (%(providers)s::TEXT[])",
    "statuses": "status = ANY (%(statuses)s::TEXT[])",
    "currencies": "currency = ANY (%(currencies)s::TEXT[])",
    "customer_reference": "customer_reference = %(customer_reference)s",
    "created_from": "created_at >= %(created_from)s",
    "created_until": "created_at < %(created_until)s",
}

VIEW_COLUMNS = """
payments.ordering_key, payments.provider, payments.payment_id, payments.status, payments.currency,
payments.amount_minor, payments.captured_minor,
greatest(payments.refunded_total_minor,
         (SELECT coalesce(sum(told::BIGINT), 0) FROM jsonb_each_text(payments.refunds) AS refund (id, told)))::BIGINT,
payments.created_at, payments.updated_at, payments.version, payments.customer_reference, payments.customer_email
"""

_FIND = f"""
SELECT {VIEW_COLUMNS}
  FROM payments
 WHERE ordering_key = {ROOT}
"""  # noqa: S608 - put together from constants

_PAGE = f"""
SELECT {VIEW_COLUMNS}
  FROM payments
 WHERE (%(at)s::TIMESTAMPTZ IS NULL OR (created_at, ordering_key) < (%(at)s, %(id)s)){{wanted}}
 ORDER BY created_at DESC, ordering_key DESC
 LIMIT %(limit)s
"""  # noqa: S608 - put together from constants

_COUNT = """
SELECT count(*)
  FROM payments
 WHERE true{wanted}
"""

_SETTLED_BEFORE = f"""
SELECT {VIEW_COLUMNS}
  FROM payments
 WHERE (%(at)s::TIMESTAMPTZ IS NULL OR (created_at, ordering_key) > (%(at)s, %(id)s))
   AND changed_by < %(boundary)s::xid8{{wanted}}
 ORDER BY created_at, ordering_key
 LIMIT %(limit)s
"""  # noqa: S608 - put together from constants
