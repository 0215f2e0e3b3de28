"""Payments, a line each."""

from datetime import datetime
from typing import TYPE_CHECKING

from workers.cli.terminal.tables import plain
from workers.cli.terminal.times import moment

if TYPE_CHECKING:  # grpcio takes a while to load, and other verbs do without
    from payments.client import Payment


def payment_line(payment: "Payment", at: datetime | None) -> str:
    """Return time, id, provider, amount in its currency, and status; the columns of most payments line up."""
    amount = f"{payment.amount} {payment.currency}"
    return plain(f"{moment(at):<20}  {payment.id:<36}  {payment.provider:<9}  {amount:>16}  {payment.status}")
