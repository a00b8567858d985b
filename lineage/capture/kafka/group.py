"""A member of a consumer group: the one place that talks to the Kafka client.

Callbacks run within ``poll`` and ``close``, in the thread that called. The client reconnects by
itself, for ever; that it has to is said once, as is every other thing that it gets over.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from lineage.capture.kafka.beginning import Beginning
from lineage.capture.kafka.messages import HEADER, Gap, Message, Place
from lineage.capture.kafka.problems import Problems, no_topic, text_of
from lineage.errors import ConfigError, LineageError, NotInstalledError, SourceUnavailableError

if TYPE_CHECKING:
    from confluent_kafka import Consumer, KafkaError, TopicPartition
    from confluent_kafka import Message as Received

__all__ = ["Group", "Member"]

_ASKING = 10.0
"""Seconds for one answer of a broker."""
_SILENT = logging.getLogger("lineage.kafka.client")
_SILENT.addHandler(logging.NullHandler())
_SILENT.propagate = False  # the client says "connection refused" ten times a second


class Member(Protocol):
    """Who is told what the group decides (``follow.Consuming``)."""

    def assigned(self, goals: Mapping[Place, int | None], gaps: Sequence[Gap]) -> None:
        """Partitions are ours."""
        ...

    def revoked(self, places: Collection[Place], *, lost: bool) -> None:
        """They will not be, or are not any more."""
        ...

    def committed(self, offsets: Mapping[Place, int]) -> None:
        """The group knows these offsets."""
        ...


class Group:
    """Reads ``topics``. Raises ``NotInstalledError``, and ``ConfigError`` for bad properties."""

    def __init__(
        self,
        config: Mapping[str, str | int | bool],
        topics: Sequence[str],
        beginning: Beginning,
        member: Member,
        *,
        say: Callable[[LineageError], None],
    ) -> None:
        try:
            import confluent_kafka
        except ModuleNotFoundError as fault:
            raise NotInstalledError(
                "the Kafka client is not installed",
                hint="pip install 'lineage-store[kafka]'",
            ) from fault
        self._kafka: Any = confluent_kafka
        self._topics = list(topics)
        self._beginning = beginning
        self._problems = Problems(say)
        self._member = member
        self._held = False
        self._fresh = False
        self._next: dict[Place, int] = {}
        self.committing = False
        callbacks = {"error_cb": self._problems.of_client, "on_commit": self._on_commit}
        try:
            self._client: Consumer = confluent_kafka.Consumer(
                {**config, **callbacks}, logger=_SILENT
            )
        except confluent_kafka.KafkaException as fault:
            raise ConfigError(
                f"the Kafka client does not take its properties: {text_of(fault)}",
                hint="they have the names of librdkafka, not those of Java",
            ) from fault

    def check(self) -> None:
        """Make sure of the broker and the topics. Raises ``SourceUnavailableError``."""
        try:
            known = self._client.list_topics(timeout=_ASKING).topics
        except self._kafka.KafkaException as fault:
            self._client.poll(0)  # lets the client say why
            raise self._problems.refused or SourceUnavailableError(
                f"no Kafka broker answers: {text_of(fault)}",
                hint="check the address and, if it wants TLS or a login, LINEAGE_KAFKA_CONFIG",
            ) from fault
        for topic in self._topics:
            if topic not in known or known[topic].error is not None:
                raise no_topic(topic)

    def join(self) -> None:
        """Become one of the group; what it decides goes to the ``member``."""
        self._client.subscribe(
            self._topics,
            on_assign=self._on_assign,
            on_revoke=lambda _, gone: self._on_gone(gone, lost=False),
            on_lost=lambda _, gone: self._on_gone(gone, lost=True),
        )

    def poll(self, seconds: float) -> Message | Place | None:
        """The next message, a partition that has been read to its end, or nothing for now."""
        received = self._client.poll(seconds)
        if self._problems.refused is not None:
            raise self._problems.refused
        if self._held and self._fresh:
            self._client.pause(self._client.assignment())
        self._fresh = False
        if received is None:
            return None
        error = received.error()
        if error is not None:
            return self._on_problem(received, error)
        self._problems.in_touch()
        message = _message(received)
        self._next[message.place] = message.offset + 1
        return message

    def commit(self, offsets: Mapping[Place, int]) -> None:
        """Send offsets; ``Member.committed`` hears when the group has them."""
        self.committing = True
        try:
            self._client.commit(offsets=self._partitions(offsets), asynchronous=True)
        except self._kafka.KafkaException as fault:
            self.committing = False
            self._problems.once(fault.args[0])

    def commit_now(self, offsets: Mapping[Place, int]) -> None:
        """Send offsets and wait: the partitions are about to be another's, who reads from there."""
        try:
            self._client.commit(offsets=self._partitions(offsets), asynchronous=False)
        except self._kafka.KafkaException as fault:
            self._problems.once(fault.args[0])  # read again by the other, without effect

    def hold(self) -> None:
        """Take no more messages, of partitions to come neither."""
        self._held = True
        self._client.pause(self._client.assignment())

    def release(self) -> None:
        """Take them again."""
        self._held = False
        self._client.resume(self._client.assignment())

    def close(self) -> None:
        """Leave the group, so that the others need not wait for a timeout."""
        self._client.close()

    # --- what the client tells

    def _on_assign(self, client: Consumer, partitions: list[TopicPartition]) -> None:
        goals: dict[Place, int | None] = dict.fromkeys(_places(partitions))
        gaps: list[Gap] = []
        begin = partitions
        try:
            begin = [self._begin(client, each, goals, gaps) for each in self._asked(partitions)]
        except self._kafka.KafkaException:
            # The client asks again by itself; where it finds no offset it says so (_on_problem).
            gaps, begin = [], partitions
        client.incremental_assign(begin)
        self._fresh = True
        self._member.assigned(goals, gaps)

    def _on_gone(self, partitions: list[TopicPartition], *, lost: bool) -> None:
        places = _places(partitions)
        for place in places:
            self._next.pop(place, None)
        self._member.revoked(places, lost=lost)

    def _asked(self, partitions: list[TopicPartition]) -> list[TopicPartition]:
        if not partitions:
            return []
        found: list[TopicPartition] = self._client.committed(partitions, timeout=_ASKING)
        return found

    def _begin(
        self,
        client: Consumer,
        at: TopicPartition,
        goals: dict[Place, int | None],
        gaps: list[Gap],
    ) -> TopicPartition:
        if at.error is not None:
            raise self._kafka.KafkaException(at.error)
        place = (at.topic, at.partition)
        low, high = client.get_watermark_offsets(at, timeout=_ASKING)
        read = self._next.get(place, -1)
        offset, gap = self._beginning.of(place, at.offset, read, low, high)
        gaps += [gap] if gap else []
        goals[place] = high
        begin: TopicPartition = self._kafka.TopicPartition(*place, offset)
        return begin

    def _on_commit(self, error: KafkaError | None, partitions: list[TopicPartition]) -> None:
        self.committing = False
        if error is not None:
            self._problems.once(error)
            return
        self._problems.in_touch()
        self._member.committed(
            {(each.topic, each.partition): each.offset for each in partitions if not each.error}
        )

    def _on_problem(self, received: Received, error: KafkaError) -> Place | None:
        codes = self._kafka.KafkaError
        place = (received.topic() or "", received.partition() or 0)
        if error.code() == codes._PARTITION_EOF:  # noqa: SLF001
            self._problems.in_touch()
            return place
        if error.code() == codes._AUTO_OFFSET_RESET:  # noqa: SLF001
            again = [self._kafka.TopicPartition(*place)]
            self._client.incremental_unassign(again)
            self._on_assign(self._client, again)
        else:
            self._problems.of_topic(error, place[0])
        return None

    def _partitions(self, offsets: Mapping[Place, int]) -> list[TopicPartition]:
        make = self._kafka.TopicPartition
        return [make(*place, offset) for place, offset in offsets.items()]


def _message(received: Received) -> Message:
    headers: Any = received.headers() or []
    said = dict(headers).get(HEADER)
    form = said.decode("utf-8", "replace") if isinstance(said, bytes) else ""
    value: Any = received.value()
    return Message(
        received.topic() or "", received.partition() or 0, received.offset() or 0, value, form
    )


def _places(partitions: list[TopicPartition]) -> list[Place]:
    return [(each.topic, each.partition) for each in partitions]
