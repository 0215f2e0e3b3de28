"""Pages of payments, and the payments that stood still before a moment."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from payments.event import Provider
from payments.ledger.database import Database
from payments.ledger.feed import Feed
from payments.ledger.views import PaymentViews, Place
from payments.payment import Status
from payments.view import PaymentFilter
from tests.integration.api.till import Till

ALL = PaymentFilter()


@pytest.fixture
def till(database: Database) -> Till:
    return Till(database)


@pytest.fixture
def views(database: Database) -> PaymentViews:
    return PaymentViews(database)


def standing(views: PaymentViews, boundary: int, wanted: PaymentFilter = ALL, step: int = 2) -> list[str]:
    """Return the payments that no transaction from the boundary on has changed, read in small pages."""
    found: list[str] = []
    place: Place | None = None
    while page := views.settled_before(boundary, wanted, step, place):
        found += [view.payment_id for view in page]
        place = Place(page[-1].created_at, page[-1].id)
    return found


def test_payments_of_one_moment_are_told_apart_by_their_ids(
    views: PaymentViews, till: Till, database: Database
) -> None:
    till.captured("a", "b", "c", "d", "e")
    database.run("UPDATE payments SET created_at = now()")
    found, place = [], None
    while page := views.page(ALL, 2, place):
        found += [view.payment_id for view in page]
        place = Place(page[-1].created_at, page[-1].id)
    assert found == ["e", "d", "c", "b", "a"]
    assert standing(views, 2**60) == ["a", "b", "c", "d", "e"]


def test_what_changes_or_begins_after_the_boundary_is_left_to_the_feed(
    views: PaymentViews, till: Till, database: Database
) -> None:
    till.captured("a", "b", "c")
    boundary = Feed(database).end()
    first = views.settled_before(boundary.next_txid, ALL, 1)
    till.refunded("b", "re_1")
    till.captured("d")
    rest = views.settled_before(boundary.next_txid, ALL, 10, Place(first[0].created_at, first[0].id))
    assert [view.payment_id for view in [*first, *rest]] == ["a", "c"]
    stretch = Feed(database).after(boundary, 10)
    assert [change.view.payment_id for change in stretch.changes] == ["b", "d"]  # type: ignore[union-attr]


def test_a_refunded_amount_is_the_providers_total_or_the_sum_whichever_is_more(
    views: PaymentViews, till: Till, database: Database
) -> None:
    till.captured("a")
    till.refunded("a", "re_1", 100)
    till.refunded("a", "re_2", 150)
    told = views.find("stripe:a")
    assert told is not None
    assert told.refunded_minor == 250
    database.run("UPDATE payments SET refunded_total_minor = 700")
    told = views.find("stripe:a")
    assert told is not None
    assert told.refunded_minor == 700


VALUES = {
    "providers": st.sets(st.sampled_from(Provider)).map(tuple),
    "statuses": st.sets(st.sampled_from(Status)).map(tuple),
    "currencies": st.sets(st.sampled_from(["EUR", "JPY", "USD"])).map(tuple),
    "customer_reference": st.sampled_from([None, "cus_1", "cus_2"]),
}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(told=st.fixed_dictionaries({}, optional=VALUES))
def test_the_ledger_and_the_streams_understand_a_filter_alike(database: Database, told: dict[str, object]) -> None:
    views = PaymentViews(database)
    if not views.count(ALL):
        till = Till(database)
        for provider in (Provider.STRIPE, Provider.PAYPAL):
            for currency in ("EUR", "JPY"):
                name = f"{provider}{currency}"
                till.captured(name, provider=provider, currency=currency, customer_reference=f"cus_{len(currency)}")
                till.captured(f"{name}1", provider=provider, currency=currency, customer_reference="cus_1")
        till.refunded("stripeEUR", "re_1")
    wanted = PaymentFilter(**told)
    everything = views.page(ALL, 100)
    fitting = [view for view in everything if wanted.fits(view)]
    assert views.page(wanted, 100) == fitting
    assert views.count(wanted) == len(fitting)
    assert sorted(standing(views, 2**60, wanted)) == sorted(view.payment_id for view in fitting)
