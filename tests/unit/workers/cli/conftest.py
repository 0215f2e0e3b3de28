"""The command line in this process, with an environment of its own."""

import logging
from collections.abc import Iterator

import pytest
import structlog

from config.settings import GROUPS, load_settings


@pytest.fixture(autouse=True)
def _untouched(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nothing is set, and what a command sets up is taken down."""
    for name in _variables():
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path_factory.mktemp("empty"))  # a developer's .env is not for tests
    load_settings.cache_clear()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    load_settings.cache_clear()


def _variables() -> Iterator[str]:
    """Yield the name of every setting."""
    for group in GROUPS:
        for field in group.model_fields.values():
            yield from map(str, getattr(field.validation_alias, "choices", ()))
