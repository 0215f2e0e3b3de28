"""The history of a payment, under all of its names."""

from payments.event import Kind, Provider
from payments.ledger.database import Database
from payments.ledger.history import Histories
from tests.builders import an_event
from tests.integration.api.till import Till


def test_what_ended_under_another_name_before_the_two_were_found_to_be_one_is_told_under_both(
    database: Database,
) -> None:
    till = Till(database)
    till.captured("CAP1", provider=Provider.PAYPAL)
    database.run("INSERT INTO aliases (alias, ordering_key) VALUES ('paypal:CAP1', 'paypal:ORD1')")
    till.settle(an_event("evt_2", Kind.CAPTURED, "ORD1", provider=Provider.PAYPAL))
    for name in ("paypal:ORD1", "paypal:CAP1"):
        told = Histories(database).of(name)
        assert [event.event_id for event in told.events] == ["evt_CAP1", "evt_2"]
        assert sum(entry.amount_minor for entry in told.entries) == 0
        assert len(told.entries) == 4
    assert Histories(database).of("paypal:nobody").events == ()
