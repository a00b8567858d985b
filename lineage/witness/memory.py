"""What a witness remembers: of each log the latest checkpoint that it cosigned, on disk.

::

    <folder>/<32 hex of SHA-256(origin)>/checkpoint     the note, with our cosignature
    <folder>/<...>/lock                                 held from the check to the write
    <folder>/<...>/evidence/<name>                      what contradicted it, as it was received
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lineage.errors import StoreFullError
from lineage.model.checkpoint import Checkpoint
from lineage.model.notes import text_of
from lineage.record.seal.folder import write_file

__all__ = ["Memory", "Remembered"]


class Memory:
    """The memory of a witness, in one folder; several processes may share it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def of(self, origin: str) -> Iterator[Remembered]:
        """What is remembered of a log, for us alone until the end.

        Checking against it and replacing it must be one step: else of two checkpoints that arrive
        together the smaller could stay. Raises ``StoreFullError`` where nothing can be kept.
        """
        import fcntl  # not on Windows, where no witness runs

        folder = self._folder(origin)
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as fault:
            raise StoreFullError(f"the witness cannot keep anything: {fault}") from fault
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield Remembered(folder)
        finally:
            os.close(lock)

    def last(self, origin: str) -> Checkpoint | None:
        """The latest checkpoint that was cosigned."""
        return Remembered(self._folder(origin)).checkpoint

    def notes(self) -> list[bytes]:
        """The latest note of every log, in no order that means anything."""
        return [path.read_bytes() for path in sorted(self.folder.glob("*/checkpoint"))]

    def _folder(self, origin: str) -> Path:
        return self.folder / hashlib.sha256(origin.encode()).hexdigest()[:32]


class Remembered:
    """What is remembered of one log."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def note(self) -> bytes | None:
        """The latest note, None before the first."""
        try:
            return (self._folder / "checkpoint").read_bytes()
        except FileNotFoundError:
            return None

    @property
    def checkpoint(self) -> Checkpoint | None:
        """Its text. Raises ``BadNoteError`` for a memory that somebody spoilt: never as if new."""
        note = self.note
        return None if note is None else Checkpoint.of_text(text_of(note))

    def keep(self, note: bytes) -> None:
        """Replace the latest note; on disk when this returns. Raises ``StoreFullError``."""
        self._write(self._folder / "checkpoint", note)

    def accuse(self, name: str, data: bytes) -> Path:
        """Keep what contradicts the note beside it; where. Raises ``StoreFullError``."""
        path = self._folder / "evidence" / name
        self._write(path, data)
        return path

    def _write(self, path: Path, data: bytes) -> None:
        try:
            write_file(path, data, 0o600)
        except OSError as fault:
            raise StoreFullError(f"the witness cannot keep what it saw: {fault}") from fault
