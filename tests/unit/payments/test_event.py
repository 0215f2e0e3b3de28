from datetime import timedelta, timezone

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.event import Event, Kind, Provider, decode, encode, ordering_key
from tests.builders import OCCURRED_AT, an_event, an_ignored_event

NAMES = st.text(min_size=1, max_size=40)
ZONES = st.integers(-23, 23).map(lambda hours: timezone(timedelta(hours=hours)))
EVENTS = st.builds(
    an_event,
    event_id=NAMES,
    kind=st.sampled_from(Kind),
    payment_id=NAMES,
    provider=st.sampled_from(Provider),
    amount_minor=st.none() | st.integers(0, 10**15),
    occurred_at=st.datetimes(timezones=ZONES),
    reference_id=st.none() | NAMES,
    parent_id=st.none() | NAMES,
    metadata=st.dictionaries(NAMES, st.text()),
    customer_reference=st.none() | NAMES,
    customer_email=st.none() | st.emails(),
)


@given(EVENTS)
def test_an_event_that_is_written_and_read_is_the_same_event(event: Event) -> None:
    assert decode(encode(event)) == event
    assert decode(encode(event).decode()) == event


def test_an_ignored_event_needs_neither_payment_nor_money() -> None:
    assert decode(encode(an_ignored_event())) == an_ignored_event()


def test_an_event_keeps_the_instant_and_has_a_time_zone() -> None:
    assert decode(encode(an_event())).occurred_at == OCCURRED_AT
    assert decode(encode(an_event())).occurred_at.tzinfo is not None


def test_what_is_no_event_is_not_read_as_one() -> None:
    with pytest.raises(msgspec.ValidationError):
        decode(b'{"provider": "acme"}')


def test_an_event_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        an_event().amount_minor = 0  # type: ignore[misc]  # this is what must not work


def test_an_event_that_was_stored_before_customers_were_read_has_none() -> None:
    stored = msgspec.to_builtins(an_event())
    del stored["customer_reference"], stored["customer_email"]
    assert decode(msgspec.json.encode(stored)) == an_event()


def test_an_event_shows_nothing_personal() -> None:
    event = an_event(customer_reference="cus_1", customer_email="jo@example.com", metadata={"phone": "+4912345678"})
    for shown in (repr(event), str(event), f"{[event]}"):
        assert "evt_1" in shown
        assert "cus_1" in shown
        assert "example.com" not in shown
        assert "+49" not in shown


def test_the_events_of_one_payment_share_a_key_and_those_of_another_provider_do_not() -> None:
    assert ordering_key(Provider.STRIPE, "p1") == "stripe:p1"
    assert ordering_key(Provider.STRIPE, "p1") != ordering_key(Provider.PAYPAL, "p1")
