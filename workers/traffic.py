"""Made-up traffic: raw provider messages as they would stand on the topic, for demos, tests and benchmarks.

Seeded: the same arguments give the same messages. Payments live plausible lives that interleave, each in its own order,
under one key. The size cap is the one kind of malformed record left out: brokers refuse such records themselves.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import accumulate, count, islice
from random import Random
from typing import NamedTuple

import msgspec

from payments.event import Provider
from payments.streams.publisher import Outgoing
from workers.traffic_messages import MALFORMED, WORDINGS, Payment, header_event_id

LIVES = {
    ("requested",): 14,
    ("requested", "captured"): 28,
    ("authorized",): 8,
    ("authorized", "captured"): 18,
    ("captured", "part_refunded", "rest_refunded"): 10,
    ("failed",): 8,
    ("authorized", "voided"): 6,
    ("captured", "disputed"): 4,
    ("unhandled",): 4,
}
"""What can happen to a payment, step by step → how often, in hundredths."""

NOT_TOLD = {Provider.RAZORPAY: {"requested", "voided"}}
"""Steps that a provider has no message for."""

CURRENCIES = {
    Provider.STRIPE: ("USD", "EUR", "GBP", "JPY", "KWD", "ISK"),
    Provider.RAZORPAY: ("INR", "INR", "INR", "USD", "JPY", "KWD"),
    Provider.PAYPAL: ("USD", "EUR", "GBP", "JPY", "HUF", "TWD"),
    Provider.CANONICAL: ("USD", "EUR", "CHF", "JPY", "BHD", "INR"),
}
CARDS = ("4242424242424242", "5555555555554444", "378282246310005", "6011111111111117")
"""Numbers that card schemes keep for tests."""

OPEN_PAYMENTS = 64
"""How many payments are on their way at once."""

MIN_AMOUNT_MINOR = 200
MAX_AMOUNT_MINOR = 250_000


class Message(NamedTuple):
    """A record before it is produced. `bad` ones are such as decode_event refuses."""

    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]
    provider: Provider
    bad: bool


def outgoing(message: Message, topic: str) -> Outgoing:
    """Return the message as it is published to `topic`."""
    return Outgoing(topic=topic, key=message.key, value=message.value, headers=list(message.headers))


class Traffic:
    """An endless supply of messages, of which `messages` gives the first ones.

    `bad_ratio` and `duplicate_ratio` are shares of all messages, from 0 to 1. A duplicate is a second delivery of the
    same message a little later. `start` is the time of the first event; about a thousand follow in a second.
    """

    def __init__(
        self,
        seed: int,
        providers: tuple[Provider, ...] = tuple(Provider),
        bad_ratio: float = 0.0,
        duplicate_ratio: float = 0.02,
        start: datetime = datetime(2026, 1, 1, tzinfo=UTC),
    ) -> None:
        self._seed = seed
        self._providers = providers
        self._bad_ratio = bad_ratio
        self._duplicate_ratio = duplicate_ratio
        self._start_second = int(start.timestamp())
        self._lives = {provider: _lives_of(provider) for provider in providers}

    def messages(self, count: int) -> Iterator[Message]:
        """Return `count` messages; another call begins again with the first."""
        return islice(self._endless(), count)

    def _endless(self) -> Iterator[Message]:
        random = Random(self._seed)  # noqa: S311 - made-up traffic, to be had again by its seed
        clock = count(self._start_second * 1000)
        serials = count()
        on_their_way: list[Iterator[Message]] = []
        while True:
            if random.random() < self._bad_ratio:
                yield self._bad(random, next(serials))
                continue
            message = self._next_step(random, on_their_way, serials, clock)
            yield message
            if random.random() < self._duplicate_ratio:
                on_their_way.append(iter((message,)))

    def _next_step(
        self, random: Random, on_their_way: list[Iterator[Message]], serials: Iterator[int], clock: Iterator[int]
    ) -> Message:
        """Let one of the open payments take its next step."""
        while True:
            while len(on_their_way) < OPEN_PAYMENTS:
                on_their_way.append(self._steps(self._payment(random, next(serials)), clock))
            index = int(random.random() * len(on_their_way))
            message = next(on_their_way[index], None)
            if message is not None:
                return message
            on_their_way[index] = on_their_way[-1]
            on_their_way.pop()

    def _payment(self, random: Random, serial: int) -> Payment:
        provider = random.choice(self._providers)
        lives, weights = self._lives[provider]
        amount_minor = random.randint(MIN_AMOUNT_MINOR, MAX_AMOUNT_MINOR) // 100 * 100
        return Payment(
            provider=provider,
            token=f"{self._seed & 0xFFFFFFFF:08X}{serial:08X}",
            life=random.choices(lives, cum_weights=weights)[0],
            amount_minor=amount_minor,
            part_minor=amount_minor // 200 * 100,
            currency=random.choice(CURRENCIES[provider]),
            email=f"customer{serial}@example.com",
            card=random.choice(CARDS),
            plain=random.random() < 0.5,  # noqa: PLR2004 - an even choice
        )

    def _steps(self, payment: Payment, clock: Iterator[int]) -> Iterator[Message]:
        key = payment.ordering_key.encode()
        word = WORDINGS[payment.provider]
        for step in payment.life:
            body = word(payment, step, next(clock) // 1000)
            headers = [
                ("provider", payment.provider.encode()),
                ("correlation_id", f"{payment.token}-{step}".encode()),
            ]
            if payment.provider is Provider.RAZORPAY:
                headers.append(("x-razorpay-event-id", header_event_id(payment, step).encode()))
            yield Message(key, _ENCODER.encode(body), headers, payment.provider, bad=False)

    def _bad(self, random: Random, serial: int) -> Message:
        value = random.choice(_MALFORMED) % serial
        correlation_id = f"bad-{self._seed & 0xFFFFFFFF:08X}-{serial}".encode()
        headers = [("correlation_id", correlation_id)]
        return Message(correlation_id, value, headers, random.choice(self._providers), bad=True)


def _lives_of(provider: Provider) -> tuple[list[tuple[str, ...]], list[int]]:
    """Return the lives that a provider can tell of, and their cumulative weights."""
    untold = NOT_TOLD.get(provider, set())
    told = {life: weight for life, weight in LIVES.items() if untold.isdisjoint(life)}
    return list(told), list(accumulate(told.values()))


_ENCODER = msgspec.json.Encoder()
_MALFORMED = tuple(MALFORMED.values())
