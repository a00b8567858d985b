"""A process that archives, redacts or restores, and kills itself at a step: see the tests beside.

``python archive_steps.py WHAT PLACE STEP``: at the STEP-th of what writes, before or after it.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from lineage.record.archive import (
    Archive,
    ArchiveSource,
    archive,
    leftovers,
    redact_in_archive,
    writing,
)
from lineage.record.archive.durable import Durable
from lineage.record.archive.table import ArchiveTable
from lineage.record.interpret import interpret
from lineage.record.restore import restore
from lineage.store.blobs import DirectoryBlobs
from lineage.store.sqlite import SqliteStore

_WRITES: dict[type, list[str]] = {
    ArchiveTable: [
        "_make", "append", "rewrite", "delete", "_insist"
    ],
    Durable: ["sync"],
    SqliteStore: ["append", "adopt"],
    DirectoryBlobs: ["put"],
}  # fmt: skip


def kill_at(step: int) -> None:
    """Count what writes from here on; kill this process at one of them."""
    count = 0

    def tick() -> None:
        nonlocal count
        count += 1
        if count == step:
            os.kill(os.getpid(), signal.SIGKILL)

    def ticking(method: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(method)
        def call(*args: Any, **named: Any) -> Any:
            tick()
            result = method(*args, **named)
            tick()
            return result

        return call

    leftovers._remove = ticking(leftovers._remove)
    for cls, names in _WRITES.items():
        for name in names:
            setattr(cls, name, ticking(getattr(cls, name)))


def main(what: str, place: Path, step: int) -> None:
    """Do ``what`` in ``place``, where the test has put a store."""
    writing.BATCH_ENTRIES = 10
    store = SqliteStore(place / "store.db", interpret)
    blobs = DirectoryBlobs(place / "store.blobs")
    target = Archive(str(place / "archive"))
    kill_at(step)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    if what == "archive":
        archive(store, blobs, target, unsealed=True)
    elif what == "redact":
        stubs = [entry for entry in store.entries() if entry.salt is None]
        redact_in_archive(target, stubs, (place / "erased").read_text().split())
    elif what == "restore":
        again = SqliteStore(place / "again.db", interpret)
        restore(ArchiveSource(target), again, DirectoryBlobs(place / "again.blobs"))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
