import json
import pickle

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from payments import event as events
from payments.event import Event, Kind, Provider
from payments.failures import Undecodable
from payments.providers.decoding import decode_event
from payments.providers.document import MAX_DEPTH
from payments.providers.document import refusal as refusal_for
from payments.providers.recognise import marks_of, recognise

CANONICAL = b'{"id":"p1","currency":"EUR","status":"paid","created_at":1767225600,"amount":"1.00"}'
STRIPE = (
    b'{"id":"evt_1","object":"event","created":1767225600,"type":"charge.refunded","data":{"object":'
    b'{"id":"ch_1","amount":500,"amount_refunded":200,"currency":"usd","payment_intent":"pi_1","metadata":{"a":"b"}}}}'
)
RAZORPAY = (
    b'{"entity":"event","event":"payment.captured","created_at":1767225600,"payload":{"payment":{"entity":'
    b'{"id":"pay_1","amount":500,"currency":"INR","order_id":"order_1","notes":[]}}}}'
)
PAYPAL = (
    b'{"id":"WH-1","event_type":"PAYMENT.CAPTURE.REFUNDED","create_time":"2026-01-01T00:00:00Z","resource":'
    b'{"id":"R1","amount":{"value":"5.00","currency_code":"USD"},"links":[{"rel":"up","href":"x/captures/C1"}]}}'
)
GOOD = {Provider.CANONICAL: CANONICAL, Provider.STRIPE: STRIPE, Provider.RAZORPAY: RAZORPAY, Provider.PAYPAL: PAYPAL}


def refusal(raw: bytes, **how: object) -> Undecodable:
    with pytest.raises(Undecodable) as refused:
        decode_event(raw, **how)  # type: ignore[arg-type]  # what a test gives
    return refused.value


def with_note(note: bytes) -> bytes:
    return CANONICAL[:-1] + b',"note":' + note + b"}"


@pytest.mark.parametrize("provider", list(Provider))
def test_a_message_is_recognised_by_its_shape(provider: Provider) -> None:
    assert recognise(marks_of(GOOD[provider])) is provider
    assert decode_event(GOOD[provider]) == decode_event(GOOD[provider], provider=provider)
    assert decode_event(GOOD[provider]).provider is provider


def test_a_forced_provider_is_not_second_guessed() -> None:
    assert refusal(CANONICAL, provider=Provider.STRIPE).path == "$.type"
    assert refusal(STRIPE, provider=Provider.CANONICAL).path.startswith("$.")


def test_marks_of_odd_types_are_no_marks() -> None:
    odd = CANONICAL[:-1] + b',"object":[],"type":{},"entity":5,"event":null}'
    assert decode_event(odd).provider is Provider.CANONICAL
    assert refusal(b'{"event_type":{"a":1},"id":"x","create_time":"2026-01-01T00:00:00Z"}').path == "$.event_type"


def test_a_type_is_read_however_it_is_escaped() -> None:
    assert decode_event(STRIPE.replace(b"charge.refunded", b"charge\\u002erefunded")).kind is Kind.REFUNDED


def test_the_event_is_printed_under_exactly_these_names() -> None:
    assert list(msgspec.to_builtins(decode_event(STRIPE))) == [
        "provider",
        "event_id",
        "kind",
        "payment_id",
        "amount_minor",
        "currency",
        "occurred_at",
        "ordering_key",
        "reference_id",
        "parent_id",
        "metadata",
        "customer_reference",
        "customer_email",
    ]


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "empty"),
        (b" ", "not JSON"),
        (b"hello", "not JSON"),
        (b'{"id":', "not JSON"),
        (CANONICAL + b"x", "not JSON"),
        (b"\xef\xbb\xbf" + CANONICAL, "not JSON"),
        (with_note(b"NaN"), "not JSON"),
        (with_note(b"Infinity"), "not JSON"),
        (with_note(b"01"), "not JSON"),
        (with_note(b'"\x01"'), "not JSON"),
        (with_note(b'"\\ud800"'), "not JSON"),
        (with_note(b'"\\ud800 and more of it"'), "not JSON"),
        (with_note(b'"\xff"'), "not UTF-8"),
        (with_note(b'"\xed\xa0\x80"'), "not UTF-8"),
        (with_note(b'"\x00"'), "NUL"),
        (with_note(b'"a\\u0000b"'), "NUL"),
        (with_note(b'{"\\\\\\u0000":1}'), "NUL"),
        (b"[]", "expected object"),
        (b"null", "expected object"),
        (b'"text"', "expected object"),
        (b"17", "expected object"),
        (with_note(b"[" * 64 + b"]" * 64), "nested deeper"),
        (with_note(b"[" * 100_000), "nested deeper"),
        (b"[" * 500_000, "nested deeper"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "nested deeper"),
    ],
)
def test_a_document_that_cannot_be_read_is_refused_as_a_whole(raw: bytes, reason: str) -> None:
    refused = refusal(raw)
    assert refused.path == "$"
    assert reason in refused.reason


