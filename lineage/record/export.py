"""The export: the whole ledger as lines to hand to an auditor (``schema/ledger/FORMAT.md``).

A header, a line for each entry, each checkpoint behind the last entry that it covers, and an end
with the root and the hash of the lines before. Memory does not grow with the ledger. The store's
key is never part of it: a redacted body could be guessed with it.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from lineage.errors import ConfigError, StoreFullError, TamperedError
from lineage.model.merkle import Frontier
from lineage.model.proofs import Shown, to_line
from lineage.store.contract import Store, StoredCheckpoint, StoredEntry

__all__ = ["LEDGER", "Exported", "export", "export_lines"]

LEDGER = "lineage-ledger/1"


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written. ``sealed`` is the number of entries that a checkpoint covers."""

    path: Path
    size: int
    entries: int
    sealed: int
    root: bytes


def export(
    store: Store, target: Path, *, progress: Callable[[int], None] | None = None
) -> Exported:
    """Write the ledger to ``target`` (mode 0600): complete and on disk, or not at all.

    Raises ``ConfigError`` where the target exists, ``StoreFullError`` where it cannot be written,
    ``TamperedError`` where entries are missing.
    """
    if not target.parent.is_dir():
        raise ConfigError(f"there is no directory {target.parent}", hint="make it first")
    _must_not_exist(target)
    partial = target.with_name(f".{target.name}.partial")
    writing = _Writing(store)
    try:
        with _alone(partial) as file:
            try:
                _must_not_exist(target)  # another one may have ended since
            except ConfigError:
                partial.unlink()
                raise
            _write(writing, file, progress)
            partial.replace(target)
        _sync_folder(target.parent)
    except OSError as fault:
        raise StoreFullError(f"the export cannot be written: {fault}") from fault
    return Exported(
        target, target.stat().st_size, writing.tree.size, writing.sealed, writing.tree.root()
    )


def _must_not_exist(target: Path) -> None:
    if target.exists():
        raise ConfigError(f"{target} exists", hint="an export never overwrites: name a new file")


def export_lines(store: Store) -> Iterator[bytes]:
    """The lines of the export."""
    return _Writing(store).lines()


class _Writing:
    """What was written so far."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._hash = hashlib.sha256()
        self.tree = Frontier.empty()
        self.sealed = self.end = 0

    def lines(self) -> Iterator[bytes]:
        yield self._line({"format": LEDGER})
        # An empty ledger may be sealed, too: size 0 comes before the first entry.
        checkpoints = self._store.checkpoints(-1)
        waiting = next(checkpoints, None)
        while waiting is not None and waiting.size == 0:
            yield self._checkpoint(waiting)
            waiting = next(checkpoints, None)
        for entry in self._entries():
            self.tree.push(entry.leaf)
            yield self._line(_entry(entry))
            if waiting is not None and waiting.size == entry.seq:
                yield self._checkpoint(waiting)
                waiting = next(checkpoints, None)
        self._must_be_whole()
        yield self._line({
            "entries": self.tree.size,
            "root": _base64(self.tree.root()),
            "sha256": self._hash.hexdigest(),
        })  # fmt: skip

    def _entries(self) -> Iterator[StoredEntry]:
        """Up to the head as it is now; further, where a redaction came while we read.

        A stub without the entry that committed to it would look like a forgery.
        """
        self.end = self._store.head().seq
        if not self.end:
            return
        for entry in self._store.entries():
            if entry.salt is None:
                self.end = max(self.end, self._store.head().seq)
            yield entry
            if entry.seq >= self.end:
                return

    def _must_be_whole(self) -> None:
        """An export of less than the head says would be a sound one of a shorter ledger."""
        if self.tree.size != self.end:
            raise TamperedError(
                f"the ledger ends at entry {self.end:,}, and {self.tree.size:,} entries are there",
                hint="`lineage ledger verify` names the first that is missing; restore a copy from "
                "a backup beside it to compare",
            )

    def _checkpoint(self, checkpoint: StoredCheckpoint) -> bytes:
        self.sealed = checkpoint.size
        try:
            note = checkpoint.note.decode("utf-8")
        except UnicodeDecodeError as fault:
            raise TamperedError(
                f"the checkpoint of {checkpoint.size} entries is no note: {fault}",
                hint="`lineage ledger verify` tells what else does not hold",
                position=checkpoint.size,
            ) from fault
        return self._line({"checkpoint": note})

    def _line(self, value: Any) -> bytes:
        line = to_line(value)
        self._hash.update(line)
        return line


def _entry(entry: StoredEntry) -> dict[str, Any]:
    # The leaf as the store has it, so that a changed envelope is found at its own place.
    shown = Shown(entry.envelope, entry.salt, entry.body).as_dict()
    return {**shown, "leaf": _base64(entry.leaf)}


@contextmanager
def _alone(partial: Path) -> Iterator[IO[bytes]]:
    """An empty file for us alone, of one name: a repeat writes over what a killed one left."""
    import fcntl  # not on Windows, where other commands of this module run

    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "wb", buffering=1 << 20) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Its writer may have put it in place between our open and our lock.
            ours = os.path.samestat(os.fstat(descriptor), partial.stat())
        except (BlockingIOError, FileNotFoundError):
            ours = False
        if not ours:
            raise ConfigError(
                f"another export is writing {partial}", hint="wait for it, or name another file"
            )
        file.truncate()
        try:
            yield file
        except BaseException:
            partial.unlink(missing_ok=True)
            raise


def _write(writing: _Writing, file: IO[bytes], progress: Callable[[int], None] | None) -> None:
    for number, line in enumerate(writing.lines()):
        file.write(line)
        if progress is not None and number % 1000 == 0:
            progress(writing.tree.size)
    file.flush()
    os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
