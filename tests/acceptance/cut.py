"""A way to a server that can be cut, for one process alone."""

import socket
import threading
from contextlib import suppress
from typing import Self


class Way:
    """Carries bytes between its own port and the server's, until it is cut, and again once it is mended."""

    def __init__(self, port: int) -> None:
        """`port` is the server's, on this machine."""
        self._server = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._is_cut = False
        self.port = int(self._listening.getsockname()[1])

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._listening.close()
        self.cut()

    def cut(self) -> None:
        """Break every connection, and take no new one."""
        self._is_cut = True
        for each in self._open:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        self._open.clear()

    def mend(self) -> None:
        """Take connections again."""
        self._is_cut = False

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                if self._is_cut:
                    client.close()
                    continue
                server = socket.create_connection(("127.0.0.1", self._server))
                self._open += [client, server]
                for source, sink in ((client, server), (server, client)):
                    threading.Thread(target=_carry, args=(source, sink), daemon=True).start()


def _carry(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while told := source.recv(65_536):
            sink.sendall(told)
        sink.shutdown(socket.SHUT_WR)
