import re

import pytest

from payments.fingerprint import fingerprint


def of(message: str, **told: str) -> str:
    whole = {"failure_type": "unavailable", "reason": "http_503", "service": "stripe", "operation": "capture"}
    return fingerprint(message=message, **(whole | told))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("asked to capture 1000, captured 999", "asked to capture 5, captured 77"),
        ("pi_3Nk1 is locked", "pi_9Zz8 is locked"),
        ("request 6f1c2f8e-5b9d-4a43-9c5b-0d4f4c1f7a11 failed", "request 00000000-0000-4000-8000-000000000000 failed"),
        ("two  spaces", "two spaces"),
    ],
)
def test_ids_and_amounts_make_no_difference(one: str, other: str) -> None:
    assert of(one) == of(other)


def test_words_type_reason_and_place_do() -> None:
    told = [
        of("not now"),
        of("never"),
        *(of("not now", **{name: "x"}) for name in ("failure_type", "reason", "service", "operation")),
    ]
    assert len(set(told)) == len(told)
    assert all(re.fullmatch("[0-9a-f]{16}", each) for each in told)
