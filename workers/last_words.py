"""What a process says when it ends by something that it cannot go on after."""

from collections.abc import Iterator
from contextlib import contextmanager

from payments.borders.unforeseen import failure_of
from payments.log_events import Tell
from payments.stack import stack_of


@contextmanager
def last_words(tell: Tell) -> Iterator[None]:
    """Tell a person of what ends the process, and let it end."""
    try:
        yield
    except Exception as error:
        failure = failure_of(error, "run")
        tell("process_failed", failure_type=failure.kind, code=failure.code, stack=stack_of(error))
        raise
