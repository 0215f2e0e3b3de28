"""Getting and listing payments, as any gRPC client does."""

from datetime import UTC, datetime, timedelta

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from payferry.v1 import payment_pb2 as pb
from payferry.v1.payment_pb2_grpc import PaymentServiceStub
from payments.event import Kind, Provider
from payments.ledger.settlements import Decline
from payments.ledger.state import State
from tests.builders import an_event
from tests.integration.api.conftest import ADMIN, READER, SEER, Serve, bearer
from tests.integration.api.till import Till

MAY_READ = bearer(READER)


def get(stub: PaymentServiceStub, payment_id: str, token: str = READER) -> pb.GetPaymentResponse:
    return stub.GetPayment(pb.GetPaymentRequest(id=payment_id), metadata=bearer(token))


def listed(stub: PaymentServiceStub, **told: object) -> pb.ListPaymentsResponse:
    filtered = {name: told.pop(name) for name in list(told) if name not in {"limit", "page_token"}}
    return stub.ListPayments(
        pb.ListPaymentsRequest(filter=pb.PaymentFilter(**filtered), **told), metadata=bearer(READER)
    )


def ids(page: pb.ListPaymentsResponse) -> list[str]:
    return [payment.id for payment in page.payments]


def refused(call: object, *arguments: object, **told: object) -> grpc.RpcError:
    with pytest.raises(grpc.RpcError) as raised:
        call(*arguments, **told)  # type: ignore[operator]
    return raised.value


def detail(error: grpc.RpcError, kind: type) -> object:
    """Return the one detail of this kind that came with a refusal."""
    status = rpc_status.from_call(error)
    [found] = [each for each in status.details if each.Is(kind.DESCRIPTOR)]
    told = kind()
    found.Unpack(told)
    return told


def test_a_payment_is_told_as_it_is_booked(stub: PaymentServiceStub, till: Till) -> None:
    till.captured("p1", customer_reference="cus_1", customer_email="jo@example.com")
    answer = get(stub, "stripe:p1")
    payment = answer.payment
    assert (payment.id, payment.provider, payment.payment_id) == ("stripe:p1", pb.PROVIDER_STRIPE, "p1")
    assert (payment.status, payment.currency) == (pb.PAYMENT_STATUS_COMPLETED, "EUR")
    assert (payment.amount_minor, payment.captured_minor, payment.refunded_minor) == (1000, 1000, 0)
    assert (payment.decimals, payment.revision, payment.customer_reference) == (2, 1, "cus_1")
    assert abs(payment.created_at.ToDatetime(tzinfo=UTC) - datetime.now(UTC)) < timedelta(minutes=1)
    assert (answer.stale, answer.age_seconds) == (False, 0)


def test_an_email_is_masked_for_all_whose_token_may_not_see_it(stub: PaymentServiceStub, till: Till) -> None:
    till.captured("p1", customer_email="jo@example.com")
    told = {token: get(stub, "stripe:p1", token).payment.customer_email for token in (READER, ADMIN, SEER)}
    assert told == {READER: "j***@***.com", ADMIN: "j***@***.com", SEER: "jo@example.com"}
    page = stub.ListPayments(pb.ListPaymentsRequest(), metadata=bearer(SEER))
    assert page.payments[0].customer_email == "jo@example.com"


@pytest.mark.parametrize("wrong", ["", "p1", "stripe:", "visa:p1", "stripe:a\nb", "stripe:" + "x" * 600])
def test_an_id_that_is_none_is_refused_with_the_field_and_what_would_be_right(
    stub: PaymentServiceStub, wrong: str
) -> None:
    error = refused(get, stub, wrong)
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    [violation] = detail(error, error_details_pb2.BadRequest).field_violations
    assert violation.field == "id"
    assert "stripe:pi_123" in violation.description


def test_a_payment_that_nobody_has_heard_of_is_not_found(stub: PaymentServiceStub) -> None:
    error = refused(get, stub, "stripe:nobody")
    assert error.code() is grpc.StatusCode.NOT_FOUND
    assert detail(error, error_details_pb2.ResourceInfo).resource_name == "stripe:nobody"


def test_payments_are_listed_newest_first_in_pages_that_together_are_all(stub: PaymentServiceStub, till: Till) -> None:
    made = [f"p{number}" for number in range(7)]
    till.captured(*made)
    pages = [listed(stub, limit=3)]
    while pages[-1].next_page_token:
        till.captured(f"later{len(pages)}")  # what comes meanwhile is not in the way
        pages.append(listed(stub, limit=3, page_token=pages[-1].next_page_token))
    assert [each for page in pages for each in ids(page)] == [f"stripe:{each}" for each in reversed(made)]
    assert {page.total for page in pages} == {7}


def test_without_a_limit_there_are_ten_and_never_more_than_a_hundred(stub: PaymentServiceStub, till: Till) -> None:
    till.captured(*(f"p{number}" for number in range(101)))
    assert [len(listed(stub, limit=limit).payments) for limit in (0, 100, 5000)] == [10, 100, 100]


@pytest.fixture
def various(till: Till) -> None:
    till.captured("euro", customer_reference="cus_1")
    till.captured("yen", currency="JPY")
    till.captured("pal", provider=Provider.PAYPAL, customer_reference="cus_1")
    till.settle(an_event("evt_no", Kind.FAILED, "no"), State.DECLINED, Decline("card_declined", "do_not_honor"))


