"""Cursors and page tokens as a hostile client may send them: refused with the field, and never a fault of ours."""

import base64
from collections.abc import Callable
from datetime import UTC, datetime

import grpc
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.view import PaymentFilter
from workers.api.cursors import PageToken, StreamCursor, digest_of_filter, page_token, stream_cursor
from workers.api.refusals import Refusal

EPOCH = "7ae31a2e"
ALL = PaymentFilter()
MOMENT = datetime(2026, 5, 4, 12, tzinfo=UTC)

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=40)
    | st.just(EPOCH)
    | st.just(MOMENT.isoformat()),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def told(value: object) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(value)).decode().rstrip("=")


def refusal(read: object, *arguments: object) -> Refusal:
    with pytest.raises(Refusal) as raised:
        read(*arguments)  # type: ignore[operator]
    return raised.value


def test_both_come_back_as_they_were() -> None:
    cursor = StreamCursor(EPOCH, 7, 3, MOMENT, "stripe:p1")
    assert stream_cursor(cursor.text(), EPOCH) == cursor
    token = PageToken(MOMENT, "stripe:p1", 42, digest_of_filter(ALL))
    assert page_token(token.text(), ALL) == token


@given(text=st.text(max_size=200) | VALUES.map(told) | st.lists(VALUES, min_size=2, max_size=6).map(told))
def test_whatever_is_sent_is_read_or_refused_with_a_status(text: str) -> None:
    for read in (lambda: stream_cursor(text, EPOCH), lambda: page_token(text, ALL)):
        assert status_of(read) in {None, grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.FAILED_PRECONDITION}


def status_of(read: Callable[[], object]) -> grpc.StatusCode | None:
    try:
        read()
    except Refusal as refused:
        return refused.status
    return None


@pytest.mark.parametrize(
    "text",
    [
        told([EPOCH, -1, 0]),
        told([EPOCH, 2**63, 0]),
        told([EPOCH, 1, 0, "2026-05-04T12:00:00", "stripe:p1"]),
        told([EPOCH, 1, 0, MOMENT.isoformat(), "a\x00b"]),
        "W" * 3000,
        base64.urlsafe_b64encode(b'["' + EPOCH.encode() + b'",1,0,' + b"[" * 1400).decode(),
    ],
    ids=["negative", "too-large", "no-zone", "nul", "long", "nested"],
)
def test_a_cursor_that_was_tampered_with_names_the_field(text: str) -> None:
    assert refusal(stream_cursor, text, EPOCH).message.startswith("cursor: ")


@pytest.mark.parametrize("total", [-1, 2**63], ids=["negative", "too-large"])
def test_a_total_that_no_ledger_has_is_refused(total: int) -> None:
    text = told([MOMENT.isoformat(), "stripe:p1", total, digest_of_filter(ALL)])
    assert refusal(page_token, text, ALL).message.startswith("page_token: ")
