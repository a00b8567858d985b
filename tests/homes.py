"""A home in use: a store that commands play on, with everything around it that bodies can be in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lineage.model.changes import BlobRef, CodeFacts, RunRef, RunStarted
from lineage.model.changes.values import Change
from lineage.settings import load_settings
from lineage.store.blobs import DirectoryBlobs
from lineage.wiring import open_workspace
from tests.serving import environment, lineage

__all__ = ["T0", "Home"]

T0 = 1_795_248_000_000_000
"""A moment, UTC microseconds."""


class Home:
    """A store below ``root``, and what commands make of it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.home = root / "home"
        self.settings = load_settings(environment(self.home))
        self.count = 0

    def record(self, *changes: Change) -> int:
        """Record changes; the position of the last."""
        with open_workspace(self.settings) as ws:
            receipts = ws.recorder.record_changes(changes, source="test", actor=ws.actor)
            return receipts[-1].seq

    def blob(self, data: bytes) -> BlobRef:
        return BlobRef(sha256=DirectoryBlobs(self.settings.blobs).put(data), size=len(data))

    def run(self, *, diff: BlobRef | None = None, **more: Any) -> RunStarted:
        self.count += 1
        return RunStarted(
            event_at=T0 + self.count, command=["train"],
            run=RunRef(namespace="local://h", job="train", run_id=str(self.count)),
            code=CodeFacts(diff=diff) if diff else None, **more,
        )  # fmt: skip

    def does(self, *words: str, status: int = 0, **more: str) -> dict[str, Any]:
        """What a command prints as JSON."""
        done = lineage(self.home, *words, "--json", **more)
        assert done.returncode == status, done.stdout + done.stderr
        value: dict[str, Any] = json.loads(done.stdout or done.stderr)
        return value

    def holds(self, *needles: bytes) -> list[str]:
        """Files below the whole place that hold any of some bytes, those in tars included."""
        return [
            str(path.relative_to(self.root))
            for path in sorted(self.root.rglob("*"))
            if path.is_file() and any(needle in path.read_bytes() for needle in needles)
        ]

    def entries(self) -> list[dict[str, Any]]:
        with open_workspace(self.settings, read_only=True) as ws:
            return [
                {"seq": e.seq, "body": e.body, "salt": e.salt, "leaf": e.leaf}
                for e in ws.store.entries()
            ]

    def is_sound(self) -> None:
        assert self.does("ledger", "verify")["sound"]
