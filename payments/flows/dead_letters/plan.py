"""What sending dead letters back would meet now: which gates would hold how many, and how long the rest takes."""

from collections.abc import Callable, Mapping

import msgspec

from payments.flows.dead_letters.gate import Gate, gate_of, is_superseded
from payments.ledger.dead_letters.choice import Choice
from payments.ledger.dead_letters.plan import Outline, Plans, Queued
from payments.policies import Policies
from payments.resilience.switchboard import Switchboard

MOST_LOOKED_AT = 10_000
"""So many letters are held against their payments, the oldest of them; each costs its event and its payment."""


class Lookout(msgspec.Struct, frozen=True):
    """What looking ahead has at hand."""

    plans: Plans
    switchboard: Switchboard
    policies: Policies


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is meant, and what the gates would do with it now. Letters may count in several of them.

    `gates` names the providers whose breaker does not let everything through, `shut` and `canary`; `held_by_breakers`
    counts their letters. `superseded` is exact where `looked_at` is all of `with_event`, and otherwise of the oldest.
    `seconds` is about how long sending takes at `rate_per_second`, otherwise at each provider's velocity.
    """

    letters: int
    by_reason: dict[str, int]
    by_age: dict[str, int]
    by_provider: dict[str, int]
    gates: dict[str, str]
    held_by_breakers: int
    superseded: int
    looked_at: int
    follow: int
    behind: int
    rate_per_second: float | None
    seconds: float

    @property
    def looked_at_all(self) -> bool:
        """Whether every letter was held against its payment."""
        return self.looked_at < MOST_LOOKED_AT or self.looked_at >= self.letters


def plan_replay(
    lookout: Lookout,
    choice: Choice,
    rate_per_second: float | None = None,
    watch: Callable[[int], None] = lambda _count: None,
) -> Plan:
    """Return the plan for the open letters of `choice`; `watch` hears how many more were held against their payments.

    Changes nothing. Raises DatabaseAway.
    """
    outline = lookout.plans.outline(choice)
    gates = {provider: gate_of(lookout.switchboard, provider) for provider in outline.by_provider}
    superseded, looked_at = _overtaken(lookout.plans, choice, watch)
    return _plan(outline, lookout.plans.queued(choice), gates, superseded, looked_at, rate_per_second, lookout.policies)


def _plan(
    outline: Outline,
    queued: Queued,
    gates: Mapping[str, Gate],
    superseded: int,
    looked_at: int,
    rate: float | None,
    policies: Policies,
) -> Plan:
    going = {provider: count for provider, count in outline.by_provider.items() if gates[provider] is Gate.OPEN}
    return Plan(
        letters=outline.letters,
        by_reason=outline.by_reason,
        by_age=outline.by_age,
        by_provider=outline.by_provider,
        gates={provider: str(gate) for provider, gate in gates.items() if gate is not Gate.OPEN},
        held_by_breakers=outline.letters - sum(going.values()),
        superseded=superseded,
        looked_at=looked_at,
        follow=queued.follow,
        behind=queued.behind,
        rate_per_second=rate,
        seconds=round(seconds_of(going, rate, policies, superseded), 1),
    )


def seconds_of(going: Mapping[str, int], rate: float | None, policies: Policies, superseded: int = 0) -> float:
    """Return about how long sending so many of each provider takes; the providers' lanes run side by side.

    What is superseded is not sent, so it takes none of a job's own rate.
    """
    if rate is not None:
        return max(0, sum(going.values()) - superseded) / rate
    return max((_lane_seconds(provider, count, policies) for provider, count in going.items()), default=0.0)


def _lane_seconds(provider: str, count: int, policies: Policies) -> float:
    velocity = policies.velocity(provider)
    return max(0, count - velocity.burst) / velocity.per_second if velocity.per_second else 0.0


def _overtaken(plans: Plans, choice: Choice, watch: Callable[[int], None]) -> tuple[int, int]:
    """Return how many are superseded, and of how many."""
    superseded = looked_at = 0
    for candidates in plans.candidates(choice, MOST_LOOKED_AT):
        superseded += sum(map(is_superseded, candidates))
        looked_at += len(candidates)
        watch(len(candidates))
    return superseded, looked_at
