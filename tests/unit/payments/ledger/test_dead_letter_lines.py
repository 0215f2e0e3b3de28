"""A line of an exported file is a dead letter, or is refused with the field that is wrong."""

import base64
import hashlib
import json
from typing import Any

import pytest

from payments.ledger.dead_letters.transfer import Exported, Unreadable, read_batches, read_line

TOPIC = "payments.raw"
PAYLOAD = b'{"id": "p1"}'


def a_line(**changed: Any) -> bytes:  # noqa: ANN401 - any field
    """Return the line of a letter, as it is told everywhere."""
    told: dict[str, Any] = {
        **dict.fromkeys(("provider", "event_id", "payment", "event", "key", "trace_id", "next_replay_at")),
        "version": 1,
        "id": 7,
        "state": "parked",
        "origin": "intake",
        "resolution": None,
        "audit": [],
        "topic": TOPIC,
        "partition": 3,
        "offset": 9,
        "headers": [["h", "AA=="]],
        "payload": base64.b64encode(PAYLOAD).decode(),
        "payload_sha256": hashlib.sha256(PAYLOAD).hexdigest(),
        "failure_type": "undecodable",
        "category": "permanent",
        "reason": "undecodable",
        "message": "$: not JSON",
        "stack": "",
        "service": "payferry",
        "operation": "decode",
        "correlation_id": "c-1",
        "attempts": [],
        "fingerprint": "0" * 16,
        "criticality": "normal",
        "replays": [],
        "replay_count": 0,
        "first_failed_at": "2026-05-04T12:00:00+00:00",
        "last_failed_at": "2026-05-04T12:00:00+00:00",
    }
    return json.dumps(told | changed).encode()


def a_letter(**changed: Any) -> Exported:  # noqa: ANN401 - any field
    return read_line(a_line(**changed), TOPIC)


def test_a_line_is_read_with_its_bytes() -> None:
    letter = a_letter()
    assert (letter.payload, letter.headers, letter.offset) == (PAYLOAD, [("h", b"\x00")], 9)


@pytest.mark.parametrize(
    ("state", "is_open"),
    [("pending", True), ("replaying", True), ("parked", True), ("resolved", False), ("discarded", False)],
)
def test_only_what_has_not_ended_is_open(state: str, *, is_open: bool) -> None:
    assert a_letter(state=state).is_open == is_open


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {"payload": None},
            "$.payload: it is not told whole; use a file that `payferry dlq export` or the archive wrote",
        ),
        ({"payload": "?"}, "$.payload: it is not told whole"),
        ({"payload": "YQ=="}, "$.payload_sha256: it is not that of the payload"),
        ({"payload_sha256": "0" * 64}, "$.payload_sha256: it is not that of the payload"),
        ({"partition": "3"}, "$.partition: Expected `int`, got `str`"),
        ({"offset": -1}, "$.offset: Expected `int` >= 0"),
        ({"offset": 2**63}, "$.offset: "),
        ({"state": "lost"}, "$.state: Invalid enum value 'lost'"),
        ({"category": "bad"}, "$.category: Invalid enum value 'bad'"),
        ({"provider": "strpe"}, "$.provider: Invalid enum value 'strpe'"),
        ({"version": 2}, "$.version: Invalid enum value 2"),
        ({"topic": "another"}, "$.topic: it is of another, and KAFKA_TOPIC is payments.raw"),
        ({"first_failed_at": "2026-05-04T12:00:00"}, "$.first_failed_at: "),
        ({"headers": [["h"]]}, "$.headers[0]: "),
        ({"event": {"kind": "captured"}}, "$.event: Object missing required field `provider`"),
        ({"message": "a\0b"}, "$: it holds a NUL character"),
    ],
)
def test_a_line_that_is_wrong_is_refused_with_its_field(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(Unreadable) as refused:
        a_letter(**changed)
    assert refused.value.message.startswith(said)


@pytest.mark.parametrize("line", [b"x", b"[]", b"{}", b"\xff", b"\xef\xbb\xbf{}", b"[" * 100_000, b'"\\ud800"'])
def test_what_is_no_letter_at_all_is_refused(line: bytes) -> None:
    with pytest.raises(Unreadable):
        read_line(line, TOPIC)


def test_letters_come_a_few_at_a_time() -> None:
    letters = [a_letter(id=number) for number in range(5)]
    assert [[letter.id for letter in batch] for batch in read_batches(letters, 2)] == [[0, 1], [2, 3], [4]]
    assert list(read_batches([])) == []
