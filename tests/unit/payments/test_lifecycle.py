import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.event import Event, Kind
from payments.lifecycle import Act, Apply, Broken, Decision, NotYet, Step, Superseded, completed, decide, declined
from payments.payment import Entry, Payment, Status
from tests.builders import CAPTURED_MINOR, a_payment, an_event

PENDING, AUTHORIZED, COMPLETED, FAILED, VOIDED = (
    Status.PENDING,
    Status.AUTHORIZED,
    Status.COMPLETED,
    Status.FAILED,
    Status.VOIDED,
)
PARTLY, REFUNDED = Status.PARTIALLY_REFUNDED, Status.REFUNDED

BOTH_STEPS = (Step.AUTHORIZE, Step.CAPTURE)
TABLE: dict[Kind, dict[Status, object]] = {
    Kind.REQUESTED: {
        PENDING: BOTH_STEPS,
        **dict.fromkeys((AUTHORIZED, COMPLETED, PARTLY, REFUNDED, FAILED, VOIDED), Superseded),
    },
    Kind.AUTHORIZED: {
        **dict.fromkeys((PENDING, FAILED), (Step.CAPTURE,)),
        **dict.fromkeys((AUTHORIZED, COMPLETED, PARTLY, REFUNDED, VOIDED), Superseded),
    },
    Kind.CAPTURED: {
        **dict.fromkeys((PENDING, AUTHORIZED, FAILED), COMPLETED),
        **dict.fromkeys((COMPLETED, PARTLY, REFUNDED), Superseded),
        VOIDED: "captured_after_void",
    },
    Kind.FAILED: {
        **dict.fromkeys((PENDING, AUTHORIZED), FAILED),
        **dict.fromkeys((COMPLETED, PARTLY, REFUNDED, FAILED, VOIDED), Superseded),
    },
    Kind.VOIDED: {
        **dict.fromkeys((PENDING, AUTHORIZED), VOIDED),
        **dict.fromkeys((COMPLETED, PARTLY, REFUNDED, FAILED, VOIDED), Superseded),
    },
    Kind.REFUNDED: {
        **dict.fromkeys((PENDING, AUTHORIZED, FAILED), NotYet),
        **dict.fromkeys((COMPLETED, PARTLY), PARTLY),
        REFUNDED: Superseded,
        VOIDED: "money_back_after_void",
    },
    Kind.DISPUTED: {
        **dict.fromkeys((PENDING, AUTHORIZED, FAILED), NotYet),
        COMPLETED: COMPLETED,
        PARTLY: PARTLY,
        REFUNDED: REFUNDED,
        VOIDED: "money_back_after_void",
    },
}
CASES = [(kind, status, TABLE[kind][status]) for kind in Kind if kind is not Kind.IGNORED for status in Status]


def gist(decision: Decision) -> object:
    match decision:
        case Apply(payment=payment):
            return payment.status
        case Act(steps=steps):
            return steps
        case Broken(code=code):
            return code
        case _:
            return type(decision)


@pytest.mark.parametrize(("kind", "status", "expected"), CASES)
def test_every_kind_of_event_does_to_every_status_what_the_table_says(
    kind: Kind, status: Status, expected: object
) -> None:
    amount_minor = 500 if kind is Kind.REFUNDED else CAPTURED_MINOR
    assert gist(decide(a_payment(status), an_event(kind=kind, amount_minor=amount_minor))) == expected


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.IGNORED])
def test_the_first_event_of_a_payment_is_decided_as_on_a_pending_one(kind: Kind) -> None:
    assert gist(decide(None, an_event(kind=kind))) == TABLE[kind][PENDING]


JO = {"customer_reference": "cus_1", "customer_email": "jo@example.com"}