@pytest.mark.usefixtures("various")
@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, {"stripe:euro", "stripe:yen", "paypal:pal", "stripe:no"}),
        ({"providers": [pb.PROVIDER_PAYPAL]}, {"paypal:pal"}),
        ({"providers": [pb.PROVIDER_PAYPAL, pb.PROVIDER_RAZORPAY]}, {"paypal:pal"}),
        ({"statuses": [pb.PAYMENT_STATUS_FAILED]}, {"stripe:no"}),
        ({"currencies": ["jpy"]}, {"stripe:yen"}),
        ({"customer_reference": "cus_1"}, {"stripe:euro", "paypal:pal"}),
        ({"customer_reference": "cus_1", "providers": [pb.PROVIDER_STRIPE]}, {"stripe:euro"}),
        ({"created_until": Timestamp(seconds=1_700_000_000)}, set()),
        (
            {"created_from": Timestamp(seconds=1_700_000_000), "currencies": ["EUR"]},
            {"stripe:euro", "stripe:no"} | {"paypal:pal"},
        ),
    ],
    ids=["all", "provider", "two-providers", "status", "currency", "customer", "both", "until", "from"],
)
def test_a_filter_names_the_payments_that_are_wanted_and_the_total_counts_them(
    stub: PaymentServiceStub, wanted: dict[str, object], found: set[str]
) -> None:
    page = listed(stub, **wanted)
    assert set(ids(page)) == found
    assert page.total == len(found)


@pytest.mark.parametrize(
    ("field", "told"),
    [
        ("limit", {"limit": -1}),
        ("page_token", {"page_token": "no token"}),
        ("page_token", {"page_token": "W10"}),
        ("filter.providers", {"providers": [99]}),
        ("filter.statuses", {"statuses": [0]}),
        ("filter.currencies", {"currencies": ["EURO"]}),
        ("filter.created_from", {"created_from": Timestamp(seconds=-99_999_999_999)}),
        ("filter.created_until", {"created_from": Timestamp(seconds=9), "created_until": Timestamp(seconds=9)}),
        ("filter.customer_reference", {"customer_reference": "x" * 600}),
    ],
    ids=["negative", "garbage", "empty", "provider", "status", "currency", "year", "backwards", "long"],
)
def test_a_wrong_field_is_named(stub: PaymentServiceStub, field: str, told: dict[str, object]) -> None:
    error = refused(listed, stub, **told)
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert [each.field for each in detail(error, error_details_pb2.BadRequest).field_violations] == [field]


def test_a_page_token_is_good_for_its_own_filter_only(stub: PaymentServiceStub, till: Till) -> None:
    till.captured("p1", "p2")
    token = listed(stub, limit=1).next_page_token
    error = refused(listed, stub, limit=1, page_token=token, currencies=["EUR"])
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_a_history_tells_events_steps_entries_and_declines(stub: PaymentServiceStub, till: Till) -> None:
    till.settle(an_event("evt_no", Kind.FAILED, "p1"), State.DECLINED, Decline("card_declined", "do_not_honor"))
    till.captured("p1")
    till.refunded("p1", "re_1", 400)
    told = stub.GetPaymentHistory(pb.GetPaymentHistoryRequest(id="stripe:p1"), metadata=bearer(ADMIN))
    assert told.payment.status == pb.PAYMENT_STATUS_PARTIALLY_REFUNDED
    assert [(event.event_id, event.kind, event.state, event.attempts) for event in told.events] == [
        ("evt_no", "failed", "declined", 1),
        ("evt_p1", "captured", "settled", 1),
        ("evt_re_1", "refunded", "settled", 1),
    ]
    assert [event.correlation_id for event in told.events] == ["evt_no", "evt_p1", "evt_re_1"]
    assert sum(entry.amount_minor for entry in told.entries) == 0
    assert sorted(entry.leg for entry in told.entries) == [
        "capture/credit",
        "capture/debit",
        "refund:re_1/credit",
        "refund:re_1/debit",
    ]
    assert [(each.kind, each.code) for each in told.declines] == [("card_declined", "do_not_honor")]
    assert not told.truncated


def test_while_redis_is_away_payments_are_read_all_the_same(serve: Serve, till: Till) -> None:
    till.captured("p1")
    server = serve(redis="redis://127.0.0.1:1/0", fresh_seconds=60.0)
    with grpc.insecure_channel(server.address) as channel:
        assert get(PaymentServiceStub(channel), "stripe:p1").payment.id == "stripe:p1"


def test_while_the_ledger_is_away_what_was_known_is_told_as_stale_and_the_rest_is_unavailable(
    serve: Serve, till: Till, database: object
) -> None:
    till.captured("p1", "p2")
    with grpc.insecure_channel(serve().address) as channel:
        stub = PaymentServiceStub(channel)
        assert not get(stub, "stripe:p1").stale
        database.close()  # type: ignore[attr-defined]
        assert get(stub, "stripe:p1").stale
        error = refused(get, stub, "stripe:p2")
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert detail(error, error_details_pb2.RetryInfo).retry_delay.ToMilliseconds() > 0
