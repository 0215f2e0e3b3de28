"""A wire to the server that can be cut: a proxy which resets its connections."""

import contextlib
import socket
import struct
import threading
from typing import Self

_BYTES = 65_536
_RESET = struct.pack("ii", 1, 0)  # linger for no time: closing sends RST and throws away what is under way


class Wire:
    """Passes bytes on between whoever connects to `address` and the server behind it."""

    def __init__(self, server: str) -> None:
        host, _, port = server.rpartition(":")
        self._server = (host, int(port))
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._ends: list[socket.socket] = []
        self.address = f"127.0.0.1:{self._listening.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._listening.close()
        self.cut()

    def cut(self) -> None:
        """Reset every connection at both ends."""
        ends, self._ends = self._ends, []
        for end in ends:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            with contextlib.suppress(OSError):  # the other end was faster
                end.shutdown(socket.SHUT_RD)
            end.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # it is closed: the test is over
            while True:
                client, _ = self._listening.accept()
                server = socket.create_connection(self._server)
                self._ends += [client, server]
                for source, sink in ((client, server), (server, client)):
                    threading.Thread(target=_pass_on, args=(source, sink), daemon=True).start()


def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):  # cut
        while told := source.recv(_BYTES):
            sink.sendall(told)
        sink.shutdown(socket.SHUT_WR)