@pytest.mark.parametrize(("kind", "status", "_expected"), CASES)
def test_every_change_of_a_payment_tells_the_customer_that_the_event_names(
    kind: Kind, status: Status, _expected: object
) -> None:
    event = an_event(kind=kind, amount_minor=500 if kind is Kind.REFUNDED else CAPTURED_MINOR, **JO)
    plain = msgspec.structs.replace(event, customer_reference=None, customer_email=None)
    told, silent = decide(a_payment(status), event), decide(a_payment(status), plain)
    if isinstance(told, Apply | Act) and isinstance(silent, Apply | Act):
        assert told.payment == msgspec.structs.replace(silent.payment, **JO)
    else:
        assert told == silent, "what changes nothing does not tell the customer either"
    known = a_payment(status, customer_reference="cus_0", customer_email="old@example.com")
    kept = decide(known, event)
    if isinstance(kept, Apply | Act):
        assert (kept.payment.customer_reference, kept.payment.customer_email) == ("cus_0", "old@example.com")


def test_the_first_event_of_a_payment_names_its_customer() -> None:
    decision = decide(None, an_event(kind=Kind.REQUESTED, **JO))
    assert isinstance(decision, Act)
    assert decision.payment.customer_email == "jo@example.com"


def test_a_refund_told_again_with_a_customer_is_still_superseded() -> None:
    told_again = an_event(kind=Kind.REFUNDED, amount_minor=400, **JO)
    assert isinstance(decide(a_payment(PARTLY), told_again), Superseded)


def test_a_capture_books_its_amount_from_the_provider_to_the_merchant() -> None:
    decision = decide(None, an_event(payment_id="p7", amount_minor=730))
    assert isinstance(decision, Apply)
    assert decision.payment.captured_minor == 730
    assert decision.payment.capture_id == "p7"
    assert decision.entries == (
        Entry(leg="capture/debit", account="provider:stripe", amount_minor=730, currency="EUR"),
        Entry(leg="capture/credit", account="merchant", amount_minor=-730, currency="EUR"),
    )


def test_a_declined_payment_has_failed_and_has_no_entries() -> None:
    assert declined(a_payment()) == Apply(a_payment(FAILED), ())


def test_an_authorization_tells_the_amount_and_the_name_to_capture_under() -> None:
    plan = decide(a_payment(), an_event(kind=Kind.AUTHORIZED, payment_id="auth-1", amount_minor=900))
    assert isinstance(plan, Act)
    assert (plan.payment.status, plan.payment.amount_minor) == (AUTHORIZED, 900)
    assert plan.payment.authorization_id == "auth-1"


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.IGNORED])
def test_an_event_in_another_currency_is_broken_whatever_it_tells(kind: Kind) -> None:
    for status in Status:
        assert gist(decide(a_payment(status), an_event(kind=kind, currency="USD"))) == "currency_mismatch"


def test_more_refunded_than_captured_is_broken_however_it_is_told() -> None:
    by_total = an_event(kind=Kind.REFUNDED, amount_minor=CAPTURED_MINOR + 1)
    one_by_one = an_event(kind=Kind.REFUNDED, amount_minor=601, reference_id="r2")
    assert gist(decide(a_payment(COMPLETED), by_total)) == "refund_exceeds_capture"
    assert gist(decide(a_payment(PARTLY, refunds={"r1": 400}), one_by_one)) == "refund_exceeds_capture"


def test_a_second_capture_of_another_amount_is_broken() -> None:
    assert gist(decide(a_payment(COMPLETED), an_event(amount_minor=999))) == "amount_mismatch"


def test_a_dispute_told_twice_is_booked_once() -> None:
    told = an_event(kind=Kind.DISPUTED, reference_id="d1")
    first = decide(a_payment(COMPLETED), told)
    assert isinstance(first, Apply)
    assert sum(entry.amount_minor for entry in first.entries) == 0
    assert isinstance(decide(first.payment, told), Superseded)


def test_the_last_refund_makes_the_payment_refunded() -> None:
    decision = decide(a_payment(PARTLY), an_event(kind=Kind.REFUNDED, amount_minor=CAPTURED_MINOR))
    assert isinstance(decision, Apply)
    assert decision.payment.status is REFUNDED
    assert decision.entries[0].amount_minor == 600


def test_a_refund_of_nothing_leaves_a_payment_completed() -> None:
    decision = decide(a_payment(COMPLETED), an_event(kind=Kind.REFUNDED, amount_minor=0, reference_id="r1"))
    assert not isinstance(decision, Apply) or decision.payment.status is COMPLETED


