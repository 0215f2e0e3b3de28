"""One process' line to the state that the fleet shares in Redis.

Asking Redis about every call would cost every call a round trip. So what a process has seen is told, and what the
others have seen is learnt, at most ten times a second and in one pipeline for everything. While Redis is away each part
goes on by what this process alone knows.
"""

import time
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any, Protocol

import msgspec
import redis
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError
from redis.retry import Retry

from payments.resilience.scripts import script

_INTERVAL_SECONDS = 0.1
_HURRY_SECONDS = 0.5
_AWAY_SECONDS = 1.0
_STALE_SECONDS = 1.0
_TIMEOUT_SECONDS = 0.25


class Request(msgspec.Struct, frozen=True):
    """One call of the script in `lua/<script>.lua`. It must not answer nil."""

    script: str
    keys: tuple[str, ...]
    arguments: tuple[str | int | float, ...]


class Part(Protocol):
    """Something whose state the fleet shares. None of its methods may raise, or wait."""

    def requests(self) -> Sequence[Request]:
        """Return what it has to tell or to ask now; may be empty."""

    def learn(self, answers: Sequence[Any]) -> None:
        """Take the answers to its requests, in their order. After `alone` this also says that the fleet is back."""

    def alone(self) -> None:
        """Go on without the fleet, which cannot be reached now. What was told last may be lost."""


class Exchange:
    """At most ten pipelined round trips a second for all parts, and two more for what is urgent.

    Without a client it is always alone. While Redis does not answer it is alone too, and tries again once a second.
    Threads and greenlets may share it: one makes the round trip, and the others go on with what is known.
    """

    def __init__(
        self, client: redis.Redis | None, tell: Callable[..., None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._tell = tell
        self._clock = clock
        self._parts: tuple[Part, ...] = ()
        self._trip = Lock()
        self._alone = client is None
        self._due = float("-inf") if client else float("inf")
        self._hurry_due = self._due
        self._known_at = float("-inf")

    @property
    def alone(self) -> bool:
        """Whether the fleet cannot be reached now."""
        return self._alone

    def join(self, part: Part) -> None:
        """Take `part` along in every exchange from now on."""
        self._parts = (*self._parts, part)
        if self._alone:
            part.alone()

    def keep_up(self) -> None:
        """Tell and learn, where the last exchange is 100 ms ago or longer; otherwise this costs one look at the clock.

        Does not wait for a round trip that another thread makes, unless this process has been idle and what it knows is
        older than a second. Never raises for Redis' sake.
        """
        now = self._clock()
        if now < self._due:
            return
        stale = not self._alone and now - self._known_at > _STALE_SECONDS
        if self._trip.acquire(blocking=stale, timeout=_TIMEOUT_SECONDS if stale else -1):
            try:
                if self._clock() >= self._due:
                    self._exchange()
            finally:
                self._trip.release()

    def hurry(self) -> None:
        """Tell and learn at once, if that was not done in the last half second. Otherwise the next exchange will do."""
        now = self._clock()
        if now >= self._hurry_due and not self._alone:
            self._hurry_due = now + _HURRY_SECONDS
            self.at_once()

    def at_once(self) -> None:
        """Tell and learn now, however often that is done. Nothing where another thread is at it."""
        if self._client is not None and self._trip.acquire(blocking=False):
            try:
                self._exchange()
            finally:
                self._trip.release()

    def ask(self, request: Request) -> Any | None:  # noqa: ANN401 - whatever the script answers
        """Return the answer of one script, asked at once: a permit, a token. None while alone."""
        if self._alone or self._client is None:
            return None
        try:
            return self._run(self._client, [request])[0]
        except (RedisError, OSError) as error:
            self._be_alone(error)
            return None

    def _exchange(self) -> None:
        """Make one round trip for all parts. Only the holder of `_trip` may."""
        assert self._client is not None
        started = self._clock()
        told = [(part, requests) for part in self._parts if (requests := part.requests())]
        flat = [request for _, requests in told for request in requests]
        try:
            if flat:
                answers = iter(self._run(self._client, flat))
            elif self._alone:
                self._client.ping()
        except (RedisError, OSError) as error:
            self._be_alone(error)
            return
        self._known_at = started
        self._due = started + _INTERVAL_SECONDS  # not before the answer: who knows only what is long past waits for it
        self._be_back()
        for part, requests in told:
            part.learn([next(answers) for _ in requests])

    @staticmethod
    def _run(client: redis.Redis, requests: Sequence[Request]) -> list[Any]:
        """Return the scripts' answers in order, from one pipeline; from two where Redis did not know all scripts."""
        answers = _send(client, requests)
        unknown = [place for place, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
        if unknown:
            again = [requests[place] for place in unknown]
            for place, answer in zip(unknown, _send(client, again, load=True), strict=True):
                answers[place] = answer
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        return answers

    def _be_alone(self, error: Exception) -> None:
        self._due = self._clock() + _AWAY_SECONDS
        if not self._alone:
            self._alone = True
            self._tell("shared_state_away", reason=type(error).__name__)
            for part in self._parts:
                part.alone()

    def _be_back(self) -> None:
        if self._alone:
            self._alone = False
            self._tell("shared_state_back")


def _send(client: redis.Redis, requests: Sequence[Request], *, load: bool = False) -> list[Any]:
    """Return an answer, or the error in its place, for each request; with `load`, Redis is given the scripts first."""
    loads = sorted({request.script for request in requests}) if load else []
    with client.pipeline(transaction=False) as pipe:
        for name in loads:
            pipe.script_load(script(name).text)
        for each in requests:
            pipe.evalsha(script(each.script).digest, len(each.keys), *each.keys, *each.arguments)
        answers: list[Any] = pipe.execute(raise_on_error=False)
    return answers[len(loads) :]


def connect(url: str, *, text: bool = True) -> redis.Redis:
    """Return a client of the Redis at `url` that would rather fail than wait: a quarter of a second, and no retries.

    It connects at the first command. Answers are text, or else bytes.
    """
    return redis.Redis.from_url(
        url,
        socket_connect_timeout=_TIMEOUT_SECONDS,
        socket_timeout=_TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 0),
        decode_responses=text,
        max_connections=1000,  # more than one process has threads or greenlets, each of which may ask at the same time
        protocol=2,  # with the next line: no talk when connecting, so a frozen server costs one timeout and not several
        driver_info=None,
    )
