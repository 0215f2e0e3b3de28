"""How what ended in the window has ended, by provider and step."""

from datetime import datetime

import msgspec

from payments.ledger.database import Connection
from payments.ledger.reports.rows import rows_as
from payments.ledger.reports.window import Window

REJECTED = "rejected"
"""The ending of a record that never became an event: buried at intake, and neither mended nor found to be known."""


class Ended(msgspec.Struct, frozen=True):
    """How many ended so within one step. `is_later` says that it was in the later half of the window."""

    provider: str
    ending: str
    begins_at: datetime
    is_later: bool
    number: int


def ended(connection: Connection, window: Window) -> tuple[Ended, ...]:
    """Return how events and records ended within the window.

    The ledger keeps the last ending of each event: one that was dead and is replayed counts where it ended at last.
    """
    return rows_as(Ended, connection, _ENDED, window.parameters())


_ENDED = f"""
SELECT provider, state::TEXT, date_bin(%(step)s, finished_at, %(origin)s), finished_at >= %(middle)s, count(*)
  FROM inbox
 WHERE finished_at >= %(since)s
   AND finished_at < %(until)s
 GROUP BY 1, 2, 3, 4
 UNION ALL
SELECT coalesce(provider, 'unknown'), '{REJECTED}', date_bin(%(step)s, created_at, %(origin)s),
       created_at >= %(middle)s, count(*)
  FROM dead_letters
 WHERE origin = 'intake'
   AND inbox_id IS NULL
   AND state <> 'resolved'
   AND created_at >= %(since)s
   AND created_at < %(until)s
 GROUP BY 1, 2, 3, 4
"""  # noqa: S608 - put together from constants
