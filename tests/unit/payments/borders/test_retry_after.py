import pytest

from payments.borders.retry_after import DEFAULT_RETRY_AFTER_SECONDS, retry_after_seconds, told_pause_seconds

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        ("999999999", 3600),
        ("Fri, 15 Jan 2027 08:00:30 GMT", 30),
        ("Fri, 15 Jan 2027 07:00:00 GMT", 0),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(header: str, seconds: float) -> None:
    assert retry_after_seconds(header, NOW) == told_pause_seconds(header, NOW) == seconds


@pytest.mark.parametrize("header", ["soon", "-5", "", "²", "Fri, 99 Jan 2027 08:00:30 GMT", None])
def test_what_cannot_be_read_asks_for_the_default_or_for_nothing(header: str | None) -> None:
    assert retry_after_seconds(header, NOW) == DEFAULT_RETRY_AFTER_SECONDS
    assert told_pause_seconds(header, NOW) is None
