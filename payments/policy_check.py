"""Policies as they were told, checked against what there is: names that exist, values that can be."""

from collections import defaultdict
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, NoReturn

import msgspec

from config.policies import KeyPath, Leaf, Told
from payments.event import Provider
from payments.failures import ConfigurationError
from payments.policies import DEFAULT, KINDS, SERVERS, FailureKeys, Fallbacks, Policies, Reason
from payments.resilience.policy import BreakerPolicy, BudgetPolicy, RatePolicy, VelocityPolicy


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


def _keys(section: type[msgspec.Struct]) -> dict[str, Any]:
    return {field.name: field.type for field in msgspec.structs.fields(section)}


_FAILURES = dict.fromkeys(KINDS, _keys(FailureKeys))

_LAYOUT: dict[str, Any] = {
    "failures": _FAILURES,
    "providers": {str(provider): {"failures": _FAILURES} for provider in Provider},
    "breakers": dict.fromkeys((DEFAULT, *map(str, Provider), *SERVERS), _keys(BreakerPolicy)),
    "rate_limits": dict.fromkeys((DEFAULT, *map(str, Provider)), _keys(RatePolicy)),
    "retry_budgets": dict.fromkeys((DEFAULT, *map(str, Provider)), _keys(BudgetPolicy)),
    "replay_velocities": dict.fromkeys((DEFAULT, *map(str, Provider)), _keys(VelocityPolicy)),
    "fallbacks": _keys(Fallbacks),
}
"""Every name that there is, level by level; at the end of each path the type of its value."""

_NOUNS = {
    "failures": "failure",
    "providers": "provider",
    "breakers": "breaker",
    "rate_limits": "rate limit",
    "retry_budgets": "retry budget",
    "replay_velocities": "replay velocity",
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