def test_a_backslash_before_u0000_is_no_nul() -> None:
    assert decode_event(with_note(b'"\\\\u0000"')).kind is Kind.CAPTURED


def test_brackets_in_strings_and_side_by_side_are_no_depth() -> None:
    assert decode_event(with_note(b'"' + b"[{" * 500 + b'\\"["')).kind is Kind.CAPTURED
    assert decode_event(with_note(b"[" + b"[],{}," * 500 + b"1]")).kind is Kind.CAPTURED
    deepest = MAX_DEPTH - 1
    assert decode_event(with_note(b"[" * deepest + b"]" * deepest)).kind is Kind.CAPTURED


def test_the_size_cap_is_inclusive_and_can_be_set() -> None:
    assert decode_event(CANONICAL, max_bytes=len(CANONICAL)).kind is Kind.CAPTURED
    assert "over the cap" in refusal(CANONICAL, max_bytes=len(CANONICAL) - 1).reason
    assert "over the cap" in refusal(with_note(b'"' + b"x" * 1_048_576 + b'"')).reason


def test_a_stack_that_is_used_up_counts_as_nested_too_deep() -> None:
    assert "nested deeper" in refusal_for(RecursionError()).reason


def test_a_refusal_carries_nothing_of_the_record_along() -> None:
    refused = refusal(with_note(b'"secret \xff"'))
    assert refused.__context__ is None
    assert refused.__cause__ is None
    assert "secret" not in pickle.dumps(refused).decode("latin-1")


@pytest.mark.parametrize("provider", list(Provider))
def test_an_event_survives_its_own_encoding(provider: Provider) -> None:
    event = decode_event(GOOD[provider])
    assert events.decode(events.encode(event)) == event


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def decoded_or_refused(raw: bytes, provider: Provider | None = None, event_id: str | None = None) -> None:
    try:
        event = decode_event(raw, provider=provider, event_id=event_id)
    except Undecodable as error:
        refused = error
    else:
        is_sound(event)
        return
    assert refused.path.startswith("$")
    assert refused.reason
    assert "\n" not in str(refused)


def is_sound(event: Event) -> None:
    assert events.decode(events.encode(event)) == event
    assert 0 < len(event.event_id) <= 255
    assert event.occurred_at.tzinfo is not None
    if event.kind is not Kind.IGNORED:
        assert event.payment_id
        assert event.ordering_key
        assert event.amount_minor is not None
        assert 0 <= event.amount_minor < 10**15


@given(st.binary(max_size=200), st.none() | st.sampled_from(Provider), st.none() | st.text(max_size=10))
def test_random_bytes_are_refused_and_nothing_else(raw: bytes, provider: Provider | None, event_id: str | None) -> None:
    decoded_or_refused(raw, provider, event_id)


@given(ANY_JSON, st.none() | st.sampled_from(Provider))
def test_random_json_is_refused_and_nothing_else(document: object, provider: Provider | None) -> None:
    decoded_or_refused(json.dumps(document).encode(), provider)


@given(st.sampled_from(Provider), st.data())
@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
def test_a_good_message_with_a_part_exchanged_is_read_or_refused(provider: Provider, data: st.DataObject) -> None:
    document = json.loads(GOOD[provider])
    node = document
    while True:
        key = data.draw(st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node))))
        if isinstance(node[key], dict | list) and node[key] and data.draw(st.booleans()):
            node = node[key]
            continue
        node[key] = data.draw(ANY_JSON)
        break
    decoded_or_refused(json.dumps(document).encode())


@given(st.sampled_from(Provider), st.data())
@settings(max_examples=400)
def test_a_good_message_with_bytes_changed_is_read_or_refused(provider: Provider, data: st.DataObject) -> None:
    raw = bytearray(GOOD[provider])
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, len(raw) - 1))
        raw[position : position + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    decoded_or_refused(bytes(raw))
