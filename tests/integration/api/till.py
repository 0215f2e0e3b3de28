"""Settling events as a worker does, without a provider: what the API then tells of."""

import time
from collections.abc import Sequence
from itertools import count

from psycopg.rows import TupleRow

from payments.event import Event, Kind
from payments.ledger.claims import Claims
from payments.ledger.database import Connection, Database, Parameters
from payments.ledger.inbox import Inbox
from payments.ledger.settlements import Booking, Decline, Settlements
from payments.ledger.state import State
from payments.lifecycle import Apply, decide
from tests.builders import NEWS, an_arrival, an_event


class _InTransaction(Database):
    """The one connection of a transaction that is under way."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def insist(self, statement: str, parameters: Parameters | None = None) -> TupleRow | None:
        return self._connection.execute(statement, parameters).fetchone()


class Till:
    """Where payments are settled, one statement each."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._inbox = Inbox(database)
        self._claims = Claims(database)
        self._settlements = Settlements(database)
        self._offsets = count()

    def settle(self, event: Event, state: State = State.SETTLED, decline: Decline | None = None) -> None:
        """Bring it in, and book what it says."""
        [inbox_id] = self.bring_in([event])
        self.end(inbox_id, state, decline)

    def bring_in(self, events: Sequence[Event]) -> list[int]:
        """Put them into the inbox, and return under which numbers, in their order."""
        return [
            call.inbox_id for call in self._inbox.receive([an_arrival(each, next(self._offsets)) for each in events])[1]
        ]

    def end_slowly(self, inbox_id: int, seconds: float) -> None:
        """Book it in a transaction that stays open for so long: others that began later end before it."""
        with self._database.transaction() as connection:
            self.end(inbox_id, through=Settlements(_InTransaction(connection)))
            time.sleep(seconds)  # what is slow about it

    def end(
        self,
        inbox_id: int,
        state: State = State.SETTLED,
        decline: Decline | None = None,
        through: Settlements | None = None,
    ) -> None:
        """Book what an event says that was brought in."""
        claim = self._claims.take(inbox_id, 30.0)
        assert claim is not None
        decision = decide(claim.payment, claim.event)
        assert isinstance(decision, Apply), decision
        booking = Booking(decision.payment, decision.entries)
        assert (through or self._settlements).book(claim, state, booking, NEWS, decline=decline)

    def captured(self, *payment_ids: str, **told: object) -> None:
        """Settle a capture of each payment."""
        for payment_id in payment_ids:
            self.settle(an_event(f"evt_{payment_id}", Kind.CAPTURED, payment_id, **told))

    def refunded(self, payment_id: str, refund: str, amount_minor: int = 10) -> None:
        """Settle a refund of a part."""
        told = {"reference_id": refund, "amount_minor": amount_minor}
        self.settle(an_event(f"evt_{refund}", Kind.REFUNDED, payment_id, **told))
