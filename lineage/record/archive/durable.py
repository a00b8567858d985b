"""On disk for sure: deltalake syncs nothing, and a commit cut off to nothing opens as an empty one.

For local archives only: an object store acknowledges what it has stored.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote

__all__ = ["Durable"]

_LOG = "_delta_log"


class Durable:
    """Syncs the commits of one table, each once a process."""

    def __init__(self, table: Path) -> None:
        self._table = table
        self._synced: set[str] = set()

    def sync(self) -> None:
        """Sync every commit, checkpoint and data file that was not yet. Raises ``OSError``.

        Then what is read of them comes from the disk, not from what the system remembers.
        """
        log = self._table / _LOG
        names = sorted(
            entry.name for entry in os.scandir(log)
            if entry.is_file() and "#" not in entry.name and entry.name not in self._synced
        )  # fmt: skip
        for name in names:
            if name.endswith(".json"):
                self._sync_data(_added(log / name))
            _sync(log / name)
        for folder in (log, self._table, self._table.parent, self._table.parent.parent):
            _sync(folder)
        self._synced.update(name for name in names if name != "_last_checkpoint")

    def _sync_data(self, paths: Iterable[str]) -> None:
        for path in paths:
            # One that a later commit removed may be gone; a live one is read back afterwards.
            with suppress(FileNotFoundError):
                _sync(self._table / path)


def _added(commit: Path) -> list[str]:
    added = []
    for line in commit.read_text(encoding="utf-8").splitlines():
        action = json.loads(line) if line.startswith('{"add"') else {}
        if "add" in action:
            added.append(unquote(action["add"]["path"]))
    return added


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)
