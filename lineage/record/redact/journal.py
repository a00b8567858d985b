"""The journal of a redaction: what it has still to erase if its process dies.

One file beside the store, there only while a redaction is under way. It names entries and blobs and
holds no contents. The lock ends with its process however it ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lineage.errors import StoreBusyError, StoreDamagedError, StoreFullError
from lineage.model.claims import EntryRef
from lineage.store.blobs import sync_folder

__all__ = ["Begun", "Journal"]


@dataclass(frozen=True, slots=True)
class Begun:
    """What a redaction was to erase: entries by their names, contents by their digests."""

    refs: frozenset[EntryRef] = field(default_factory=frozenset)
    blobs: frozenset[str] = field(default_factory=frozenset)


class Journal:
    """The journal in a file. Raises ``StoreFullError`` where it cannot be written."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody else redacts or erases meanwhile. Raises ``StoreBusyError``."""
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._path.with_name(f"{self._path.name}.lock").open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as fault:
                raise StoreBusyError(
                    "another redaction of this store is under way", hint="wait until it has ended"
                ) from fault
            yield

    def read(self) -> Begun | None:
        """What was begun and not finished. Raises ``StoreDamagedError``."""
        try:
            said = json.loads(self._path.read_bytes())
            refs = frozenset(EntryRef(*ref) for ref in said["entries"])
            return Begun(refs, frozenset(said["blobs"]))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as fault:
            raise StoreDamagedError(
                f"{self._path} cannot be read: {fault}",
                hint="it says what a redaction had to erase: remove it and repeat the command",
                path=str(self._path),
            ) from fault

    def begin(self, refs: Iterable[EntryRef], blobs: Iterable[str]) -> None:
        """Note durably what is to be erased, with what was begun before."""
        before = self.read() or Begun()
        entries = sorted({(r.source, r.event_id) for r in {*refs, *before.refs}})
        value = {"entries": entries, "blobs": sorted({*blobs, *before.blobs})}
        temporary = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(json.dumps(value).encode())
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self._path)
            sync_folder(self._path.parent)
        except OSError as fault:
            raise StoreFullError(f"{self._path} cannot be written: {fault}") from fault
        finally:
            temporary.unlink(missing_ok=True)

    def end(self) -> None:
        """All of it is erased."""
        self._path.unlink(missing_ok=True)
        sync_folder(self._path.parent)
