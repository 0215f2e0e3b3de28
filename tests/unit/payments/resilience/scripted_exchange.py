"""An exchange that is played by a list, and a clock that stands still until the test moves it."""

from typing import Any

from payments.resilience.exchange import Part, Request


class Clock:
    seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


class Fleet:
    """An exchange that answers what it is told to, and keeps what it is asked."""

    def __init__(self, *answers: Any) -> None:  # noqa: ANN401 - as scripts answer
        self.answers = list(answers)
        self.asked: list[Request] = []

    def join(self, part: Part) -> None:
        self.part = part

    def ask(self, request: Request) -> Any | None:  # noqa: ANN401 - as scripts answer
        self.asked.append(request)
        return self.answers.pop(0) if self.answers else None
