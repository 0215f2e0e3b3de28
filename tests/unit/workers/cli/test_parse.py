"""`payferry parse`, as its caller meets it: lines on stdout, lines on stderr, an exit code."""

import json
import sys
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest

from tests.builders import a_message
from workers.cli.main import main

STRIPE = (
    b'{"id":"evt_1","object":"event","created":1767225600,"type":"payment_intent.succeeded","data":{"object":'
    b'{"id":"pi_1","object":"payment_intent","amount":1200,"amount_received":1200,"currency":"jpy"}}}'
)
NEGATIVE = a_message("bad", amount="-1.00")


class Said:
    """What a command said, and how it ended."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code = code
        self.events = [json.loads(line) for line in out.splitlines()]
        self.errors = err.splitlines()


class Parse:
    """Runs the command in this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capfd = capfd

    def __call__(self, *arguments: str, stdin: bytes = b"") -> Said:
        """Run it with the arguments, and say what came of it."""
        self._monkeypatch.setattr(sys, "argv", ["payferry", "parse", *arguments])
        self._monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(stdin)))
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = self._capfd.readouterr()
        assert ended.value.code is None or isinstance(ended.value.code, int)
        return Said(ended.value.code or 0, out, err)


@pytest.fixture
def parse(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Parse:
    return Parse(monkeypatch, capfd)


def test_a_file_of_one_message_gives_one_line(parse: Parse, tmp_path: Path) -> None:
    path = tmp_path / "event.json"
    path.write_bytes(STRIPE)
    said = parse(str(path))
    assert (said.code, said.errors) == (0, [])
    (event,) = said.events
    assert (event["provider"], event["event_id"], event["kind"]) == ("stripe", "evt_1", "captured")
    assert (event["payment_id"], event["amount_minor"], event["currency"]) == ("pi_1", 1200, "JPY")


def test_a_message_may_be_spread_over_lines(parse: Parse, tmp_path: Path) -> None:
    path = tmp_path / "event.json"
    path.write_text(json.dumps(json.loads(STRIPE), indent=2))
    assert [event["event_id"] for event in parse(str(path)).events] == ["evt_1"]


def test_a_message_a_line_gives_an_event_a_line_in_their_order(parse: Parse, tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(a_message("p-1") + b"\n\n" + STRIPE + b"\n" + a_message("p-2") + b"\n")
    said = parse(str(path))
    assert said.code == 0
    assert [event["payment_id"] for event in said.events] == ["p-1", "pi_1", "p-2"]


def test_several_files_are_read_one_after_the_other(parse: Parse, tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a.json", "b.json")]
    for path in paths:
        path.write_bytes(a_message(path.stem))
    assert [event["payment_id"] for event in parse(*map(str, paths)).events] == ["a", "b"]


@pytest.mark.parametrize("arguments", [(), ("-",)], ids=["nothing", "a dash"])
def test_nothing_and_a_dash_mean_stdin(parse: Parse, arguments: tuple[str, ...]) -> None:
    said = parse(*arguments, stdin=a_message("p-1"))
    assert [event["payment_id"] for event in said.events] == ["p-1"]


def test_the_fields_have_exactly_these_names(parse: Parse) -> None:
    (event,) = parse(stdin=a_message("p-1")).events
    assert {"provider", "event_id", "kind", "payment_id", "amount_minor", "currency", "occurred_at"} <= set(event)
    assert {"ordering_key", "metadata"} <= set(event)


def test_neither_e_mail_nor_card_is_printed_outside_of_the_metadata(parse: Parse) -> None:
    (event,) = parse(stdin=a_message("p-1", metadata={})).events
    assert event["customer_email"] == "j***@***.com"
    assert "example" not in json.dumps(event)


def test_a_provider_may_be_named(parse: Parse) -> None:
    assert parse("--provider", "canonical", stdin=a_message("p-1")).events[0]["provider"] == "canonical"
    said = parse("--provider", "stripe", stdin=a_message("p-1"))
    assert said.code == 2
    assert len(said.errors) == 1


def test_a_provider_that_nobody_knows_is_wrong_use(parse: Parse) -> None:
    said = parse("--provider", "acme", stdin=a_message("p-1"))
    assert said.code == 2
    assert any("acme" in line for line in said.errors)


@pytest.mark.parametrize(
    ("message", "path"),
    [
        (NEGATIVE, "$.amount"),
        (a_message("p", amount="1.005"), "$.amount"),
        (a_message("p", currency="QQQ"), "$.currency"),
        (b"nothing like JSON", "$"),
        (b"", "$"),
        (b"\xff\xfe", "$"),
    ],
)
def test_bad_input_is_one_line_that_names_the_path(parse: Parse, message: bytes, path: str) -> None:
    said = parse(stdin=message)
    assert said.code == 2
    assert said.events == []
    (line,) = said.errors
    place, named, reason = line.split(": ", 2)
    assert (place, named) == ("stdin", path)
    assert reason


def test_among_good_lines_a_bad_one_is_named_by_its_number(parse: Parse, tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"\n".join([a_message("p-1"), NEGATIVE, a_message("p-2")]))
    said = parse(str(path))
    assert said.code == 2
    assert [event["payment_id"] for event in said.events] == ["p-1", "p-2"]
    (line,) = said.errors
    assert line.startswith(f"{path}:2: $.amount: ")


def test_a_file_that_is_not_there_is_named(parse: Parse, tmp_path: Path) -> None:
    path = tmp_path / "missing.json"
    said = parse(str(path))
    assert said.code == 2
    assert said.errors == [f"payferry: {path}: No such file or directory"]