def test_a_refund_told_again_with_another_amount_is_broken() -> None:
    refunded = a_payment(PARTLY, refunds={"r1": 400})
    assert isinstance(decide(refunded, an_event(kind=Kind.REFUNDED, amount_minor=401, reference_id="r1")), Broken)


# -- whole lives -------------------------------------------------------------------------------------------------------

RANK = {PENDING: 0, AUTHORIZED: 1, FAILED: 2, COMPLETED: 3, PARTLY: 4, REFUNDED: 5, VOIDED: 5}

KINDS = st.sampled_from([kind for kind in Kind if kind is not Kind.IGNORED])
TOLD = st.builds(
    an_event,
    kind=KINDS,
    amount_minor=st.sampled_from([1, 250, 400, 1000]),
    currency=st.sampled_from(["EUR", "EUR", "EUR", "USD"]),
    reference_id=st.sampled_from([None, "x1", "x2", "x3"]),
)


def carry_out(decision: Decision, *, accepted: bool) -> Apply | None:
    """Return what a worker would book, were the provider to answer so."""
    match decision:
        case Apply():
            return decision
        case Act(payment=payment) if accepted:
            return completed(payment, payment.amount_minor)
        case Act(payment=payment):
            return declined(payment)
        case _:
            return None


def booked(entries: list[Entry], prefix: str) -> int:
    return sum(e.amount_minor for e in entries if e.leg.startswith(prefix) and e.leg.endswith("/debit"))


@given(st.lists(st.tuples(TOLD, st.booleans()), max_size=25))
def test_whatever_is_told_the_books_balance_and_the_payment_only_moves_forward(life: list[tuple[Event, bool]]) -> None:
    payment: Payment | None = None
    entries: list[Entry] = []
    for event, accepted in life:
        before = payment.status if payment else PENDING
        if apply := carry_out(decide(payment, event), accepted=accepted):
            payment = apply.payment
            entries += apply.entries
            assert RANK[payment.status] >= RANK[before]
            assert payment.captured_minor >= payment.refunded_minor >= 0
            assert sum(entry.amount_minor for entry in entries) == 0
            assert {entry.currency for entry in entries} <= {payment.currency}
            assert booked(entries, "capture") == payment.captured_minor
            assert booked(entries, "refund:") == payment.refunded_minor
            assert booked(entries, "dispute:") == sum(payment.disputes.values())
    legs = [entry.leg for entry in entries]
    assert len(legs) == len(set(legs))


@given(st.lists(TOLD, max_size=12))
def test_what_is_told_twice_changes_nothing_the_second_time(life: list[Event]) -> None:
    payment: Payment | None = None
    for event in life:
        if apply := carry_out(decide(payment, event), accepted=True):
            payment = apply.payment
            again = carry_out(decide(payment, event), accepted=True)
            assert again is None or (again.payment, again.entries) == (payment, ())


@st.composite
def refunds_told_both_ways(draw: st.DrawFn) -> tuple[int, list[Event]]:
    amounts = draw(st.lists(st.integers(1, 200), min_size=1, max_size=5))
    singles = [
        an_event(kind=Kind.REFUNDED, amount_minor=amount, reference_id=f"r{i}") for i, amount in enumerate(amounts)
    ]
    totals = [an_event(kind=Kind.REFUNDED, amount_minor=sum(amounts[: i + 1])) for i in range(len(amounts))]
    return sum(amounts), draw(st.permutations([*singles, *totals]))


@given(refunds_told_both_ways())
def test_refunds_told_one_by_one_and_as_totals_in_any_order_end_at_the_same_amount(
    case: tuple[int, list[Event]],
) -> None:
    refunded_minor, told = case
    payment, entries = a_payment(COMPLETED), list[Entry]()
    for event in told:
        decision = decide(payment, event)
        assert not isinstance(decision, Broken | NotYet)
        if isinstance(decision, Apply):
            payment = decision.payment
            entries += decision.entries
            assert sum(entry.amount_minor for entry in entries) == 0
    assert payment.refunded_minor == booked(entries, "refund:") == refunded_minor
    assert payment.status is (REFUNDED if refunded_minor == CAPTURED_MINOR else PARTLY)
