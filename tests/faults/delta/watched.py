"""Tables that are watched under faults."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from deltalake import DeltaTable

from lineage.capture.delta.position import Position
from lineage.capture.delta.storage import LocalLog, table_ref
from lineage.capture.delta.tail import Captured, DeltaTail
from lineage.model.changes import TableCommitted
from lineage.model.claims import StateType
from lineage.model.envelope import Actor
from lineage.model.ids import artifact_id
from lineage.record.interpret import interpret
from lineage.record.recorder import Recorder
from lineage.settings import Settings
from lineage.store.contract import Store, View
from lineage.store.memory import MemoryStore
from tests.delta_tables import id_of

__all__ = [
    "Clock",
    "Watched",
    "command",
    "expected",
]


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


class Watched:
    """A tail with a clock, into a store."""

    def __init__(self, table: Path, position: Position | None = None) -> None:
        self.clock = Clock()
        self.tail = DeltaTail(
            LocalLog(table), table_ref(table), position, patience=5, clock=self.clock
        )
        self.store: Store = MemoryStore(interpret)
        self.artifact = artifact_id("file", str(table))

    def drain(self) -> list[Captured]:
        out: list[Captured] = []
        while found := self.tail.poll():
            out += found
            Recorder(self.store, key=b"k").record_changes(
                [c.change for c in found], source=self.tail.source, actor=Actor("person:x"),
                event_ids=[c.event_id for c in found],
            )  # fmt: skip
        return out

    def versions(self) -> list[int]:
        return [c.change.version for c in self.drain() if isinstance(c.change, TableCommitted)]

    def gaps(self) -> list[str]:
        """Reasons of the gaps that touch the table, as the graph shows them."""
        view = View(self.store.head().seq)
        states = self.store.states(view, subjects=[self.artifact], types=[StateType.GAP])
        return [json.loads(state.value)["reason"] for state in states]


def command(settings: Settings, *words: str | Path, **more: str) -> subprocess.Popen[str]:
    environment = {"LINEAGE_HOME": str(settings.home), "PATH": os.environ["PATH"], **more}
    return subprocess.Popen(
        [sys.executable, "-m", "lineage", "watch", "delta", *map(str, words)],
        env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        cwd=Path(__file__).resolve().parents[3],
    )  # fmt: skip


def expected(table: Path) -> list[str]:
    table_id = id_of(table)
    return [f"{table_id}.{version:020d}" for version in range(DeltaTable(table).version() + 1)]
