"""For tests of sealing: stores with a key, checkpoints of none, and clones to publish to."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lineage.model.changes import ArtifactDescribed
from lineage.model.checkpoint import Checkpoint
from lineage.model.envelope import Actor
from lineage.model.notes import generate_key, sign_note
from lineage.record.seal.places import note_name
from lineage.settings import load_settings
from lineage.wiring import Workspace, open_workspace
from tests.serving import environment

__all__ = ["ACTOR", "ORIGIN", "checkpoint", "clone", "git", "note", "now", "opened", "write"]

ACTOR = Actor("person:tester", "test")
ORIGIN = "example.com/log"
_KEY = generate_key(ORIGIN)


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


def note(size: int) -> bytes:
    """A checkpoint; nobody looks at its signature here."""
    return sign_note(Checkpoint(ORIGIN, size, bytes([size]) * 32).text(), [_KEY])


def checkpoint(size: int) -> dict[str, bytes]:
    """What is published of one."""
    return {f"{ORIGIN}/{name}": note(size) for name in (note_name(size), "checkpoint")}


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *words], capture_output=True, text=True, check=True
    )
    return done.stdout


def clone(remote: Path, to: Path) -> Path:
    if not remote.exists():
        subprocess.run(["git", "init", "-q", "--bare", "-b", "main", remote], check=True)
    subprocess.run(["git", "clone", "-q", remote, to], check=True, capture_output=True)
    return to
