"""What a consumer has in hand: messages to be recorded, and offsets to be committed after that.

Pure: nothing here knows a broker. An offset is owed to the group from the moment that everything
before it is recorded until the group has it; what is dropped was not committed, so whoever has the
partition next reads it again, and recording it again changes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from lineage.capture.kafka.messages import Gap, Message, Place

__all__ = ["Hand"]


class Hand:
    """A batch in the making. It is full at ``most`` messages, or at ``most_bytes`` of values."""

    def __init__(self, most: int = 500, most_bytes: int = 8 << 20) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._messages: list[Message] = []
        self._gaps: list[Gap] = []
        self._bytes = 0
        self._owed: dict[Place, int] = {}

    @property
    def messages(self) -> Sequence[Message]:
        """What waits to be recorded, as it came."""
        return tuple(self._messages)

    @property
    def gaps(self) -> Sequence[Gap]:
        """What was lost, to be recorded with them."""
        return tuple(self._gaps)

    @property
    def owed(self) -> Mapping[Place, int]:
        """The next offset to read, of each partition whose group does not know it yet."""
        return dict(self._owed)

    def __bool__(self) -> bool:
        return bool(self._messages or self._gaps)

    @property
    def full(self) -> bool:
        """Whether it has to be recorded before more is taken."""
        return len(self._messages) >= self._most or self._bytes >= self._most_bytes

    def take(self, message: Message) -> None:
        """Add a message."""
        self._messages.append(message)
        self._bytes += len(message.value or b"")

    def take_gap(self, gap: Gap) -> None:
        """Add a stretch that was lost."""
        self._gaps.append(gap)

    def recorded(self) -> None:
        """Everything in hand is durable: its offsets are owed."""
        for message in self._messages:
            self._owed[message.place] = max(message.offset + 1, self._owed.get(message.place, 0))
        self._empty([])
        self._gaps = []

    def committed(self, offsets: Mapping[Place, int]) -> None:
        """The group has these: they are owed no more."""
        for place, offset in offsets.items():
            if self._owed.get(place, offset + 1) <= offset:
                del self._owed[place]

    def drop(self, places: Collection[Place]) -> int:
        """Forget what belongs to partitions that are another's now; how many messages."""
        kept = [message for message in self._messages if message.place not in places]
        dropped = len(self._messages) - len(kept)
        self._empty(kept)
        for place in places:
            self._owed.pop(place, None)
        return dropped

    def _empty(self, kept: list[Message]) -> None:
        self._messages = kept
        self._bytes = sum(len(message.value or b"") for message in kept)
