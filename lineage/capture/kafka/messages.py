"""What a message is: the events in it, or why nobody can read it; and what a lost stretch is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lineage.capture.offered import AUTO, CHANGE, CHANGES, OPENLINEAGE, Offered, read_body
from lineage.errors import InputError, RefusedError
from lineage.model.canonical import canonical
from lineage.model.changes import GapRecorded

__all__ = ["HEADER", "Gap", "Message", "Place", "offered_by"]

HEADER = "lineage-format"
"""A header that says what a message holds, before its content is looked at."""

Place = tuple[str, int]
"""A topic and a partition of it."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message as it was received. Its value is None where there is none (a tombstone)."""

    topic: str
    partition: int
    offset: int
    value: bytes | None
    form: str = ""
    """What :data:`HEADER` says."""

    @property
    def place(self) -> Place:
        """The partition it is in."""
        return (self.topic, self.partition)


@dataclass(frozen=True, slots=True)
class Gap:
    """Offsets ``first`` to ``last`` that this group can never read, and why."""

    topic: str
    partition: int
    first: int
    last: int
    reason: str
    seen_at: int

    def offered(self) -> Offered:
        """It as a change; the same gap found again is the same change."""
        source = f"kafka:{self.topic}"
        change = GapRecorded(
            event_at=self.seen_at,
            gap_source=source,
            from_position=f"{self.partition}@{self.first}",
            to_position=f"{self.partition}@{self.last}",
            reason=self.reason,
        )
        event_id = f"gap.{self.partition}.{self.first}-{self.last}"
        item = {"source": source, "event_id": event_id, "change": change.model_dump(mode="json")}
        origin = {"topic": self.topic, "partition": self.partition, "offset": self.first}
        return Offered(canonical(item), item, CHANGE, origin)


def offered_by(message: Message, form: str) -> list[Offered]:
    """The events of a message, in order; one with its fault where it cannot be read."""
    if form == AUTO and message.form in {OPENLINEAGE, CHANGES}:
        form = message.form
    origin: dict[str, Any] = {
        "topic": message.topic, "partition": message.partition, "offset": message.offset,
    }  # fmt: skip
    if message.value is None:
        fault: InputError = RefusedError(
            "a message without a value", code="tombstone",
            hint="send changes to a topic that is not compacted; nothing here is deleted by a key",
        )  # fmt: skip
        return [Offered(b"", None, form, origin, fault)]
    try:
        return read_body(message.value, form, origin)
    except InputError as problem:
        return [Offered(message.value, None, form, origin, problem)]
