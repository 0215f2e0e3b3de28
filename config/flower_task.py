"""A task as Flower's pages show it: in words, where its API and its search have Python's notation."""

from ast import literal_eval
from typing import Any


def shown(task: Any) -> Any:  # noqa: ANN401 - Flower's own, untyped; a copy, which may be changed
    """Return the task with its arguments in words, such as `stripe pi_3Nk, event 288`, and the reason of a failure.

    The reason stands where others have their result. A retry has no stack: it comes from where we ask for it.
    """
    task.kwargs = _arguments_in_words(_value(task.kwargs))
    task.result = task.exception if _has_failed(task) else _in_words(_value(task.result))
    task.traceback = None if task.state == "RETRY" else task.traceback
    return task


def _has_failed(task: Any) -> bool:  # noqa: ANN401 - as above
    return task.state in {"RETRY", "FAILURE"}


def _value(told: str | None) -> object:
    """Return the value whose representation Celery has sent. One that was cut stays text."""
    try:
        return literal_eval(told) if told else None
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return told


def _arguments_in_words(value: object) -> str:
    match value:
        case {"provider": provider, "payment_id": payment_id, "inbox_id": inbox_id}:
            return f"{provider} {payment_id}, event {inbox_id}"
        case _:
            return _in_words(value)


def _in_words(value: object) -> str:
    match value:
        case None:
            return ""
        case dict():
            return ", ".join(f"{str(name).replace('_', ' ')} {each}" for name, each in value.items())
        case _:
            return str(value)
