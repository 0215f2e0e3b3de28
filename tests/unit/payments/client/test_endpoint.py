from pathlib import Path

import pytest

from payments.client import Endpoint
from payments.failures import ConfigurationError

TOKEN = "a-token-that-nobody-may-see"  # noqa: S105 - of no server


@pytest.mark.parametrize("address", ["localhost:50051", "127.0.0.1:1", "127.8.9.10:1", "[::1]:50051"])
def test_a_token_may_go_to_this_machine_as_it_is(address: str) -> None:
    assert Endpoint(address=address, token=TOKEN).credentials == (("authorization", f"Bearer {TOKEN}"),)


@pytest.mark.parametrize(
    "address", ["payments.internal:50051", "10.0.0.1:1", "0.0.0.0:1", "[2001:db8::1]:1", "localhost.example:1"]
)
def test_a_token_goes_to_another_machine_with_tls_or_where_the_network_is_trusted(address: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        Endpoint(address=address, token=TOKEN)
    assert address in raised.value.message
    assert "PAYFERRY_API_TLS=true" in raised.value.message
    assert Endpoint(address=address, token=TOKEN, tls=True).credentials
    assert Endpoint(address=address, token=TOKEN, plaintext=True).credentials
    assert not Endpoint(address=address).credentials


def test_a_token_is_shown_nowhere() -> None:
    assert TOKEN not in repr(Endpoint(token=TOKEN))


@pytest.mark.parametrize("token", ["", "two words", "new\nline", "ö" * 20], ids=["empty", "blank", "line", "umlauts"])
def test_a_token_that_no_header_can_hold_is_refused_and_not_quoted(token: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        Endpoint(token=token)
    assert not token or token not in str(raised.value)


@pytest.mark.parametrize("address", ["", "payments", "payments:", "http://payments:1", "::1:50051", "a b:1", "a:x"])
def test_what_is_no_address_is_refused_with_the_right_form(address: str) -> None:
    with pytest.raises(ConfigurationError, match="write host:port"):
        Endpoint(address=address)


def test_a_certificate_goes_with_its_key_and_files_go_with_tls() -> None:
    with pytest.raises(ConfigurationError, match="go together"):
        Endpoint(tls=True, cert_file="ours.pem")
    with pytest.raises(ConfigurationError, match="TLS is off"):
        Endpoint(ca_file="theirs.pem")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    endpoint = Endpoint(tls=True, ca_file=str(tmp_path / "nothing.pem"))
    with pytest.raises(ConfigurationError, match=r"nothing\.pem cannot be read: No such file"):
        endpoint.file(endpoint.ca_file)
    assert endpoint.file(None) is None
