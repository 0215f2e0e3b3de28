import base64

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.envelope import correlation_token
from tests.builders import a_record


def test_a_header_is_found_by_its_name_and_the_first_one_counts() -> None:
    record = a_record(headers=[("other", b"0"), ("id", b"1"), ("id", b"2")])
    assert record.header("id") == "1"
    assert record.header("ID") is None


def test_a_header_without_a_value_is_passed_over() -> None:
    assert a_record(headers=[("id", None)]).header("id") is None
    assert a_record(headers=[("id", None), ("id", b"1")]).header("id") == "1"


def test_a_header_that_is_no_utf8_is_read_all_the_same() -> None:
    assert a_record(headers=[("id", b"\xff1")]).header("id") == "\ufffd1"


@given(st.lists(st.tuples(st.text(), st.binary())))
def test_headers_of_any_bytes_can_be_had_back_from_their_json(headers: list[tuple[str, bytes]]) -> None:
    told = msgspec.json.decode(a_record(headers=headers).headers_json())
    assert [(name, base64.b64decode(value)) for name, value in told] == headers


def test_headers_without_a_value_are_written_as_empty() -> None:
    assert a_record(headers=[("id", None)]).headers_json() == '[["id",""]]'
    assert a_record(headers=[]).headers_json() == "[]"


TRACE_PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize(
    ("told", "read"),
    [
        (TRACE_PARENT, TRACE_PARENT),
        (TRACE_PARENT.replace("00-", "01-", 1) + "-more", TRACE_PARENT),
        (TRACE_PARENT + "-more", None),
        (TRACE_PARENT.replace("00-", "ff-", 1), None),
        (TRACE_PARENT.upper(), None),
        (TRACE_PARENT.replace("0af7651916cd43dd8448eb211c80319c", "0" * 32), None),
        (TRACE_PARENT.replace("b7ad6b7169203331", "0" * 16), None),
        ("", None),
        ("4242424242424242", None),
    ],
)
def test_a_trace_parent_is_read_as_w3c_writes_it_and_nothing_else_is(told: str, read: str | None) -> None:
    record = a_record(headers=[("traceparent", told.encode())])
    assert record.trace_parent == read
    assert record.trace_id == (read.split("-")[1] if read else None)


def test_a_record_hangs_on_the_span_that_takes_it_in_where_there_is_one() -> None:
    assert a_record(headers=[("traceparent", b"no")], taken_under=TRACE_PARENT).trace_parent == TRACE_PARENT


def test_a_card_number_is_no_correlation_id() -> None:
    assert correlation_token("4242424242424242") is None
    assert correlation_token("4242424242424241") == "4242424242424241"
