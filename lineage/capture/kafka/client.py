"""How the client is set up: an operator's properties, and what is not theirs to set."""

from __future__ import annotations

from collections.abc import Mapping

from lineage.capture.kafka.address import Address
from lineage.errors import ConfigError

__all__ = ["client_config", "parse_properties"]

_OURS = {
    "bootstrap.servers": "the address names the brokers",
    "metadata.broker.list": "the address names the brokers",
    "group.id": "use --group",
    "group.protocol": "the group is a classic one, for every broker to know it",
    "auto.offset.reset": "use --from",
    "enable.auto.commit": "offsets are committed after recording",
    "auto.commit.enable": "offsets are committed after recording",
    "auto.commit.interval.ms": "offsets are committed after recording",
    "enable.auto.offset.store": "offsets are committed after recording",
    "partition.assignment.strategy": "it is cooperative-sticky",
    "enable.partition.eof": "--until-end needs it",
    "isolation.level": "what was never committed by its producer is not recorded",
}


def parse_properties(text: str) -> dict[str, str]:
    """``name=value`` lines with the names of librdkafka. Raises ``ConfigError`` naming a line."""
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if not stripped or stripped[0] in "#!":
            continue
        name, equals, value = stripped.partition("=")
        if not equals or not name.strip():
            # Never the line itself: it may hold half of a secret.
            raise ConfigError(f"line {number} of the Kafka properties is not name=value")
        found[name.strip()] = value.strip()
    return found


def client_config(
    address: Address, group: str, properties: Mapping[str, str], *, user: str, password: str
) -> dict[str, str | int | bool]:
    """The whole configuration. Raises ``ConfigError`` for what would break a promise."""
    for name in sorted(_OURS.keys() & properties.keys()):
        raise ConfigError(f"{name} is not for the Kafka properties", hint=_OURS[name])
    if password and not user:
        raise ConfigError("LINEAGE_KAFKA_PASSWORD without LINEAGE_KAFKA_USER")
    login: dict[str, str] = {}
    if user:
        # A password travels encrypted unless the operator's own file says otherwise.
        login = {"security.protocol": "SASL_SSL", "sasl.mechanism": "PLAIN"}
        if "sasl.mechanisms" in properties:  # another name of it
            del login["sasl.mechanism"]
    given = {"sasl.username": user, "sasl.password": password} if user else {}
    return {
        "client.id": "lineage",
        "reconnect.backoff.max.ms": 2000,
        **login,
        **properties,
        **given,
        "bootstrap.servers": ",".join(address.servers),
        "group.id": group,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        # Only after a stretch was deleted under our feet: it is then found, and said (group.py).
        "auto.offset.reset": "error",
        "partition.assignment.strategy": "cooperative-sticky",
        "enable.partition.eof": True,
        "isolation.level": "read_committed",
    }
