"""All breakers of one process, and what an operator may see of them and do to them in the fleet."""

import time
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any

from payments.failures import QueueAway
from payments.resilience.breaker import Breaker
from payments.resilience.breaker_state import BreakerEvent, BreakerView, State
from payments.resilience.exchange import Exchange, Request
from payments.resilience.fleet_breaker import FleetBreaker, teller
from payments.resilience.local_breaker import LocalBreaker
from payments.resilience.policy import BreakerPolicy
from payments.resilience.shared_breaker import EVENTS, NAMES, Caller

DEFAULT = "default"
"""The policy of breakers that have none of their own."""


class Switchboard:
    """Hands out one breaker a name. It joins `exchange` as one part, for all that are shared.

    `policies` must hold `default`. `time_us` stands in for Redis' clock, in tests only.
    """

    def __init__(
        self,
        exchange: Exchange,
        policies: Mapping[str, BreakerPolicy],
        tell: Callable[..., None],
        clock: Callable[[], float] = time.monotonic,
        *,
        time_us: Callable[[], int] | None = None,
    ) -> None:
        assert DEFAULT in policies
        self._exchange = exchange
        self._policies = policies
        self._tell = tell
        self._clock = clock
        self._time_us = time_us
        self._fleet: dict[str, FleetBreaker] = {}
        self._locals: dict[str, Breaker] = {}
        exchange.join(self)

    def breaker(self, name: str) -> Breaker:
        """Return the breaker `name` of the fleet: always the same object."""
        return self._of_fleet(name).breaker

    def local(self, name: str, use: str = "") -> Breaker:
        """Return the breaker `name` that is this process' own, as for Redis itself: always the same object.

        Each `use` of what is behind it has one apart, so that one use that fails does not end the others.
        """
        told = f"{name} ({use})" if use else name
        if told not in self._locals:
            policy = self._policy(name)
            side = LocalBreaker(policy, teller(told, self._tell, shared=False), self._clock)
            self._locals.setdefault(told, Breaker(name, side, policy.slow_after_seconds, _nothing, self._clock))
        return self._locals[told]

    def names(self) -> list[str]:
        """Return the names of all breakers of the fleet, used or only configured. Raises QueueAway."""
        configured = set(self._policies) - {DEFAULT}
        return sorted(configured | set(self._fleet) | set(self._ask(Request("breaker_names", (NAMES,), ()))))

    def shown(self) -> list[BreakerView]:
        """Return what the fleet knows of every breaker. Raises QueueAway."""
        return [self._view(name) for name in self.names()]

    def standing(self, name: str) -> State:
        """Return what the breaker `name` would do with a call now, without asking for leave. Never raises.

        One that has been open for its time is half-open, although nobody has tried yet. While Redis is away this
        process' own breaker has the say.
        """
        self._exchange.keep_up()
        answer = self._exchange.ask(Caller(name, self._policy(name), self._time_us).request("breaker_show"))
        if answer is not None:
            view = _view(name, answer)
            opens_again = view.state == State.OPEN and not view.until_seconds and not view.isolated
            return State.HALF_OPEN if opens_again else State(view.state)
        side = self.breaker(name).side
        if side.free_pass is not None:
            return State.CLOSED
        return State.OPEN if side.wait_seconds() > 0 else State.HALF_OPEN

    def trip(self, name: str) -> None:
        """Open the breaker for its open time. One that is isolated stays so. Raises QueueAway."""
        self._order(name, "trip")

    def isolate(self, name: str) -> None:
        """Open the breaker until `reset`. Raises QueueAway."""
        self._order(name, "isolate")

    def reset(self, name: str) -> None:
        """Close the breaker, and hold nothing against it. Raises QueueAway."""
        self._order(name, "reset")

    def transitions(self, limit: int = 20) -> list[BreakerEvent]:
        """Return the latest changes of state, the newest first. Raises QueueAway."""
        return [_event(fields) for _, fields in self._ask(Request("breaker_changes", (EVENTS,), (limit,)))]

    def requests(self) -> Sequence[Request]:
        """Return one report for each breaker: of those that nobody calls the state must be known too."""
        return [each.report() for each in list(self._fleet.values())]

    def learn(self, answers: Sequence[Any]) -> None:
        """Take the state of each breaker. One that was made meanwhile comes last, and has no answer yet."""
        for each, answer in zip(islice(list(self._fleet.values()), len(answers)), answers, strict=True):
            each.learn(answer)

    def alone(self) -> None:
        """Let each breaker go on by itself."""
        for each in list(self._fleet.values()):
            each.alone()

    def _of_fleet(self, name: str) -> FleetBreaker:
        if name not in self._fleet:
            policy = self._policy(name)
            caller = Caller(name, policy, self._time_us)
            self._fleet.setdefault(name, FleetBreaker(caller, policy, self._exchange, self._tell, self._clock))
        return self._fleet[name]

    def _policy(self, name: str) -> BreakerPolicy:
        return self._policies.get(name, self._policies[DEFAULT])

    def _order(self, name: str, word: str) -> None:
        if not self._of_fleet(name).shared.order(word):
            raise _away(word)

    def _view(self, name: str) -> BreakerView:
        return _view(name, self._ask(Caller(name, self._policy(name), self._time_us).request("breaker_show")))

    def _ask(self, request: Request) -> Any:  # noqa: ANN401 - whatever the script answers
        answer = self._exchange.ask(request)
        if answer is None:
            raise _away("show")
        return answer


def _nothing() -> None:
    """Keep up with nobody."""


def _away(operation: str) -> QueueAway:
    return QueueAway(
        "Redis does not answer, so the fleet's breakers are out of reach", service="redis", operation=operation
    )


def _view(name: str, told: Sequence[Any]) -> BreakerView:
    """Return the answer of `lua/breaker_show.lua` as a view."""
    state, generation, wait_us, isolated, calls, failures, slow, consecutive, opened, streak, in_hand, succeeded = told
    return BreakerView(
        name=name,
        state=state,
        generation=generation,
        until_seconds=wait_us / 1_000_000,
        isolated=bool(isolated),
        calls=calls,
        failures=failures,
        slow=slow,
        consecutive_failures=consecutive,
        opened=opened,
        opened_in_a_row=streak,
        active_probes=in_hand,
        successful_probes=succeeded,
    )


def _event(fields: Sequence[str]) -> BreakerEvent:
    told = dict(zip(fields[::2], fields[1::2], strict=True))
    return BreakerEvent(
        name=told["name"],
        was=told["from"],
        now=told["to"],
        reason=told["reason"],
        generation=int(told["generation"]),
        at=float(told["at"]),
    )
