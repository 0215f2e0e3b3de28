from collections import Counter
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payments.event import Event, Kind, Provider
from payments.failures import Undecodable
from payments.providers.decoding import decode_event
from workers.traffic import LIVES, Message, Traffic
from workers.traffic_messages import MALFORMED

seeds = st.integers(min_value=0, max_value=2**64)


def decode(message: Message) -> Event:
    header = dict(message.headers).get("x-razorpay-event-id")
    return decode_event(message.value, event_id=header.decode() if header else None)


@given(seeds)
@settings(max_examples=25, deadline=None)
def test_every_message_decodes_under_its_key_and_every_bad_one_is_refused(seed: int) -> None:
    for message in Traffic(seed, bad_ratio=0.2).messages(300):
        if message.bad:
            with pytest.raises(Undecodable):
                decode(message)
        else:
            event = decode(message)
            assert event.provider is message.provider
            assert event.ordering_key in (None, message.key.decode())


@given(seeds)
@settings(max_examples=10, deadline=None)
def test_the_same_seed_gives_the_same_messages(seed: int) -> None:
    traffic = Traffic(seed, bad_ratio=0.1)
    assert (
        list(traffic.messages(200)) == list(traffic.messages(200)) == list(Traffic(seed, bad_ratio=0.1).messages(200))
    )


def test_other_seeds_give_other_payments() -> None:
    assert not {m.key for m in Traffic(1).messages(500)} & {m.key for m in Traffic(2).messages(500)}


def test_the_count_is_of_messages() -> None:
    assert len(list(Traffic(1).messages(777))) == 777
    assert list(Traffic(1).messages(0)) == []


@pytest.mark.parametrize("kind", list(MALFORMED))
def test_every_kind_of_malformed_record_is_refused(kind: str) -> None:
    with pytest.raises(Undecodable):
        decode_event(MALFORMED[kind] % 7)


def test_bad_and_repeated_messages_come_as_often_as_asked() -> None:
    messages = list(Traffic(5, bad_ratio=0.1, duplicate_ratio=0.05).messages(10_000))
    assert 850 < sum(message.bad for message in messages) < 1150
    deliveries = Counter((m.key, m.value) for m in messages if not m.bad)
    assert 350 < sum(deliveries.values()) - len(deliveries) < 550


def test_without_duplicates_every_event_is_one_of_a_kind() -> None:
    messages = list(Traffic(5, duplicate_ratio=0.0).messages(5_000))
    events = [decode(message) for message in messages]
    assert len({(event.provider, event.event_id) for event in events}) == 5_000
    bodies = [decode_event(message.value) for message in messages]
    assert len({(event.provider, event.event_id) for event in bodies}) == 5_000


def test_all_kinds_of_all_providers_are_there() -> None:
    kinds = Counter((event.provider, event.kind) for event in map(decode, Traffic(5).messages(5_000)))
    untold = {(Provider.RAZORPAY, Kind.REQUESTED), (Provider.RAZORPAY, Kind.VOIDED)}
    assert set(kinds) == {(provider, kind) for provider in Provider for kind in Kind} - untold


@pytest.mark.parametrize("provider", list(Provider))
def test_one_provider_can_be_asked_for(provider: Provider) -> None:
    assert {message.provider for message in Traffic(5, (provider,)).messages(100)} == {provider}


def test_payments_interleave_and_each_lives_in_its_own_order() -> None:
    steps: dict[bytes, list[str]] = {}
    keys = []
    for message in Traffic(5, duplicate_ratio=0.0).messages(5_000):
        correlation_id = dict(message.headers)["correlation_id"].decode()
        steps.setdefault(message.key, []).append(correlation_id.partition("-")[2])
        keys.append(message.key)
    assert all(any(life[: len(told)] == tuple(told) for life in LIVES) for told in steps.values())
    assert sum(one != other for one, other in pairwise(keys)) > 4_000


def test_refunds_give_back_what_was_captured() -> None:
    captured: dict[str, int] = {}
    refunded: dict[str, int] = {}
    finished = set()
    for message in Traffic(5, duplicate_ratio=0.0).messages(8_000):
        event = decode(message)
        if event.kind is Kind.IGNORED or event.amount_minor is None or event.payment_id is None:
            continue
        name = f"{event.provider}:{event.payment_id}"
        if event.kind is Kind.CAPTURED:
            captured[name] = event.amount_minor
        elif event.kind is Kind.REFUNDED:
            total = event.reference_id is None
            refunded[name] = event.amount_minor + (0 if total else refunded.get(name, 0))
            if dict(message.headers)["correlation_id"].endswith(b"rest_refunded"):
                finished.add(name)
    assert len(finished) > 100
    assert all(refunded[name] == captured[name] for name in finished)


def test_time_goes_forward_from_the_start() -> None:
    start = datetime(2025, 5, 5, tzinfo=UTC)
    moments = [decode(message).occurred_at for message in Traffic(5, duplicate_ratio=0.0, start=start).messages(3_000)]
    assert moments == sorted(moments)
    assert moments[0] == start


def test_payloads_hold_what_must_not_leak_and_events_do_not() -> None:
    messages = list(Traffic(5, duplicate_ratio=0.0).messages(500))
    assert all(b"@example.com" in message.value for message in messages)
    assert not any("@example.com" in repr(decode(message)) for message in messages)
