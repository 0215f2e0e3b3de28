"""The policies as they are told: config/policies.toml, the operator's file over it, the environment over both.

Here they are only read and laid over each other, key by key. What they mean is checked by `payments.policies`.
"""

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from config.settings import POLICY_PREFIX, Settings, SettingsError, policy_variables

DEFAULT = "default"
"""The source of what stands in config/policies.toml."""

KeyPath = tuple[str, ...]
"""Where a value stands, such as ("failures", "transient", "retries")."""


class Leaf(msgspec.Struct, frozen=True):
    """One value, unchecked, and where it comes from: `default`, the path of a file, or the name of a variable.

    The value of a variable is the text that it holds.
    """

    value: Any
    source: str


Told = Mapping[KeyPath, Leaf]
"""Every key that anybody told, each with the value that wins."""


def told_policies(settings: Settings) -> Told:
    """Return the policies in force. Raises SettingsError, which names the file or variable and what is wrong."""
    files = _of_file(Path(__file__).with_name("policies.toml"), DEFAULT)
    if settings.policies.path:
        files |= _of_file(Path(settings.policies.path), settings.policies.path)
    return files | _of_older_variables(settings, files) | _of_variables(policy_variables())


def _of_file(file: Path, source: str) -> dict[KeyPath, Leaf]:
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"PAYFERRY_POLICIES: {file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"PAYFERRY_POLICIES: {file} is not UTF-8 (at byte {error.start})") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"PAYFERRY_POLICIES: {file} is not TOML: {error}") from error
    return {path: Leaf(value, source) for path, value in _leaves(tables, ())}


def _leaves(table: dict[str, Any], above: KeyPath) -> Iterator[tuple[KeyPath, Any]]:
    """Yield each value with its path. An empty table counts as a value, so that its name is checked too."""
    for name, value in table.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, (*above, name))
        else:
            yield (*above, name), value


def _of_variables(variables: Mapping[str, str]) -> dict[KeyPath, Leaf]:
    return {_path(name): Leaf(value, name) for name, value in variables.items()}


def _path(name: str) -> KeyPath:
    path = tuple(name.removeprefix(POLICY_PREFIX).lower().split("__"))
    if not all(path):
        raise SettingsError(
            f"{name}: join its parts by two underscores, as in {POLICY_PREFIX}FAILURES__TRANSIENT__RETRIES"
        )
    return path


def _of_older_variables(settings: Settings, files: Told) -> dict[KeyPath, Leaf]:
    """Return what the settings that are older than the policies stand for, where somebody has set them."""
    work = settings.work
    stands_for = {
        "max_retries": ("PAYMENT_MAX_RETRIES", _retries(work.max_retries, files)),
        "backoff_base_seconds": ("BACKOFF_BASE_SECONDS", _both("base_seconds", work.backoff_base_seconds)),
        "backoff_cap_seconds": ("BACKOFF_CAP_SECONDS", _both("cap_seconds", work.backoff_cap_seconds)),
    }
    return {
        path: Leaf(value, variable)
        for field, (variable, told) in stands_for.items()
        if field in work.model_fields_set
        for path, value in told.items()
    }


def _both(key: str, value: float) -> dict[KeyPath, Any]:
    return {("failures", kind, key): value for kind in ("transient", "unknown")}


def _retries(most: int, files: Told) -> dict[KeyPath, Any]:
    """Return `most` for what is foreseen; retries of what nobody foresaw are only ever lowered by it."""
    told: dict[KeyPath, Any] = {("failures", kind, "retries"): most for kind in ("transient", "outcome_unknown")}
    unforeseen = ("failures", "unknown", "retries")
    before = files[unforeseen].value
    return told | {unforeseen: most} if isinstance(before, int) and most < before else told
