"""From a table's log to where changes are recorded, one step at a time.

The log itself is the spool: a step that could not be delivered is kept and sent again, the cursor
moves only after a delivery, and a process that dies in between reads the same commits again, whose
event ids make that no change.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from lineage.capture.deliver import Sink, in_parts
from lineage.capture.delta.position import Position
from lineage.capture.delta.tail import Captured, DeltaTail
from lineage.capture.spool import Item
from lineage.errors import InputError
from lineage.model.changes import (
    ArtifactInvalidated,
    GapRecorded,
    TableCommitted,
    encode_change,
    kind_of,
)

__all__ = ["Follower", "Step"]


@dataclass(frozen=True, slots=True)
class Step:
    """What one step delivered, for people: commits by version, gaps, and what it waits for."""

    versions: list[int] = field(default_factory=list)
    gaps: list[GapRecorded] = field(default_factory=list)
    ended: int = 0
    refused: int = 0
    changes: int = 0
    waiting: str = ""


class Follower:
    """Delivers what a tail finds.

    ``save`` keeps a position; ``refuse`` sets aside an item that the sink refuses for good.
    """

    def __init__(
        self,
        tail: DeltaTail,
        sink: Sink,
        *,
        save: Callable[[Position | None], None],
        refuse: Callable[[Item, InputError], None],
    ) -> None:
        self._tail = tail
        self._sink = sink
        self._save = save
        self._refuse = refuse
        self._kept: list[Captured] = []

    def step(self, limit: int = 500) -> Step:
        """Deliver everything new up to ``limit``; no ``changes`` means that there is nothing now.

        Raises ``SourceUnavailableError``, and what the sink raises for "not now": then the same is
        delivered by the next step.
        """
        self._kept = self._kept or self._tail.poll(limit)
        refused = 0
        for part in in_parts([self._item(captured) for captured in self._kept]):
            refused += self._send(part)
        delivered, self._kept = self._kept, []
        if delivered:
            self._save(self._tail.position)
        changes = [captured.change for captured in delivered]
        return Step(
            [change.version for change in changes if isinstance(change, TableCommitted)],
            [change for change in changes if isinstance(change, GapRecorded)],
            sum(isinstance(change, ArtifactInvalidated) for change in changes),
            refused,
            len(changes),
            self._tail.waiting,
        )

    def _item(self, captured: Captured) -> Item:
        change = captured.change
        return Item(
            self._tail.source, captured.event_id, kind_of(change), change.v, change.event_at,
            encode_change(change),
        )  # fmt: skip

    def _send(self, items: Sequence[Item]) -> int:
        """Send items together; where that is refused, one by one. How many were refused."""
        try:
            self._sink(items)
        except InputError as fault:
            if len(items) == 1:
                self._refuse(items[0], fault)
                return 1
            return sum(self._send([item]) for item in items)
        return 0
