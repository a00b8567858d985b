"""Where topics are: ``kafka://host:9092,host2:9092/topic,topic2``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from typing_extensions import override

from lineage.errors import ConfigError

__all__ = ["Address", "parse_address"]

_SCHEME = "kafka://"
_PORT = "9092"
_SERVER = re.compile(r"(\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?")
_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")
_USAGE = "write kafka://host:9092/topic (several hosts and topics with commas)"


@dataclass(frozen=True, slots=True)
class Address:
    """Brokers to begin with, and topics."""

    servers: tuple[str, ...]
    topics: tuple[str, ...]

    @override
    def __str__(self) -> str:
        return f"{_SCHEME}{','.join(self.servers)}/{','.join(self.topics)}"


def parse_address(text: str) -> Address:
    """Read an address. Raises ``ConfigError``, which never shows what may be a password."""
    if not text.startswith(_SCHEME):
        raise ConfigError("not an address of Kafka topics", hint=_USAGE)
    rest = text.removeprefix(_SCHEME)
    if "@" in rest:
        raise ConfigError(
            "an address with a user or a password in it: it would be seen by `ps` and in logs",
            hint="set LINEAGE_KAFKA_USER, and LINEAGE_KAFKA_PASSWORD or the file that "
            "LINEAGE_KAFKA_PASSWORD_FILE names; change the password if it was shown",
        )
    servers, slash, topics = rest.partition("/")
    if not slash or not topics:
        raise ConfigError(f"no topic in {text}", hint=_USAGE)
    return Address(
        tuple(dict.fromkeys(_server(part) for part in servers.split(","))),
        tuple(dict.fromkeys(_topic(part) for part in topics.split(","))),
    )


def _server(text: str) -> str:
    match = _SERVER.fullmatch(text)
    if match is None:
        raise ConfigError(f"not a host and port: {text!r}", hint=_USAGE)
    return f"{match[1]}:{match[2] or _PORT}"


def _topic(text: str) -> str:
    if not _TOPIC.fullmatch(text) or text in {".", ".."}:
        raise ConfigError(
            f"not the name of a topic: {text!r}", hint="letters, digits, dots, _ and - make a name"
        )
    return text
