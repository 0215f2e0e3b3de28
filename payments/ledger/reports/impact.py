"""Whom failures have touched: payments, their money, and how many customers. Counted only: nobody is named."""

import msgspec

from payments.ledger.database import Connection
from payments.ledger.reports.errors import FAILED, failed_parameters
from payments.ledger.reports.window import Window


class Touched(msgspec.Struct, frozen=True, kw_only=True):
    """Payments that had an error, of one provider and currency. `open` are those of which an event has not ended well.

    Amounts are in the minor unit as that provider counts it.
    """

    provider: str
    currency: str
    payments: int
    amount_minor: int
    open_payments: int
    open_amount_minor: int


class Impact(msgspec.Struct, frozen=True, kw_only=True):
    """Whom failures have touched within the window. `customers` counts the different references of customers."""

    payments: int
    open_payments: int
    customers: int
    touched: tuple[Touched, ...]


def impact(connection: Connection, window: Window) -> Impact:
    """Return whom failures have touched within the window."""
    whole, *parts = connection.execute(_IMPACT, failed_parameters(window)).fetchall()
    return Impact(
        payments=whole[2],
        open_payments=whole[4],
        customers=whole[6],
        touched=tuple(
            Touched(**dict(zip(Touched.__struct_fields__, row[:6], strict=True)))
            for row in parts
            if row[1] is not None  # a record that could not be read names no currency
        ),
    )


# A payment that was never booked is told by the event that failed. A line may stand under another name of its payment.
_IMPACT = f"""{FAILED}, touched AS (
    SELECT coalesce(aliases.ordering_key, failed.ordering_key) AS ordering_key, max(failed.id) AS inbox_id,
           bool_or(failed.state NOT IN ('settled', 'declined', 'superseded', 'ignored', 'resolved')) AS is_open
      FROM failed
      LEFT JOIN aliases ON aliases.alias = failed.ordering_key
     WHERE failed.ordering_key IS NOT NULL
     GROUP BY 1
), known AS (
    SELECT touched.is_open,
           coalesce(payments.provider, split_part(touched.ordering_key, ':', 1)) AS provider,
           coalesce(payments.currency, inbox.event ->> 'currency') AS currency,
           coalesce(payments.amount_minor, (inbox.event ->> 'amount_minor')::BIGINT, 0) AS amount_minor,
           coalesce(payments.customer_reference, inbox.event ->> 'customer_reference') AS customer_reference
      FROM touched
      LEFT JOIN payments USING (ordering_key)
      LEFT JOIN inbox ON inbox.id = touched.inbox_id
)
SELECT provider, currency, count(*), coalesce(sum(amount_minor), 0)::BIGINT,
       count(*) FILTER (WHERE is_open), coalesce(sum(amount_minor) FILTER (WHERE is_open), 0)::BIGINT,
       count(DISTINCT customer_reference)
  FROM known
 GROUP BY GROUPING SETS ((provider, currency), ())
 ORDER BY grouping(provider) DESC, currency, provider
"""  # noqa: S608 - put together from constants
