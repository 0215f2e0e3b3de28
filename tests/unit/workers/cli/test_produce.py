"""Wrong use of `payferry produce` ends with exit 2 and a line that says what is wrong."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from workers.cli.main import main
from workers.cli.produce import made_up
from workers.embedded.mock_cluster import MockCluster


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--count", "0"), "--count"),
        (("--rate", "5", "--interval", "1"), "--interval"),
        (("--rate", "0"), "--rate"),
        (("--interval", "-1"), "--interval"),
        (("--bad", "1.5"), "--bad"),
        (("--provider", "acme"), "--provider"),
        (("--file", "missing.jsonl"), "missing.jsonl"),
    ],
)
def test_wrong_use_is_named(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], arguments: tuple[str, ...], named: str
) -> None:
    monkeypatch.setattr(sys, "argv", ["payferry", "produce", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    said = capfd.readouterr().err
    assert named in said
    assert "Traceback" not in said


def test_a_folder_is_no_file(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("COLUMNS", "200")  # so that a long path does not tear the line
    monkeypatch.setattr(sys, "argv", ["payferry", "produce", "--file", str(tmp_path)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "Is a directory" in capfd.readouterr().err


# -- brokers that cannot take it ---------------------------------------------------------------------------------------


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[MockCluster]:
    made = MockCluster()
    made.create_topic("payments.raw", 1)
    monkeypatch.chdir(tmp_path)  # a developer's .env is not for tests
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", made.bootstrap_servers)
    yield made
    made.close()


def produce(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int | str | None:
    monkeypatch.setattr(sys, "argv", ["payferry", "produce", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code


@pytest.mark.parametrize(
    ("code", "said"),
    [
        pytest.param(17, "the brokers have no topic payments.raw: create it, or set KAFKA_TOPIC", id="no-topic"),
        pytest.param(29, "our right to write payments.raw: see KAFKA_SASL_", id="no-right"),
    ],
)
def test_a_topic_that_cannot_be_written_ends_it_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], cluster: MockCluster, code: int, said: str
) -> None:
    cluster.set_topic_error("payments.raw", code)
    assert produce(monkeypatch, "--count", "3") == 2
    assert said in capfd.readouterr().err


def test_a_login_that_is_refused_ends_it_and_the_report_says_so(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], cluster: MockCluster
) -> None:
    del cluster
    for name, value in (("MECHANISM", "PLAIN"), ("USERNAME", "payferry"), ("PASSWORD", "a-secret-of-ours")):
        monkeypatch.setenv(f"KAFKA_SASL_{name}", value)
    assert produce(monkeypatch, "--count", "3", "--json") == 2
    told = capfd.readouterr()
    report = json.loads(told.out)
    assert (report["published"], report["last_error"], report["healthy"]) == (0, "kafka_unauthorized", False)
    assert "the brokers refuse our login" in told.err
    assert "a-secret-of-ours" not in told.err


def test_what_was_published_is_reported(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], cluster: MockCluster
) -> None:
    del cluster
    assert produce(monkeypatch, "--count", "30", "--json") == 0
    report = json.loads(capfd.readouterr().out)
    assert (report["published"], report["failed"], report["healthy"]) == (30, 0, True)


def test_the_same_seed_makes_the_same_records() -> None:
    assert (
        list(made_up("payments", 50, seed=1))
        == list(made_up("payments", 50, seed=1))
        != list(made_up("payments", 50, seed=2))
    )
