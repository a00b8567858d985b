"""Copies that were made of a store: where they are, and up to where they are clear of redactions.

A JSON file beside the store, replaced whole. A copy is noted before it is written, so that none is
missing whenever its maker dies.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from lineage.errors import StoreDamagedError, StoreFullError
from lineage.store.blobs import sync_folder

__all__ = ["ARCHIVE", "BACKUP", "Copies", "Copy"]

BACKUP, ARCHIVE = "backup", "archive"


@dataclass(frozen=True, slots=True)
class Copy:
    """A backup or an archive, by its path or URL; ``made_at`` is UTC microseconds.

    What was redacted by entries after ``clean`` may be in it.
    """

    kind: str
    place: str
    made_at: int
    clean: int = 0


class Copies:
    """The list in a file. Raises ``StoreFullError`` where it cannot be written."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def all(self) -> list[Copy]:
        """Every copy that was not forgotten. Raises ``StoreDamagedError``."""
        try:
            said = json.loads(self._path.read_bytes())
            return [Copy(**each) for each in said["copies"]]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, KeyError, TypeError) as fault:
            raise StoreDamagedError(
                f"{self._path} cannot be read: {fault}",
                hint="it lists the backups and archives that were made: put it right by hand",
                path=str(self._path),
            ) from fault

    def add(self, copy: Copy) -> None:
        """Note a copy, in the place of what was noted of the same place."""
        with self._locked():
            self._write([*self._others(copy.place), copy])

    def forget(self, place: str) -> bool:
        """There is no such copy any more; whether there was one."""
        with self._locked():
            others = self._others(place)
            known = len(others) < len(self.all())
            if known:
                self._write(others)
            return known

    def cleaned(self, place: str, position: int) -> None:
        """A copy holds nothing of what was redacted by entries up to a position."""
        with self._locked():
            self._write([
                replace(copy, clean=max(copy.clean, position)) if copy.place == place else copy
                for copy in self.all()
            ])  # fmt: skip

    def _others(self, place: str) -> list[Copy]:
        return [copy for copy in self.all() if copy.place != place]

    def _write(self, copies: list[Copy]) -> None:
        data = json.dumps({"copies": [asdict(copy) for copy in copies]}, indent=1).encode()
        temporary = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self._path)
            sync_folder(self._path.parent)
        except OSError as fault:
            raise StoreFullError(
                f"the list of copies cannot be written: {fault}",
                hint="make room; a copy that is not in it would be missed by redactions",
            ) from fault
        finally:
            temporary.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        descriptor = os.open(self._path.parent, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)
