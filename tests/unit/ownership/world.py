"""A world of owners."""

from __future__ import annotations

from typing import Any

import pytest

from lineage.errors import OwnershipError
from lineage.model.changes import (
    ArtifactDescribed,
    Change,
)
from lineage.model.envelope import Actor
from lineage.model.ids import artifact_id
from lineage.ownership.changes import Terms, accept, claim, retract
from lineage.ownership.claims import ownership_of
from lineage.ownership.precedence import Ownership
from lineage.record.interpret import interpret
from lineage.record.recorder import Recorder
from lineage.store.contract import View
from lineage.store.memory.store import MemoryStore

__all__ = [
    "ANN",
    "BOB",
    "HOUR",
    "T0",
    "TX",
    "World",
    "refuses",
]

HOUR = 3_600_000_000
T0 = 1_795_000_000_000_000
ANN, BOB = Actor("person:ann"), Actor("person:bob")
TX = artifact_id("s3://lake", "features/tx")


class World:
    """A store whose clock the test turns."""

    def __init__(self) -> None:
        self.now = T0
        self.store = MemoryStore(interpret, clock=lambda: self.now)
        self.recorder = Recorder(self.store, key=b"k" * 32)
        self.record(ArtifactDescribed(event_at=T0, namespace="s3://lake", name="features/tx"))

    def record(self, *changes: Change, actor: Actor = ANN) -> None:
        self.recorder.record_changes(changes, source="test", actor=actor)

    def later(self, by: int = HOUR) -> int:
        self.now += by
        return self.now

    def claim(self, target: str, team: str, actor: Actor = ANN, **terms: Any) -> None:
        now = self.later()
        self.record(
            claim(self.store, target, team, Terms(**terms), actor=actor, now=now), actor=actor
        )

    def accept(self, target: str, team: str, actor: Actor = ANN, source: str = "") -> None:
        now = self.later()
        self.record(
            accept(self.store, target, team, actor=actor, now=now, source=source), actor=actor
        )

    def retract(self, target: str, team: str, actor: Actor = ANN, source: str = "") -> None:
        now = self.later()
        self.record(
            retract(self.store, target, team, actor=actor, now=now, source=source), actor=actor
        )

    def owner(
        self, node: str = TX, as_of: int | None = None, known_at: int | None = None
    ) -> Ownership:
        position = self.store.head().seq if known_at is None else known_at
        view = View(position, self.now if as_of is None else as_of)
        return ownership_of(self.store, [node], view)[node]


def refuses(code: str) -> Any:
    return pytest.raises(OwnershipError, check=lambda fault: fault.code == code)
