"""What is set of the API and of its clients is whole, or refused by the name of the variable and the fix."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from config.settings import ApiSettings, ClientSettings, Grant, Group, Settings, SettingsError, digest_of

TOKEN = "correct-horse-battery"  # noqa: S105 - of nobody
OTHER = "staple-battery-horse"


@pytest.fixture(autouse=True)
def _nothing_is_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)  # where no .env is
    for group in (ApiSettings, ClientSettings):
        for field in group.model_fields.values():
            monkeypatch.delenv(str(field.validation_alias.choices[0]), raising=False)  # type: ignore[union-attr]


def test_both_are_part_of_the_settings() -> None:
    told = Settings()
    assert (told.api.port, told.client.address) == (50051, "127.0.0.1:50051")


def test_the_clients_are_those_of_the_variable_and_of_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text(f"# the desk\ndesk:admin:{OTHER}\n")
    monkeypatch.setenv("API_TOKENS", f"shop:read:{TOKEN}")
    monkeypatch.setenv("API_TOKENS_FILE", str(file))
    told = [(client.name, client.grants) for client in ApiSettings().clients()]
    assert told == [("shop", {Grant.READ}), ("desk", {Grant.ADMIN, Grant.READ})]


def test_a_file_that_was_written_on_windows_is_read_like_any_other(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "tokens"
    file.write_bytes(f"\ufeffshop:read:{TOKEN}\r\n# the desk\r\ndesk:admin:{OTHER}\r\n".encode())
    monkeypatch.setenv("API_TOKENS_FILE", str(file))
    told = [(client.name, client.digest) for client in ApiSettings().clients()]
    assert told == [("shop", digest_of(TOKEN)), ("desk", digest_of(OTHER))]


def test_nobody_is_named_where_nothing_is_set() -> None:
    assert ApiSettings().clients() == ()


def test_malformed_tokens_are_refused_at_the_start_and_not_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_TOKENS", f"shop:read:{TOKEN},{OTHER}")
    with pytest.raises(ValidationError, match=r"API_TOKENS[\s\S]*entry 2 must be name:grants:token") as refused:
        Settings()
    assert TOKEN not in str(refused.value)
    assert OTHER not in str(refused.value)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (f"desk:{OTHER}".encode(), "line 1 must be name:grants:token"),
        (b"\xff\xfe" + OTHER.encode(), "not UTF-8"),
        (f"desk:admin:{TOKEN}".encode(), "shop and desk have the same token"),
    ],
    ids=["malformed", "binary", "twice"],
)
def test_a_file_that_is_wrong_is_refused_and_not_quoted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes, why: str
) -> None:
    (tmp_path / "tokens").write_bytes(content)
    monkeypatch.setenv("API_TOKENS", f"shop:read:{TOKEN}")
    monkeypatch.setenv("API_TOKENS_FILE", str(tmp_path / "tokens"))
    with pytest.raises(SettingsError, match=f"API_TOKENS_FILE: .*{why}") as refused:
        ApiSettings().clients()
    assert TOKEN not in str(refused.value)
    assert OTHER not in str(refused.value)


def test_a_file_that_is_missing_hinders_only_whom_it_concerns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_TOKENS_FILE", "missing")
    told = Settings()  # a worker has no such file, and needs none
    with pytest.raises(SettingsError, match="API_TOKENS_FILE: cannot be read: No such file"):
        told.api.clients()


@pytest.mark.parametrize(
    ("group", "named", "error"),
    [
        (ApiSettings, {"API_TLS_CERT_FILE": "c"}, "API_TLS_CERT_FILE and API_TLS_KEY_FILE go together"),
        (ApiSettings, {"API_TLS_KEY_FILE": "k"}, "API_TLS_CERT_FILE and API_TLS_KEY_FILE go together"),
        (ApiSettings, {"API_TLS_CLIENT_CA_FILE": "a"}, "API_TLS_CLIENT_CA_FILE needs API_TLS_CERT_FILE"),
        (ApiSettings, {"API_CALL_BURST": "0"}, "API_CALL_BURST"),
        (ApiSettings, {"API_CALLS_PER_SECOND": "-1"}, "API_CALLS_PER_SECOND"),
        (ApiSettings, {"API_HEARTBEAT_SECONDS": "0"}, "API_HEARTBEAT_SECONDS"),
        (ClientSettings, {"PAYFERRY_API_CERT_FILE": "c"}, "PAYFERRY_API_CERT_FILE and PAYFERRY_API_KEY_FILE go"),
        (ClientSettings, {"PAYFERRY_API_CA_FILE": "a"}, "need PAYFERRY_API_TLS=true"),
        (ClientSettings, {"PAYFERRY_API_TOKEN": "sha256=" + 64 * "a"}, "PAYFERRY_API_TOKEN[\\s\\S]*the token itself"),
    ],
    ids=range(9),
)
def test_what_does_not_go_together_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, group: type[Group], named: dict[str, str], error: str
) -> None:
    for variable, value in named.items():
        monkeypatch.setenv(variable, value)
    with pytest.raises(ValidationError, match=error):
        group()


def test_mutual_tls_is_set_by_three_files(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("API_TLS_CERT_FILE", "API_TLS_KEY_FILE", "API_TLS_CLIENT_CA_FILE"):
        monkeypatch.setenv(variable, "file.pem")
    assert ApiSettings().tls_client_ca_file == "file.pem"


@pytest.mark.parametrize("address", ["payments.internal:443", "127.0.0.1:50051", "[::1]:1"])
def test_an_address_is_a_host_and_a_port(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("PAYFERRY_API", address)
    assert ClientSettings().address == address


@pytest.mark.parametrize(
    "address", ["payments", "http://payments:443", "payments:", ":443", "::1:443", "a:0", "a:65536"]
)
def test_an_address_without_host_or_port_is_refused(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("PAYFERRY_API", address)
    with pytest.raises(ValidationError, match=r"PAYFERRY_API[\s\S]*must be host:port"):
        ClientSettings()
