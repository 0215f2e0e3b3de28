"""What is done about each failure, and what protects each dependency: the policies that were told, checked and typed.

For one type of failure and one provider, each key is looked up from the root of the tree of failures down to the type:
at each type the provider's own section goes before the general one, and a more special type before a more general one.
An `ending` that no section names is `fallbacks.process`. docs/policies.md tells all this with examples.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from enum import StrEnum
from typing import Annotated, Any, Literal, NoReturn, TypeVar

import msgspec

from config.policies import DEFAULT as UNCHANGED
from config.policies import KeyPath, Leaf, Told
from payments.event import Provider
from payments.failures import ConfigurationError, Failure, kinds, lineage
from payments.resilience.backoff import Backoff, Shape
from payments.resilience.policy import BreakerPolicy, BudgetPolicy, RatePolicy, Seconds

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
    `compensate` says whether what was done before is taken back, and `ending` what becomes of the event.
    """

    retries: int
    backoff: Backoff
    window_seconds: float
    burns_attempt: bool
    compensate: bool
    ending: Last


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


_Protection = TypeVar("_Protection", BreakerPolicy, RatePolicy, BudgetPolicy)


class Policies:
    """Every policy in force. Build it once for each process, by `load_policies`."""

    def __init__(self, sections: "Sections") -> None:
        self._sections = sections
        self._answers: dict[tuple[str, type[Failure]], FailurePolicy] = {}
        self._most_retries = {provider: self._most(provider) for provider in (DEFAULT, *Provider)}
        self.breakers = self._protections("breakers", BreakerPolicy, (*Provider, *SERVERS))
        self.rate_limits = self._protections("rate_limits", RatePolicy, Provider)
        self.retry_budgets = self._protections("retry_budgets", BudgetPolicy, Provider)
        self.fallbacks = Fallbacks(**{reason.key: reason.value for reason in self.why_section("fallbacks")})

    def answer(self, provider: str, kind: type[Failure]) -> FailurePolicy:
        """Return what is done about `kind` at `provider`; at one that is not known, what the general sections say."""
        try:
            return self._answers[provider, kind]
        except KeyError:
            return self._answers.setdefault((provider, kind), self._resolve(provider, kind))

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

    @property
    def longest_delay_seconds(self) -> float:
        """The longest delay before any try, save what a provider or a breaker asks for."""
        return max(
            answer.backoff.cap_seconds
            for answer in self._answers.values()
            if answer.retries or not answer.burns_attempt
        )

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


def load_policies(told: Told) -> Policies:
    """Return what was told, checked and typed; `told` holds at least what config/policies.toml names.

    Raises ConfigurationError, whose `message` names the path, what is wrong with it, where it comes from and, for a
    name that does not exist, the one that was probably meant.
    """
    sections: dict[KeyPath, dict[str, Leaf]] = defaultdict(dict)
    for path, leaf in told.items():
        kind = _kind_of(path, leaf)
        if kind is not None:
            sections[path[:-1]][path[-1]] = Leaf(_converted(path, kind, leaf), leaf.source)
    policies = Policies(dict(sections))
    _check_waits(policies)
    _check_breakers(policies)
    return policies


def sections_of(provider: str, kind: type[Failure]) -> Iterator[KeyPath]:
    """Yield the sections that may speak of `kind` at `provider`, each before those that win over it."""
    for name in lineage(kind):
        yield "failures", name
        yield "providers", provider, "failures", name


def _keys(section: type[msgspec.Struct]) -> dict[str, Any]:
    return {field.name: field.type for field in msgspec.structs.fields(section)}


_FAILURES = dict.fromkeys(KINDS, _keys(FailureKeys))

_LAYOUT: dict[str, Any] = {
    "failures": _FAILURES,
    "providers": {str(provider): {"failures": _FAILURES} for provider in Provider},
    "breakers": dict.fromkeys((DEFAULT, *map(str, Provider), *SERVERS), _keys(BreakerPolicy)),
    "rate_limits": dict.fromkeys((DEFAULT, *map(str, Provider)), _keys(RatePolicy)),
    "retry_budgets": dict.fromkeys((DEFAULT, *map(str, Provider)), _keys(BudgetPolicy)),
    "fallbacks": _keys(Fallbacks),
}
"""Every name that there is, level by level; at the end of each path the type of its value."""

_NOUNS = {
    "failures": "failure",
    "providers": "provider",
    "breakers": "breaker",
    "rate_limits": "rate limit",
    "retry_budgets": "retry budget",
}
"""What stands below a name."""


