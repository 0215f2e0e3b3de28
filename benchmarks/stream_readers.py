"""Many streams in one process, as cheap as they can be, and how old each event is when it is received.

    python -m benchmarks.stream_readers ADDRESS --streams COUNT --events COUNT [--cursor CURSOR] [--stalled COUNT]

prints `ready` once all are live, reads until each stream has had so many events, and prints JSON: of how many events
(by tenths of a millisecond, from settled to received), how many streams missed or doubled any, and how long it took.
`--stalled` ones come on top; they read one message, and then no more. The token is PAYFERRY_API_TOKEN.
"""

import argparse
import asyncio
import json
import os
import sys
import time
from collections import Counter
from typing import Any

import grpc

from payferry.v1 import payment_pb2 as pb

_METHOD = "/payferry.v1.PaymentService/StreamPayments"
_STREAMS_OF_A_CHANNEL = 25  # as many as one connection serves well
_PATIENCE_SECONDS = 120.0
_OPTIONS = (("grpc.use_local_subchannel_pool", 1),)  # a connection for each channel
_NARROW = (*_OPTIONS, ("grpc.http2.lookahead_bytes", 1024), ("grpc.http2.bdp_probe", 0))
_TENTHS = 10_000


def main() -> None:
    """Read, and print JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("address")
    parser.add_argument("--streams", type=int, required=True)
    parser.add_argument("--events", type=int, required=True)
    parser.add_argument("--cursor", default="")
    parser.add_argument("--stalled", type=int, default=0)
    given = parser.parse_args()
    print(json.dumps(asyncio.run(Readers(given).read())), flush=True)


class Readers:
    """The streams of this process."""

    def __init__(self, given: argparse.Namespace) -> None:
        self._given = given
        self._ages: Counter[int] = Counter()
        self._cursor = given.cursor
        self._live = 0
        self._all_live = asyncio.Event()

    async def read(self) -> dict[str, Any]:
        """Return what was found. Raises TimeoutError where events are missing."""
        stalled = [await self._stalled_call() for _ in range(self._given.stalled)]
        async with asyncio.timeout(_PATIENCE_SECONDS):
            reading = [asyncio.ensure_future(self._read(call)) for call in self._calls()]
            await self._all_live.wait()
            print("ready", flush=True)
            began = time.perf_counter()
            wrong = sum(await asyncio.gather(*reading))
        seconds = time.perf_counter() - began
        for call in stalled:
            call.cancel()
        return {"ages": dict(self._ages), "wrong": wrong, "seconds": seconds, "cursor": self._cursor}

    def _calls(self) -> list[Any]:
        count = -(-self._given.streams // _STREAMS_OF_A_CHANNEL)
        channels = [grpc.aio.insecure_channel(self._given.address, _OPTIONS) for _ in range(count)]
        return [self._call(channels[number % count]) for number in range(self._given.streams)]

    async def _stalled_call(self) -> Any:  # noqa: ANN401 - grpc has no types
        call = self._call(grpc.aio.insecure_channel(self._given.address, _NARROW))
        await call.read()
        return call

    def _call(self, channel: Any) -> Any:  # noqa: ANN401 - likewise
        ask = channel.unary_stream(_METHOD, pb.StreamPaymentsRequest.SerializeToString)
        headers = (("authorization", f"Bearer {os.environ['PAYFERRY_API_TOKEN']}"),)
        return ask(pb.StreamPaymentsRequest(cursor=self._given.cursor), metadata=headers)

    async def _read(self, call: Any) -> bool:  # noqa: ANN401 - likewise
        """Read one stream to its last event; return whether any event came twice."""
        seen: set[str] = set()
        received = 0
        while received < self._given.events:
            data = await call.read()
            now = time.time()
            message = pb.StreamPaymentsResponse.FromString(data)
            if not received and not message.events:
                self._is_live()
            for event in message.events:
                seen.add(event.event_id)
                self._ages[int((now - event.settled_at.seconds - event.settled_at.nanos / 1e9) * _TENTHS)] += 1
            received += len(message.events)
            self._cursor = message.cursor
        call.cancel()
        return len(seen) != received

    def _is_live(self) -> None:
        self._live += 1
        if self._live >= self._given.streams:
            self._all_live.set()


if __name__ == "__main__":
    sys.exit(main())
