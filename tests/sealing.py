"""Stores with a key, for tests of sealing: a workspace, and entries that say little."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lineage.model.changes import ArtifactDescribed
from lineage.model.envelope import Actor
from lineage.settings import load_settings
from lineage.wiring import Workspace, open_workspace
from tests.serving import environment

__all__ = ["ACTOR", "ORIGIN", "now", "opened", "write"]

ACTOR = Actor("person:tester", "test")
ORIGIN = "example.com/log"


def now() -> int:
    return time.time_ns() // 1000


@contextmanager
def opened(home: Path, **more: str) -> Iterator[Workspace]:
    with open_workspace(load_settings(environment(home, more))) as ws:
        yield ws


def write(ws: Workspace, count: int, start: int = 0) -> None:
    """Record that many changes."""
    changes = [
        ArtifactDescribed(
            namespace="n", name=f"t{number % 5}", event_at=number, attributes={"n": number}
        )
        for number in range(start, start + count)
    ]
    ws.recorder.record_changes(changes, source="test", actor=ACTOR)
