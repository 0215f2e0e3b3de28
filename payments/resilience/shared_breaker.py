"""One breaker as a process sees it while Redis can be reached: the rules are kept there, by `lua/breaker*.lua`.

The state is remembered here and is learnt anew ten times a second, so that a closed breaker costs no round trip for
each call. What goes out in the half-open state is asked for call by call.
"""

import time
from collections.abc import Callable
from random import getrandbits
from threading import Lock
from typing import Any

import msgspec

from payments.resilience.breaker_state import Change, Permit, State
from payments.resilience.exchange import Exchange, Request
from payments.resilience.outcome import Outcome
from payments.resilience.policy import BreakerPolicy
from payments.resilience.tally import NOTHING, Tally
from payments.resilience.window import micros

EVENTS = "payferry:breaker-events"
"""The stream of state changes, and the channel that they are published on."""

NAMES = "payferry:breakers"
"""The set of the names of all breakers."""


def key_of(name: str) -> str:
    """Return the key of the hash that holds a breaker's state."""
    return f"payferry:breaker:{name}"


class Caller:
    """Makes the requests about one breaker. `time_us` stands in for Redis' clock, in tests only."""

    def __init__(self, name: str, policy: BreakerPolicy, time_us: Callable[[], int] | None = None) -> None:
        self.name = name
        self._keys = (key_of(name), EVENTS, NAMES)
        self._fixed = (name, msgspec.json.encode(policy).decode())
        self._time_us = time_us

    def request(self, script: str, *arguments: str | int) -> Request:
        """Return a call of `script` with what every script of a breaker is told, and `arguments`."""
        now = "" if self._time_us is None else self._time_us()
        return Request(script, self._keys, (*self._fixed, now, *arguments))


class SharedBreaker:
    """One breaker of the fleet. `hear` is told of each change of state that this process brought about.

    `free_pass` is the permit of the closed state; None in the others, and while nothing is known yet.
    """

    def __init__(
        self,
        caller: Caller,
        policy: BreakerPolicy,
        exchange: Exchange,
        hear: Callable[[Change, int], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._caller = caller
        self._policy = policy
        self._exchange = exchange
        self._hear = hear
        self._clock = clock
        self._lock = Lock()
        self._process = getrandbits(48)
        self._tally = Tally(0.0)
        self._ask_again_at = float("-inf")
        self.state: State | None = None
        self.generation = 0
        self.isolated = False
        self.free_pass: Permit | None = None

    def ask(self) -> Permit | None:
        """Return leave for one call; None: refused for at least `wait_seconds`, or Redis is away."""
        if self._clock() < self._ask_again_at:
            return None
        answer = self._exchange.ask(self._caller.request("breaker_permit"))
        if answer is None:
            return None
        probe = self.learn(answer)
        return Permit(self.generation, probe) if probe else self.free_pass

    def count(self, generation: int, *, failed: bool, slow: bool) -> None:
        """Note the result of a call that was let through in the closed state of `generation`, to tell it later."""
        with self._lock:
            if generation != self.generation:
                return
            tally = self._tally
            if not tally.calls:
                tally.since = self._clock()
            tally.add(failed=failed, slow=slow)
        if failed and tally.row >= self._policy.consecutive_failures:
            self._exchange.hurry()

    def probed(self, permit: Permit, outcome: Outcome, *, slow: bool) -> None:
        """Take a permit of the half-open state back to Redis. While that is away it expires there."""
        told = (permit.generation, permit.probe or "", outcome.value, int(slow))
        answer = self._exchange.ask(self._caller.request("breaker_probe", *told))
        if answer is not None:
            self.learn(answer)

    def wait_seconds(self) -> float:
        """Return how long there is no sense in asking again."""
        return max(0.0, self._ask_again_at - self._clock())

    def report(self) -> Request:
        """Return what is to be told now; the answer goes to `learn`. Without a call it only asks for the state.

        What is older than the window says nothing about the present, and is not told.
        """
        with self._lock:
            tally, self._tally = self._tally, Tally(0.0)
            generation = self.generation
        age_seconds = self._clock() - tally.since
        fresh = tally.calls and age_seconds < self._policy.window_seconds
        told = (*tally.report(), micros(age_seconds)) if fresh else NOTHING
        return self._caller.request("breaker_tell", generation, *told, self._process)

    def learn(self, answer: list[Any]) -> str:
        """Take the state from the answer of a script; return the permit that came with it, or an empty string."""
        state, generation, wait_us, isolated, probe, change = answer
        with self._lock:
            if generation != self.generation:
                self._tally = Tally(0.0)
            self.state, self.generation, self.isolated = State(state), generation, bool(isolated)
            self._ask_again_at = self._clock() + wait_us / 1_000_000
            self._remember_free_pass()
        if change:
            self._hear(Change(*change), generation)
        return str(probe)

    def order(self, word: str) -> bool:
        """Do what an operator asks: trip, isolate or reset. False: Redis is away, and nothing was done."""
        answer = self._exchange.ask(self._caller.request("breaker_order", word))
        if answer is not None:
            self.learn(answer)
        return answer is not None

    def _remember_free_pass(self) -> None:
        if self.state is not State.CLOSED:
            self.free_pass = None
        elif self.free_pass is None or self.free_pass.generation != self.generation:
            self.free_pass = Permit(self.generation)
