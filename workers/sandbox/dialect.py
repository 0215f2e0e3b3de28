"""What differs between the providers that the sandbox plays: paths, words and error bodies."""

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

import msgspec

from payments.event import Provider
from workers.sandbox.book import Ask, Payment, Problem
from workers.sandbox.effects import Action


class Incoming(msgspec.Struct, frozen=True):
    """A request as it came; `headers` are read without regard to case."""

    path: str
    target_id: str
    headers: Mapping[str, str]
    body: bytes


class Spoken(msgspec.Struct, frozen=True):
    """An answer: a status and what becomes its JSON body."""

    status: int
    body: Any


class Dialect(Protocol):
    """One provider's way of speaking."""

    provider: ClassVar[Provider]
    steps: ClassVar[Mapping[str, Action]]
    """Paths that are posted to, and what they do. `{id}` is the id that the step is about."""

    views: ClassVar[tuple[str, ...]]
    """Paths that are asked."""

    def ask(self, action: Action, incoming: Incoming) -> Ask:
        """Return what the request wants; raises ValueError (msgspec's errors are such) for one that is malformed."""

    def reference(self, action: Action, payment: Payment) -> str:
        """Return the id of what a step makes."""

    def done(self, action: Action, payment: Payment, amount_minor: int | None) -> Spoken:
        """Return the answer to a step that was done and left the payment as it is."""

    def declined(self, action: Action, payment: Payment, code: str) -> Spoken:
        """Return the answer to a step that the payer's bank declined."""

    def problem(self, problem: Problem, action: Action | None = None, payment: Payment | None = None) -> Spoken:
        """Return the provider's error."""

    def failed(self, status: int) -> Spoken:
        """Return the provider's error for a 429 or 5xx."""

    def root_of(self, target_id: str) -> str:
        """Return the id under which to look for a payment that is not known by `target_id`."""

    def shown(self, view: str, target_id: str, payment: Payment | None, query: Mapping[str, str]) -> Spoken:
        """Return the answer to a question about a payment, None standing for one never seen, of which nothing is known.

        `query` is what stands behind the path's `?`.
        """


def without_nones(**fields: Any) -> dict[str, Any]:  # noqa: ANN401  # JSON
    """Return the fields that have a value."""
    return {name: value for name, value in fields.items() if value is not None}
