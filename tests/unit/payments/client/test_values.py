from datetime import UTC, datetime, timedelta, timezone

import pytest

from payferry.v1 import payment_pb2 as messages
from payments.client import Filter
from payments.client.names import PROVIDERS, STATUSES, provider_name, status_name
from payments.client.values import decimal_text, event_of, payment_of
from payments.event import Provider
from payments.failures import BadRequest
from payments.payment import Status


@pytest.mark.parametrize(
    ("amount_minor", "decimals", "text"),
    [(1250, 2, "12.50"), (5, 2, "0.05"), (-5, 2, "-0.05"), (1250, 0, "1250"), (1250, 3, "1.250"), (0, 2, "0.00")],
)
def test_an_amount_has_the_decimals_that_the_server_tells(amount_minor: int, decimals: int, text: str) -> None:
    assert decimal_text(amount_minor, decimals) == text


def test_the_names_are_those_of_the_ledger() -> None:
    assert tuple(Provider) == PROVIDERS
    assert tuple(Status) == STATUSES


def test_what_only_a_newer_server_knows_is_told_by_its_number() -> None:
    assert (provider_name(99), status_name(98)) == ("unknown_99", "unknown_98")


def test_what_nobody_said_is_none() -> None:
    payment = payment_of(messages.Payment(id="stripe:pi_1"))
    assert (payment.customer_reference, payment.customer_email, payment.created_at) == (None, None, None)
    event = event_of(messages.PaymentEvent(cursor="1", payment=messages.Payment()))
    assert (event.event_id, event.kind, event.ending, event.settled_at, event.decline, event.at) == (None,) * 6


def test_an_event_is_told_with_its_decline_and_its_moments() -> None:
    told = messages.PaymentEvent(cursor="1", kind="failed", ending="declined")
    told.decline.CopyFrom(messages.Decline(kind="card_declined", code="do_not_honor"))
    told.settled_at.FromJsonString("2026-01-05T12:30:00.250Z")
    event = event_of(told)
    assert event.decline is not None
    assert (event.decline.kind, event.decline.code) == ("card_declined", "do_not_honor")
    assert event.at == datetime(2026, 1, 5, 12, 30, 0, 250_000, UTC)


def test_a_filter_is_told_as_the_api_wants_it() -> None:
    begin = datetime(2026, 1, 5, 2, tzinfo=timezone(timedelta(hours=2)))
    told = Filter(providers=("canonical",), statuses=("voided",), currencies=("EUR",), created_from=begin).message()
    assert (list(told.providers), list(told.statuses), list(told.currencies)) == ([4], [7], ["EUR"])
    assert told.created_from.ToJsonString() == "2026-01-05T00:00:00Z"
    assert not told.HasField("created_until")


def test_a_moment_without_its_zone_is_refused() -> None:
    with pytest.raises(BadRequest, match="created_until has no time zone"):
        Filter(created_until=datetime(2026, 1, 5)).message()  # noqa: DTZ001 - the point


@pytest.mark.parametrize("field", ["provider", "status"])
def test_a_name_that_nobody_knows_is_refused_with_those_that_there_are(field: str) -> None:
    known = {"provider": "razorpay", "status": "partially_refunded"}[field]
    meant = Filter(providers=("nobody",)) if field == "provider" else Filter(statuses=("nobody",))
    with pytest.raises(BadRequest, match=f"{field} 'nobody' is none of .*{known}"):
        meant.message()
