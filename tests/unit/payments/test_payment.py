from hypothesis import given
from hypothesis import strategies as st

from payments.event import Kind, Provider
from payments.payment import Status, movement, opened_by, with_customer
from tests.builders import a_payment, an_event


def test_a_payment_opens_pending_with_the_amount_of_its_first_event() -> None:
    payment = opened_by(an_event(kind=Kind.REFUNDED, payment_id="p9", amount_minor=77, currency="JPY"))
    assert (payment.payment_id, payment.amount_minor, payment.currency) == ("p9", 77, "JPY")
    assert (payment.status, payment.captured_minor, payment.version) == (Status.PENDING, 0, 0)


def test_a_payment_is_called_by_the_root_of_its_line_even_where_the_event_calls_it_otherwise() -> None:
    event = an_event(provider=Provider.PAYPAL, payment_id="CAP-1", ordering_key="paypal:ORD:1", parent_id="ORD:1")
    assert opened_by(event).payment_id == "ORD:1"


def test_a_payment_opens_with_the_customer_of_its_first_event() -> None:
    payment = opened_by(an_event(customer_reference="cus_1", customer_email="jo@example.com"))
    assert (payment.customer_reference, payment.customer_email) == ("cus_1", "jo@example.com")


def test_a_later_event_tells_what_was_not_known_of_the_customer_and_changes_nothing_else() -> None:
    known = a_payment(customer_reference="cus_1")
    told = with_customer(known, an_event(customer_reference="cus_2", customer_email="jo@example.com"))
    assert told == a_payment(customer_reference="cus_1", customer_email="jo@example.com")
    assert with_customer(told, an_event(customer_email="other@example.com")) == told
    assert with_customer(told, an_event()) == told


def test_a_payment_does_not_show_its_customers_email() -> None:
    payment = a_payment(customer_reference="cus_1", customer_email="jo@example.com")
    assert "cus_1" in repr(payment)
    assert "example.com" not in f"{payment!r} {payment}"


def test_what_is_refunded_is_the_larger_of_the_total_and_the_sum_of_the_parts() -> None:
    assert a_payment(refunded_total_minor=300, refunds={"r1": 100, "r2": 150}).refunded_minor == 300
    assert a_payment(refunded_total_minor=300, refunds={"r1": 200, "r2": 150}).refunded_minor == 350


@given(st.integers(0, 10**15))
def test_the_two_sides_of_a_movement_sum_to_zero_and_have_legs_of_their_own(amount_minor: int) -> None:
    debit, credit = movement(a_payment(), "capture", amount_minor, debit="a", credit="b")
    assert debit.amount_minor == -credit.amount_minor == amount_minor
    assert (debit.account, credit.account) == ("a", "b")
    assert debit.leg != credit.leg
