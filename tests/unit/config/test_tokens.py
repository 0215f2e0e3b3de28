"""Who may call the API is read as it was meant, or refused without a word of it."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.settings.tokens import Grant, check_distinct, clients_of_lines, clients_of_list, digest_of, is_token

TOKEN = "correct-horse-battery"  # noqa: S105 - of nobody
OTHER = "staple-battery-horse"
DIGEST = sha256(TOKEN.encode()).hexdigest()


def test_a_client_has_its_name_its_grants_and_the_digest_of_its_token() -> None:
    (client,) = clients_of_list(f"shop:read+email:{TOKEN}")
    assert (client.name, client.grants) == ("shop", {Grant.READ, Grant.EMAIL})
    assert client.digest == digest_of(TOKEN) == bytes.fromhex(DIGEST)


def test_who_may_see_everything_may_read() -> None:
    (client,) = clients_of_list(f"desk:admin:{TOKEN}")
    assert client.grants == {Grant.ADMIN, Grant.READ}


def test_a_token_written_as_its_digest_is_the_same_client() -> None:
    assert clients_of_list(f"shop:read:sha256={DIGEST.upper()}") == clients_of_list(f"shop:read:{TOKEN}")


def test_a_token_may_contain_what_separates_names_and_grants() -> None:
    (client,) = clients_of_list(f"shop:read:{TOKEN}:+:=")
    assert client.digest == digest_of(f"{TOKEN}:+:=")


def test_a_client_may_have_two_tokens_while_it_changes_from_one_to_the_other() -> None:
    assert [each.name for each in clients_of_list(f"shop:read:{TOKEN}, shop:read:{OTHER},")] == ["shop", "shop"]


def test_a_file_has_one_a_line_and_comments() -> None:
    told = f"# of the shop\n\nshop:read:{TOKEN}\n  desk:admin:{OTHER}  \n"
    assert [each.name for each in clients_of_lines(told)] == ["shop", "desk"]


def test_nothing_is_nobody() -> None:
    assert clients_of_list("") == clients_of_lines("\n# nobody yet\n") == ()


@pytest.mark.parametrize(
    ("entry", "fix"),
    [
        (TOKEN, "name:grants:token"),
        (f"shop:{TOKEN}", "name:grants:token"),
        (f"{TOKEN} x:read:{OTHER}", "a name of at most 64 letters"),
        (f":read:{TOKEN}", "a name of at most 64 letters"),
        (f"shop:{TOKEN}:{OTHER}", "read, admin, email, joined by +"),
        (f"shop::{TOKEN}", "read, admin, email, joined by +"),
        (f"shop:read,{TOKEN}", "name:grants:token"),
        ("shop:read:fifteen-letter", "at least 16 characters"),
        ("shop:read:", "at least 16 characters"),
        (f"shop:read:{TOKEN} {OTHER}", "without blanks"),
        (f"shop:read:{TOKEN}é", "ASCII"),
        (f"shop:read:sha256={DIGEST[1:]}", "64 hexadecimal digits"),
        (f"shop:read:sha256={TOKEN}", "64 hexadecimal digits"),
    ],
    ids=range(13),
)
def test_a_malformed_entry_is_refused_by_its_place_and_not_quoted(entry: str, fix: str) -> None:
    with pytest.raises(ValueError, match=r"entry 2 .*" + fix.replace("+", r"\+")) as refused:
        clients_of_list(f"desk:admin:another-token-of-somebody,{entry}")
    secrets = {TOKEN, OTHER, DIGEST[1:], "fifteen-letter", "another-token"}
    assert [each for each in secrets if each in str(refused.value)] == []


def test_a_malformed_line_is_told_by_its_number() -> None:
    with pytest.raises(ValueError, match="line 3 must be name:grants:token"):
        clients_of_lines(f"# comment\nshop:read:{TOKEN}\n{OTHER}\n")


def test_two_clients_with_one_token_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="shop and desk have the same token") as refused:
        clients_of_list(f"shop:read:{TOKEN},desk:admin:sha256={DIGEST}")
    assert TOKEN not in str(refused.value)
    with pytest.raises(ValueError, match="the same token"):
        check_distinct(clients_of_list(f"shop:read:{TOKEN}") * 2)


def test_a_client_shows_neither_token_nor_digest() -> None:
    (client,) = clients_of_list(f"shop:read+admin:{TOKEN}")
    assert repr(client) == str(client) == "ApiClient('shop', admin+read)"


@pytest.mark.parametrize("text", [f"sha256={DIGEST}", "two words", "a,b", "", "tab\t", "é"])
def test_what_cannot_be_sent_is_no_token(text: str) -> None:
    assert not is_token(text)


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters=","), min_size=16))
def test_every_visible_token_is_taken(token: str) -> None:
    if token.startswith("sha256="):
        return
    assert is_token(token)
    assert clients_of_list(f"shop:read:{token}")[0].digest == digest_of(token)


@given(st.text(max_size=80))
def test_whatever_is_written_is_clients_or_an_error_with_a_place(told: str) -> None:
    try:
        clients_of_lines(told)
    except ValueError as refused:
        assert str(refused).startswith("line ")  # noqa: PT017 - most texts are refused, and some are comments
