"""What ends a process is told, once and without what it quotes, and still ends it."""

import pytest

from payments.failures import OffsetLost
from workers.last_words import last_words

CANARY = "jane@example.com"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OffsetLost("deleted before they were read", code="offset_lost"), ("offset_lost", "offset_lost")),
        (KeyError(CANARY), ("unexpected", "unexpected")),
    ],
)
def test_what_ends_a_process_is_told_and_ends_it(error: Exception, told: tuple[str, str]) -> None:
    lines: list[tuple[str, dict[str, object]]] = []

    def run() -> None:
        raise error

    with pytest.raises(type(error)), last_words(lambda name, **fields: lines.append((name, fields))):
        run()
    ((name, fields),) = lines
    assert (name, fields["failure_type"], fields["code"]) == ("process_failed", *told)
    assert "in run" in str(fields["stack"])
    assert CANARY not in repr(fields)


def test_a_process_that_ends_well_has_no_last_words() -> None:
    def tell(*_told: object, **_fields: object) -> None:
        pytest.fail("nothing was to be told")

    with last_words(tell):
        pass