def _kind_of(path: KeyPath, leaf: Leaf) -> Any:  # noqa: ANN401 - a type of any form
    """Return of which type the key must be; None: a section without a key. Refuse a path that leads to neither."""
    place: Any = _LAYOUT
    for depth, name in enumerate(path):
        if not isinstance(place, dict):
            _refuse(path[:depth], f"expected {_expected(place)}, got a section", leaf)
        if name not in place:
            noun = _NOUNS.get(path[depth - 1], "key") if depth else "section"
            _refuse(path[: depth + 1], f"no such {noun}{meant(name, place)}", leaf)
        place = place[name]
    if not isinstance(place, dict):
        return place
    if leaf.value != {}:
        _refuse(path, f"expected a section with keys such as {next(iter(place))}, got {_shown(leaf.value)}", leaf)
    return None


def _converted(path: KeyPath, kind: Any, leaf: Leaf) -> Any:  # noqa: ANN401 - a value of any key
    """Return the value in the type of its key. What a variable holds is text, so text that reads as a number is one."""
    try:
        return msgspec.convert(leaf.value, kind, strict=False)
    except msgspec.ValidationError:
        _refuse(path, f"expected {_expected(kind)}, got {_shown(leaf.value)}", leaf)


def _check_waits(policies: Policies) -> None:
    """Refuse a failure that would be tried for ever: without burning attempts, and without a window."""
    for provider in Provider:
        for kind in KINDS.values():
            answer = policies.answer(provider, kind)
            if not answer.burns_attempt and not answer.window_seconds:
                told = {reason.key: reason for reason in policies.why(provider, kind)}
                window, burns = told["window_seconds"], told["burns_attempt"]
                wrong = f"expected more than 0, because {burns.name} is false and {kind.kind} would be tried for ever"
                _refuse_reason(window, wrong)


def _check_breakers(policies: Policies) -> None:
    """Refuse a breaker that could never close, or would open for less long than it is told."""
    for name, policy in policies.breakers.items():
        told = {reason.key: reason for reason in policies.why_section("breakers", name)}
        if policy.successes > policy.probes:
            wrong = f"expected at most {told['probes'].name} ({policy.probes}), got {policy.successes}"
            _refuse_reason(told["successes"], wrong)
        if policy.open_cap_seconds < policy.open_seconds:
            least = f"{told['open_seconds'].name} ({policy.open_seconds:g})"
            _refuse_reason(told["open_cap_seconds"], f"expected at least {least}, got {policy.open_cap_seconds:g}")


def _refuse(path: KeyPath, wrong: str, leaf: Leaf) -> NoReturn:
    raise ConfigurationError(f"{'.'.join(path)}: {wrong} (from {leaf.source})", operation="load policies")


def _refuse_reason(reason: Reason, wrong: str) -> NoReturn:
    _refuse((reason.name,), wrong, Leaf(reason.value, reason.source))


def meant(name: str, known: Iterable[str]) -> str:
    """Return, as the end of a sentence, which `known` name was probably meant; all of them where none is near."""
    near = get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]}?" if near else f"; there are {', '.join(known)}"


def _expected(kind: Any) -> str:  # noqa: ANN401 - a type of any form
    """Return in words what a value of this type may be."""
    match msgspec.inspect.type_info(kind):
        case msgspec.inspect.BoolType():
            return "true or false"
        case msgspec.inspect.EnumType(cls=words):
            return f"one of {', '.join(words)}"
        case msgspec.inspect.LiteralType(values=words):
            return f"one of {', '.join(map(str, words))}"
        case msgspec.inspect.IntType() as number:
            return f"a whole number {_bounds(number)}"
        case msgspec.inspect.FloatType() as number:
            return f"a number {_bounds(number)}"
        case other:  # pragma: no cover - no key has another type
            raise AssertionError(other)


def _bounds(number: msgspec.inspect.IntType | msgspec.inspect.FloatType) -> str:
    told = (("above", number.gt), ("of at least", number.ge), ("below", number.lt), ("at most", number.le))
    return " and ".join(f"{word} {bound:g}" for word, bound in told if bound is not None)


def _shown(value: Any) -> str:  # noqa: ANN401 - whatever was told
    """Return a value as one would write it, shortened."""
    return "a section" if isinstance(value, dict) else msgspec.json.encode(value).decode()[:80]
