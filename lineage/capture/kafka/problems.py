"""What an error of the Kafka client means: to be waited for, or for a person."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lineage.errors import (
    BrokerRefusedError,
    CaptureError,
    LineageError,
    SourceUnavailableError,
)

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, KafkaException

__all__ = ["Problems", "no_topic", "text_of"]

_NOT_LET_IN = frozenset(
    {"TOPIC_AUTHORIZATION_FAILED", "GROUP_AUTHORIZATION_FAILED", "SASL_AUTHENTICATION_FAILED"}
)
_AT_THE_DOOR = frozenset({"_AUTHENTICATION", "_SSL"})
"""No reason to give up once the broker has let us in: it may be about to end."""


class Problems:
    """Says each thing once, until the broker is heard of again. ``refused`` is why it is not."""

    def __init__(self, say: Callable[[LineageError], None]) -> None:
        self._say = say
        self._said: set[str] = set()
        self._met = False
        self.refused: BrokerRefusedError | None = None

    def in_touch(self) -> None:
        """The broker answered."""
        self._met = True
        self._said.clear()

    def of_client(self, error: KafkaError) -> None:
        """The client told of something that it deals with itself."""
        if error.name() in _AT_THE_DOOR and not self._met:
            self.refused = _refused(error)
        elif error.name() == "_ALL_BROKERS_DOWN":
            self.once(error)

    def of_topic(self, error: KafkaError, topic: str) -> None:
        """Reading a topic failed. Raises ``BrokerRefusedError``, ``CaptureError``."""
        if error.name() in _NOT_LET_IN:
            raise _refused(error)
        if error.fatal():
            raise CaptureError(f"the Kafka client gave up: {error.str()}")
        self.once(error, no_topic(topic) if error.name() == "UNKNOWN_TOPIC_OR_PART" else None)

    def once(self, error: KafkaError, fault: LineageError | None = None) -> None:
        """Say something that is got over."""
        if error.name() not in self._said:
            self._said.add(error.name())
            self._say(
                fault
                or SourceUnavailableError(
                    f"Kafka: {error.str()}", hint="it is tried again until it is there"
                )
            )


def no_topic(topic: str) -> SourceUnavailableError:
    """A topic that is not there."""
    return SourceUnavailableError(
        f"there is no topic {topic!r}", hint="check the name; it is waited for without --until-end"
    )


def _refused(error: KafkaError) -> BrokerRefusedError:
    return BrokerRefusedError(
        f"the Kafka broker does not let us in: {error.str()}",
        hint="check user, password and rights (read the topics, read the group), and the "
        "ssl.* properties in the file that LINEAGE_KAFKA_CONFIG names",
    )


def text_of(fault: KafkaException) -> str:
    """What the client says of it."""
    error: Any = fault.args[0]
    return str(error.str() if hasattr(error, "str") else error)
