"""Who may call `payferry api`, by what is set."""

from pathlib import Path

import pytest

from config.settings import ApiClient, Grant, SettingsError, load_settings
from workers.cli import api


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> list[ApiClient]:
    """Who the server that was started would let in."""
    let_in: list[ApiClient] = []

    async def serve(_settings: object, told: tuple[ApiClient, ...]) -> None:
        let_in.extend(told)

    monkeypatch.setattr(api, "_serve", serve)
    monkeypatch.setattr(api, "configure_logs", lambda _log: None)
    monkeypatch.setenv("DATABASE_URL", "postgresql://nowhere/payferry")
    return let_in


@pytest.mark.parametrize(
    ("host", "grants"),
    [
        ("127.0.0.1", {Grant.READ, Grant.ADMIN, Grant.EMAIL}),
        ("::1", {Grant.READ, Grant.ADMIN, Grant.EMAIL}),
        ("0.0.0.0", {Grant.READ, Grant.ADMIN}),  # noqa: S104 - as in a container
        ("::", {Grant.READ, Grant.ADMIN}),
    ],
    ids=["loopback", "loopback6", "all", "all6"],
)
def test_a_token_that_is_made_up_sees_emails_only_where_none_but_this_machine_can_use_it(
    clients: list[ApiClient], monkeypatch: pytest.MonkeyPatch, host: str, grants: set[Grant]
) -> None:
    monkeypatch.setenv("API_HOST", host)
    api.api()
    assert [client.grants for client in clients] == [grants]


@pytest.mark.parametrize(
    ("variable", "content"),
    [("API_TOKENS", ","), ("API_TOKENS_FILE", ""), ("API_TOKENS_FILE", "# nobody yet\n\n")],
    ids=["list", "empty-file", "comments"],
)
def test_where_tokens_are_set_that_name_nobody_none_is_made_up(
    clients: list[ApiClient], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str, content: str
) -> None:
    file = tmp_path / "tokens"
    file.write_text(content)
    monkeypatch.setenv(variable, str(file) if variable.endswith("FILE") else content)
    with pytest.raises(SettingsError, match="API_TOKENS, API_TOKENS_FILE: they name nobody"):
        api.api()
    assert clients == []
    from workers.cli.check import _api  # noqa: PLC0415 - brings grpc

    assert "they name nobody" in (_api(load_settings()) or "")
