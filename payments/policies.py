"""What is done about each failure, and what protects each dependency: the policies that were told, checked and typed.

For one type of failure and one provider, each key is looked up from the root of the tree of failures down to the type:
at each type the provider's own section goes before the general one, and a more special type before a more general one.
An `ending` that no section names is `fallbacks.process`. docs/policies.md tells all this with examples.
"""

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from config.policies import DEFAULT as UNCHANGED
from config.policies import KeyPath, Leaf
from payments.event import Provider
from payments.failures import Failure, kinds, lineage
from payments.resilience.backoff import Backoff, Shape
from payments.resilience.policy import BreakerPolicy, BudgetPolicy, RatePolicy, Seconds, VelocityPolicy

DEFAULT = "default"
"""The section of breakers, limits and budgets whose keys the others inherit."""

SERVERS = ("database", "kafka", "cache")
"""What is behind a breaker beside the providers."""

KINDS: Mapping[str, type[Failure]] = {
    name: kind for name, kind in kinds().items() if kind.__module__ == Failure.__module__
}
"""Every type of failure that a policy may speak of, by its name, each after the type above it."""


class Last(StrEnum):
    """What becomes, at last, of a payment event that is given up."""

    BURY = "bury"
    MANUAL_REVIEW = "manual_review"


class Read(StrEnum):
    """What a question about a payment gets while the ledger is away."""

    LAST_KNOWN = "last_known"
    FAIL = "fail"


class FailurePolicy(msgspec.Struct, frozen=True, kw_only=True):
    """What is done about one type of failure at one provider.

    It is tried again `retries` times after the first attempt, with `backoff` in between, and within `window_seconds`
    in all; 0 means no window. A try that does not burn an attempt is bounded by the window alone. Once it is given up,
    `compensate` says whether what was done before is taken back, and `ending` what becomes of the event. A dead letter
    is sent back by itself `replays` times before it is parked for a person.
    """

    retries: int
    backoff: Backoff
    window_seconds: float
    burns_attempt: bool
    compensate: bool
    ending: Last
    replays: int

    @property
    def automatic_replays(self) -> int:
        """How often a dead letter is sent back by itself: never where a person is to look at once."""
        return 0 if self.ending is Last.MANUAL_REVIEW else self.replays


class Fallbacks(msgspec.Struct, frozen=True, kw_only=True):
    """What is done where an operation cannot be."""

    process: Last
    read: Read
    publish: Literal["outbox"]
    cache: Literal["miss"]


class Reason(msgspec.Struct, frozen=True):
    """A key in force, and why: the section that names it, such as `failures.transient`, and who told its value.

    `source` is `default`, the path of a file, or the name of a variable.
    """

    key: str
    value: Any
    section: str
    source: str

    @property
    def name(self) -> str:
        """The key with its section."""
        return f"{self.section}.{self.key}"


class FailureKeys(msgspec.Struct, frozen=True, kw_only=True):
    """The keys of a section of failures, and what each may be."""

    retries: Annotated[int, msgspec.Meta(ge=0, le=100)]
    backoff: Shape
    base_seconds: Seconds
    factor: Annotated[float, msgspec.Meta(ge=1, le=10)]
    cap_seconds: Seconds
    jitter: Annotated[float, msgspec.Meta(ge=0, lt=1)]
    window_seconds: Annotated[float, msgspec.Meta(ge=0, le=2_592_000)]
    burns_attempt: bool
    compensate: bool
    ending: Last
    replays: Annotated[int, msgspec.Meta(ge=0, le=100)]


_Protection = TypeVar("_Protection", BreakerPolicy, RatePolicy, BudgetPolicy, VelocityPolicy)


