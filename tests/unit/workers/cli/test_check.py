"""`payferry check` says in plain words what is wrong."""

import json
import sys
from typing import Any

import pytest

from tests.integration.kafka import Brokers
from workers.cli.main import main
from workers.embedded.postgres import Postgres


class Check:
    """Runs the command in this process, with variables."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capfd = capfd

    def __call__(self, *options: str, **variables: str) -> tuple[int, str]:
        """Return the exit code and what it printed."""
        for name, value in variables.items():
            self._monkeypatch.setenv(name, value)
        self._monkeypatch.setattr(sys, "argv", ["payferry", "check", *options])
        with pytest.raises(SystemExit) as ended:
            main()
        code = ended.value.code or 0
        assert isinstance(code, int)
        return code, "".join(self._capfd.readouterr())

    def findings(self, **variables: str) -> tuple[int, dict[str, str | None]]:
        """Return the exit code and what is wrong with each part."""
        code, said = self("--json", **variables)
        told: dict[str, Any] = next(json.loads(line) for line in said.splitlines() if line.startswith('{"ok"'))
        assert told["ok"] == (code == 0)
        return code, told["checks"]


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Check:
    return Check(monkeypatch, capfd)


def test_what_is_not_set_is_named_with_its_variable(check: Check) -> None:
    code, findings = check.findings()
    assert code == 1
    assert findings["settings"] is None
    wanted = {
        "Kafka": "KAFKA_BOOTSTRAP_SERVERS",
        "Redis": "REDIS_URL",
        "PostgreSQL": "DATABASE_URL",
        "providers": "SANDBOX_URL",
    }
    assert {name: variable in str(findings[name]) for name, variable in wanted.items()} == dict.fromkeys(wanted, True)


def test_servers_that_do_not_answer_are_named(check: Check) -> None:
    code, findings = check.findings(
        KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1",
        REDIS_URL="redis://127.0.0.1:1/0",
        DATABASE_URL="postgresql://payferry:s3cret@127.0.0.1:1/none",
        SANDBOX_URL="http://127.0.0.1:1",
    )
    assert code == 1
    for name in ("Kafka", "Redis", "PostgreSQL", "providers"):
        assert "no answer" in str(findings[name])
    assert "s3cret" not in str(findings)


def test_all_that_is_right_is_said_to_be_right(
    check: Check, kafka: Brokers, topic: str, database_url: str, redis_url: str
) -> None:
    # only the providers are missing: their answers are the sandbox's own tests
    code, findings = check.findings(
        KAFKA_BOOTSTRAP_SERVERS=kafka.bootstrap_servers,
        KAFKA_TOPIC=topic,
        REDIS_URL=redis_url,
        DATABASE_URL=database_url,
    )
    assert [name for name, reason in findings.items() if reason] == ["providers"]
    assert code == 1


def test_tables_that_are_missing_are_named_with_the_way_out(check: Check, postgres: Postgres) -> None:
    _, findings = check.findings(DATABASE_URL=postgres.fresh_database("untouched"))
    assert "payferry migrate" in str(findings["PostgreSQL"])


def test_a_redis_that_may_evict_messages_is_told(check: Check, redis_url: str) -> None:
    import redis  # noqa: PLC0415 - only here is a server set wrongly

    with redis.Redis.from_url(redis_url) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        try:
            _, findings = check.findings(REDIS_URL=redis_url)
        finally:
            client.config_set("maxmemory-policy", "noeviction")
    assert "noeviction" in str(findings["Redis"])


def test_a_setting_that_makes_no_sense_ends_with_its_name(check: Check) -> None:
    code, said = check(KAFKA_SASL_MECHANISM="PLAIN")
    assert code == 2
    assert "KAFKA_SASL_MECHANISM needs KAFKA_SASL_USERNAME" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("dsn", ["hunter2", "https://sentry.example/1", "https://hunter2@sentry.example/project"])
def test_a_dsn_that_is_none_ends_with_its_name_and_the_way_out_and_is_not_shown(check: Check, dsn: str) -> None:
    code, said = check(SENTRY_DSN=dsn)
    assert code == 2
    assert said.count("\n") == 1
    assert "SENTRY_DSN must be https://<public key>@<host>/<project number>" in said
    assert "hunter2" not in said
    assert "sentry.example" not in said


@pytest.mark.parametrize("host", ["127.0.0.1:1", "no host.example"])
def test_a_sentry_that_does_not_answer_is_named_without_its_dsn(check: Check, host: str) -> None:
    _, findings = check.findings(SENTRY_DSN=f"http://hunter2@{host}/7")
    assert str(findings["Sentry"]).startswith("no answer from the host in SENTRY_DSN")
    assert "hunter2" not in str(findings)


def test_a_sentry_that_is_not_set_is_not_missed(check: Check) -> None:
    _, findings = check.findings()
    assert findings["Sentry"] is None


def test_for_people_there_is_a_line_for_each_part(check: Check) -> None:
    code, said = check()
    assert code == 1
    assert "ok" in said
    assert "wrong Kafka" in said
