import pytest

from payments.streams.publisher import to_repeat


@pytest.mark.parametrize(
    ("unconfirmed", "again"),
    [
        ((), []),
        ((0,), [0, 2, 4]),
        ((2,), [2, 4]),
        ((4,), [4]),
        ((1, 4), [1, 3, 4]),
        ((0, 1, 2, 3, 4), [0, 1, 2, 3, 4]),
    ],
)
def test_what_stands_behind_an_unconfirmed_one_of_its_key_is_repeated_too(
    unconfirmed: tuple[int, ...], again: list[int]
) -> None:
    assert to_repeat(["a", "b", "a", "b", "a"], frozenset(unconfirmed)) == again
