"""Where a Neo4j is: the address as people write it, and what really answers there."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass
from typing import Self
from urllib.parse import unquote, urlsplit

from lineage.errors import ConfigError
from lineage.settings import NEO4J_SCHEMES

__all__ = ["Address"]

_PORT = 7687
_PROBE_SECONDS = 2.0
_HELLO = bytes.fromhex("6060b017 00000405 00000000 00000000 00000000")  # Bolt 5.4 or older
_HINT = "write it as neo4j://user@host:7687/database"


@dataclass(frozen=True, slots=True)
class Address:
    """``neo4j://user@host:port/database``, without a password."""

    scheme: str
    host: str
    port: int = _PORT
    user: str = "neo4j"
    database: str = "neo4j"

    @classmethod
    def parse(cls, url: str) -> Self:
        """Read an address. Raises ``ConfigError``, which does not repeat what may be a secret."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError as fault:
            raise ConfigError("the address of the store is not understood", hint=_HINT) from fault
        if parts.password is not None:
            raise ConfigError("the address of the store has a password in it", hint=_HINT)
        database = parts.path.removeprefix("/")
        if (
            parts.scheme not in NEO4J_SCHEMES
            or not host
            or "/" in database
            or parts.query
            or parts.fragment
        ):
            raise ConfigError("the address of the store is not understood", hint=_HINT)
        return cls(
            parts.scheme, host, port or _PORT, unquote(parts.username or "") or "neo4j",
            unquote(database) or "neo4j",
        )  # fmt: skip

    @property
    def encrypted(self) -> bool:
        """Whether it asks for TLS."""
        return "+" in self.scheme

    @property
    def place(self) -> str:
        """``host:port``."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def server(self) -> str:
        """The address as the driver takes it."""
        return f"{self.scheme}://{self.place}"

    def takes_connections(self) -> bool:
        """Whether anybody listens there."""
        try:
            socket.create_connection((self.host, self.port), _PROBE_SECONDS).close()
        except OSError:
            return False
        return True

    def speaks_tls(self) -> bool:
        """Whether what answers there speaks TLS, trusted or not; False where nothing answers."""
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # nothing is sent: only that it speaks is asked
        try:
            with (
                socket.create_connection((self.host, self.port), _PROBE_SECONDS) as plain,
                context.wrap_socket(plain, server_hostname=self.host),
            ):
                return True
        except OSError:
            return False

    def speaks_plain(self) -> str:
        """What answers to an unencrypted greeting: ``bolt``, ``http``, or nothing."""
        answer = self._ask(_HELLO) or self._ask(b"HEAD / HTTP/1.0\r\n\r\n")
        if answer.startswith(b"HTTP"):
            return "http"
        return "bolt" if len(answer) == 4 and answer[:2] == b"\0\0" else ""

    def _ask(self, words: bytes) -> bytes:
        try:
            with socket.create_connection((self.host, self.port), _PROBE_SECONDS) as plain:
                plain.settimeout(_PROBE_SECONDS)
                plain.sendall(words)
                return plain.recv(4)
        except OSError:
            return b""
