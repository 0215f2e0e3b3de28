"""What must not be kept does not come through, however it is written; what is harmless does."""

import string

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from payments.redaction import is_card_number, masked_email, redacted

WORDS = st.text(string.ascii_letters + string.digits + string.punctuation + " \n\t\u200béß、", max_size=40)
DIGITS = st.text(string.digits, min_size=12, max_size=19)
SECRET = st.text(string.ascii_letters + string.digits, min_size=10, max_size=40)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("card 4242424242424242 was declined", "card [card] was declined"),
        ("card 4242 4242-4242 4242.", "card [card]."),
        ("card 4242\u00a04242\u20114242\n4242", "card [card]"),
        ("card 42\u200b4242424242\u200b424242", "card [card]"),
        ("cvc: 123", "cvc [cvc]"),
        ('"cvv": "1234"', '"cvv [cvc]"'),
        ("the security code is 999", "the security code [cvc]"),
        ("ask payer+1@mail.example.co.uk now", "ask [email] now"),
        ("call +49 (170) 123-4567", "call [phone]"),
        ("call (555) 123-4567", "call [phone]"),
        ("call 9876543210", "call [phone]"),
        ("to DE89 3704 0044 0532 0130 00", "to [iban]"),
        ("to de89370400440532013000", "to [iban]"),
        ("Invalid API Key provided: sk_live_51Habc", "Invalid API Key provided: [secret]"),
        ("rk_test_1 pk_live_2 whsec_3 rzp_live_4", "[secret] [secret] [secret] [secret]"),
        ("Authorization: Bearer A21AAabc.def", "Authorization=[secret]"),
        ("sent Bearer abcdef.ghi", "sent Bearer [secret]"),
        ("sent Basic c2VjcmV0OnB3", "sent Basic [secret]"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "[jwt]"),
        ("token A21AAFEpH4PsADK7qSS7pSRsgz", "token [secret]"),
        ("?access_token=abc&page=2", "?access_token=[secret]&page=2"),
        ("client_secret: hunter2", "client_secret=[secret]"),
        ("pi_3N_secret_Abc", "[secret]"),
        ("https://user:pa55@db.example.com/x", "https://[secret]@db.example.com/x"),
        ("two\r\nlines\x00\x1b", "two  lines"),
    ],
)
def test_what_must_not_be_kept_is_named_in_place_of_being_quoted(text: str, kept: str) -> None:
    assert redacted(text) == kept


@pytest.mark.parametrize(
    "text",
    [
        "",
        "No such payment_intent: 'pi_3NabcDEF'",
        "The amount 125000 is larger than what is left (99500).",
        "Your token has expired since 2026-10-04 12:00:31.",
        "Ein Schlüssel fehlt: größer als 0",
        "PAY-1AB23456CD",
    ],
)
def test_what_is_harmless_is_kept(text: str) -> None:
    assert redacted(text) == text


@given(WORDS, DIGITS, st.sampled_from(["", " ", "-", " - ", ".", "\u00a0", "\u200b", "\n"]), WORDS)
def test_no_card_number_comes_through(before: str, digits: str, between: str, after: str) -> None:
    shown = redacted(before + between.join(digits) + after, at_most=1000)
    assert digits not in "".join(char for char in shown if char.isdigit())


@given(
    WORDS, SECRET, st.sampled_from(["sk_live_", "rk_test_", "whsec_", "rzp_live_", "password=", "Bearer ", "api_key: "])
)
def test_no_secret_comes_through(before: str, secret: str, sign: str) -> None:
    assume(secret not in before)
    assert secret not in redacted(f"{before} {sign}{secret} and more", at_most=1000)


@given(WORDS, st.emails(domains=st.just("example.com")), WORDS)
def test_no_address_comes_through(before: str, address: str, after: str) -> None:
    assert "@example.com" not in redacted(f"{before} {address} {after}", at_most=1000)


@given(st.one_of(st.text(), WORDS, st.lists(st.one_of(WORDS, DIGITS, SECRET)).map(" ".join)), st.integers(0, 60))
def test_what_was_redacted_once_stays_as_it_is(text: str, at_most: int) -> None:
    once = redacted(text, at_most)
    assert redacted(once, at_most) == once
    assert len(once) <= at_most


@pytest.mark.parametrize("part", ["a", "1 ", "eyJ", "a@", "_secret", "token", "://", "pi_", "a-", "\n", "cvc "])
def test_a_long_text_is_read_in_no_time(part: str) -> None:
    assert len(redacted(part * 500_000)) <= 200


def test_a_card_at_the_place_where_a_long_text_is_cut_does_not_come_through_in_part() -> None:
    for place in range(8150, 8200):
        shown = redacted("x" * 9 + " " * (place - 9) + "4242 4242 4242 4242", at_most=10_000)
        assert "4242" not in shown


@pytest.mark.parametrize(
    ("email", "masked"),
    [
        ("jo@example.com", "j***@***.com"),
        ("j@mail.example.co.uk", "j***@***.uk"),
        ("é.dupont+tag@exemple.рф", "é***@***.рф"),
        ("jo@example.xn--p1ai", "j***@***.xn--p1ai"),
        ("j***@***.com", "j***@***.com"),
        *(
            (odd, "***")
            for odd in ("", "***", "jo", "@", "jo@", "@example.com", "jo@localhost", "jo@example.", "jo@.com")
        ),
        *((odd, "***") for odd in ("a@b@example.com", "jo@ex.4242424242424242", "jo smith@example.com", "jo@e.com\n")),
    ],
)
def test_of_an_email_only_the_first_character_and_the_last_label_are_told(email: str, masked: str) -> None:
    assert masked_email(email) == masked


@given(st.emails(domains=st.just("shop.example.com")))
def test_a_mask_tells_nothing_else(email: str) -> None:
    assert masked_email(email) == f"{email[0]}***@***.com"


@given(st.text() | st.emails())
def test_a_mask_is_masked_already_and_holds_no_digit_after_the_first_character(text: str) -> None:
    mask = masked_email(text)
    assert masked_email(mask) == mask
    assert mask == "***" or not any(char.isdigit() for char in mask[1:] if "xn--" not in mask)


def test_a_long_text_is_masked_in_no_time() -> None:
    assert masked_email("a." * 500_000 + "@") == masked_email("a@" + "b." * 500_000) == "***"


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("4242424242424242", True),
        ("4242 4242-4242 4242", True),
        ("378282246310005", True),
        ("4242424242424241", False),
        ("424242424242", False),
        ("42424242424242424242", False),
        ("cus_4242424242424242", False),
        ("\u0664" * 16, False),
        ("", False),
    ],
    ids=["card", "spaced", "fifteen", "check-digit", "short", "long", "named", "wide-digits", "empty"],
)
def test_a_card_number_is_told_by_its_check_digit(text: str, is_one: bool) -> None:  # noqa: FBT001 - a table
    assert is_card_number(text) is is_one
