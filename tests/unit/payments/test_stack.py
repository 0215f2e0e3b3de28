from payments.stack import stack_of


def capture(card: str) -> None:
    raise ValueError(f"no such card: {card}")


def stack() -> str:
    try:
        try:
            capture("4242424242424242")
        except ValueError as error:
            raise RuntimeError("jo@example.com") from error
    except RuntimeError as error:
        return stack_of(error)
    raise AssertionError


def test_a_stack_tells_places_and_causes() -> None:
    lines = stack().splitlines()
    assert lines[0].endswith("in stack")
    assert "caused by ValueError" in lines
    assert lines[-1].endswith("in capture")


def test_a_stack_tells_nothing_that_a_failure_came_with() -> None:
    told = stack()
    assert "4242" not in told
    assert "example.com" not in told
    assert not told.startswith("/")


def test_what_was_never_raised_has_no_stack() -> None:
    assert stack_of(ValueError("x")) == ""
