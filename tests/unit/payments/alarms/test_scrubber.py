"""What must not leave the house does not, under whatever key and however deep."""

import json
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.alarms.scrubber import is_left_out, scrubbed

CARD, MAIL, KEY = "4242424242424242", "jane@example.com", "sk_live_51Habc"
TOLD = st.sampled_from([CARD, "4242 4242 4242 4242", MAIL, f"paid with {CARD} by {MAIL}", KEY])
NAMES = st.text(string.ascii_lowercase, min_size=1, max_size=8)
LEAVES = TOLD | st.just(int(CARD)) | st.none() | st.booleans() | st.integers(0, 10**9) | NAMES
TREES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES | TOLD, inner, max_size=4)
)


@given(TREES)
def test_no_canary_comes_through_at_any_depth(tree: object) -> None:
    told = json.dumps(scrubbed(tree))
    assert [canary for canary in (CARD, "4242 4242", MAIL, KEY) if canary in told] == []


@pytest.mark.parametrize(
    "key",
    [
        "card",
        "cardNumber",
        "card_last4",
        "CVV",
        "cvc",
        "payer_email",
        "Email",
        "phone",
        "access_token",
        "clientSecret",
        "password",
        "Authorization",
        "api_key",
        "X-Api-Key",
        "APIKey",
        "key",
        "idempotency_key",
        "payload",
        "headers",
        "metadata",
        "customer",
        "vars",
    ],
)
def test_what_stands_under_such_a_key_is_left_out(key: str) -> None:
    assert scrubbed([{"outer": {key: "123", "kept": "yes"}}]) == [{"outer": {"kept": "yes"}}]


@pytest.mark.parametrize(
    "key", ["provider", "payment_id", "discarded", "monkey", "reason", "breaker", "server_name", "fingerprint"]
)
def test_what_says_what_happened_is_kept(key: str) -> None:
    assert not is_left_out(key)
    assert scrubbed({key: "stripe"}) == {key: "stripe"}


def test_a_key_that_quotes_somebody_is_redacted() -> None:
    assert scrubbed({MAIL: 1}) == {"[email]": 1}


def test_a_number_is_kept_unless_it_is_as_long_as_a_card_s() -> None:
    told = {"amount_minor": 1_000_000_000, "seconds": 0.25, "open": True, "since": 1_764_100_000.123456}
    assert scrubbed(told) == told
    assert scrubbed([int(CARD), -int(CARD), float(CARD)]) == ["[card]", "-[card]", "[card]"]


def test_a_fingerprint_of_ours_stays_whole_and_nothing_else_passes_for_one() -> None:
    looks_like_an_iban = "ab12cdef01234567"
    assert scrubbed({"fingerprint": ["name", looks_like_an_iban]}) == {"fingerprint": ["name", looks_like_an_iban]}
    assert scrubbed({"fingerprint": CARD}) == {"fingerprint": "[card]"}
    assert scrubbed({"id": looks_like_an_iban}) == {"id": "[iban]"}


def test_a_long_text_is_cut() -> None:
    assert len(scrubbed("so it goes " * 1000)) <= 1000