class Policies:
    """Every policy in force. Build it once for each process, by `load_policies`."""

    def __init__(self, sections: "Sections") -> None:
        self._sections = sections
        self._answers: dict[tuple[str, type[Failure]], FailurePolicy] = {}
        self._most_retries = {provider: self._most(provider) for provider in (DEFAULT, *Provider)}
        self.breakers = self._protections("breakers", BreakerPolicy, (*Provider, *SERVERS))
        self.rate_limits = self._protections("rate_limits", RatePolicy, Provider)
        self.retry_budgets = self._protections("retry_budgets", BudgetPolicy, Provider)
        self.replay_velocities = self._protections("replay_velocities", VelocityPolicy, Provider)
        self.fallbacks = Fallbacks(**{reason.key: reason.value for reason in self.why_section("fallbacks")})

    def answer(self, provider: str, kind: type[Failure]) -> FailurePolicy:
        """Return what is done about `kind` at `provider`; at one that is not known, what the general sections say."""
        try:
            return self._answers[provider, kind]
        except KeyError:
            return self._answers.setdefault((provider, kind), self._resolve(provider, kind))

    def velocity(self, provider: str | None) -> VelocityPolicy:
        """Return how fast dead letters of that provider go back; the default for those of none that is known."""
        return self.replay_velocities.get(provider or DEFAULT, self.replay_velocities[DEFAULT])

    def breaker(self, name: str) -> BreakerPolicy:
        """Return the policy of the breaker of that name; the default where it has no section of its own."""
        return self.breakers.get(name, self.breakers[DEFAULT])

    def why(self, provider: str, kind: type[Failure]) -> list[Reason]:
        """Return each key of `answer`, in the order of FailureKeys, with where it comes from."""
        found = self._layered(sections_of(provider, kind))
        fallback = self._sections["fallbacks",]["process"]
        found.setdefault("ending", Reason("ending", fallback.value, "fallbacks", fallback.source))
        return [found[key] for key in FailureKeys.__struct_fields__]

    def why_section(self, *section: str) -> list[Reason]:
        """Return each key of one breaker, limit or budget, such as ("breakers", "kafka"), or of ("fallbacks",)."""
        inherited = [(section[0], DEFAULT)] if len(section) > 1 else []
        return list(self._layered([*inherited, section]).values())

    def changes(self) -> list[Reason]:
        """Return every key whose value is not the one that Payferry comes with, in force or not."""
        return [
            Reason(key, leaf.value, ".".join(section), leaf.source)
            for section, keys in self._sections.items()
            for key, leaf in keys.items()
            if leaf.source != UNCHANGED
        ]

    def most_retries(self, provider: str) -> int:
        """Return the largest `retries` of any type: it bounds attempts that end with the death of their worker."""
        return self._most_retries.get(provider, self._most_retries[DEFAULT])

    def _most(self, provider: str) -> int:
        answers = (self.answer(provider, kind) for kind in KINDS.values())
        return max(answer.retries for answer in answers if answer.burns_attempt)

    def _resolve(self, provider: str, kind: type[Failure]) -> FailurePolicy:
        told = FailureKeys(**{reason.key: reason.value for reason in self.why(provider, kind)})
        return FailurePolicy(
            retries=told.retries,
            backoff=Backoff(
                base_seconds=told.base_seconds,
                cap_seconds=told.cap_seconds,
                factor=told.factor,
                shape=told.backoff,
                jitter=told.jitter,
            ),
            window_seconds=told.window_seconds,
            burns_attempt=told.burns_attempt,
            compensate=told.compensate,
            ending=told.ending,
            replays=told.replays,
        )

    def _protections(self, group: str, policy: type[_Protection], names: Iterable[str]) -> Mapping[str, _Protection]:
        return {
            str(name): policy(**{reason.key: reason.value for reason in self.why_section(group, name)})
            for name in (DEFAULT, *names)
        }

    def _layered(self, order: Iterable[KeyPath]) -> dict[str, Reason]:
        """Lay sections over each other, the later over the earlier."""
        return {
            key: Reason(key, leaf.value, ".".join(section), leaf.source)
            for section in order
            for key, leaf in self._sections.get(section, {}).items()
        }


Sections = Mapping[KeyPath, Mapping[str, Leaf]]
"""The keys of each section, checked."""


def sections_of(provider: str, kind: type[Failure]) -> Iterator[KeyPath]:
    """Yield the sections that may speak of `kind` at `provider`, each before those that win over it."""
    for name in lineage(kind):
        yield "failures", name
        yield "providers", provider, "failures", name
