from pathlib import Path

import pytest

from workers.embedded.account import Account

STRANGER = Account("stranger", user_id=54321, group_id=54321)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    inner = tmp_path / "outer" / "inner"
    inner.mkdir(parents=True)
    return inner


def test_the_outermost_closed_folder_is_named(folder: Path) -> None:
    folder.parent.chmod(0o700)
    outermost = STRANGER.barred_at(folder)
    assert outermost is not None
    assert folder.is_relative_to(outermost)


def test_the_folder_itself_counts(folder: Path) -> None:
    folder.chmod(0o755)
    before = STRANGER.barred_at(folder)
    folder.chmod(0o700)
    assert STRANGER.barred_at(folder) in {before, folder}
    assert STRANGER.barred_at(folder) is not None


def test_a_folder_open_to_all_bars_nobody() -> None:
    assert STRANGER.barred_at(Path("/")) is None


def test_the_owner_may_enter_what_others_may_not(folder: Path) -> None:
    folder.chmod(0o700)
    about = folder.stat()
    owner = Account("owner", user_id=about.st_uid, group_id=about.st_gid)
    assert owner.barred_at(folder) != folder


def test_an_unknown_account_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        Account.named("no-such-account-here")
