"""A wire between a driver and a Neo4j that can be cut, at once or at a given message."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from types import TracebackType
from typing import Self

__all__ = ["COMMIT", "BoltProxy"]

COMMIT = bytes.fromhex("0002b0120000")
"""The message of a commit, as it goes over the wire."""


class BoltProxy:
    """Forwards to a server on this machine, whatever it speaks.

    Name it with ``bolt://``: a client that routes would be told the server's own address.
    """

    def __init__(self, port: int) -> None:
        self._to = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self.cut_at = b""
        """Once a client sends this, it arrives, and the answer does not; then forgotten."""
        self.cuts = 0
        self._open: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Break every connection there is."""
        for end in list(self._open):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Break every connection, and take no more."""
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._forward, args=(client,), daemon=True).start()

    def _forward(self, client: socket.socket) -> None:
        with client:
            try:
                server = socket.create_connection(("127.0.0.1", self._to))
            except OSError:
                return
            with server:
                self._open |= {client, server}
                with contextlib.suppress(OSError):
                    self._both_ways(client, server)
                self._open -= {client, server}

    def _both_ways(self, client: socket.socket, server: socket.socket) -> None:
        while True:
            for source in select.select([client, server], [], [])[0]:
                data = source.recv(1 << 16)
                if not data:
                    return
                (server if source is client else client).sendall(data)
                if source is client and self.cut_at and self.cut_at in data:
                    self.cut_at, self.cuts = b"", self.cuts + 1
                    server.recv(1 << 16)  # done there, and nobody hears of it
                    return

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
