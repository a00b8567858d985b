"""From records to what became of each file: pure, but for resolving symbolic links.

Rules, per file and in the order of the log:

- Read before the run wrote it: an input. What the run made itself is never an input.
- Opened for writing and made or emptied: written. Opened for writing otherwise: only a change of
  size or time (:class:`Suspect`) tells at the end whether it was written, since databases and
  append-mode logs open that way and may write nothing.
- Renamed: the new name is what was written. A name that existed only within the run is forgotten
  (``model.tmp`` -> ``model``); one that existed before is gone.
- Linked: a second name of the same content, written.
- Deleted: gone. Made and gone within the run is temporary.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from lineage.capture.run.eventlog import DIRECTORY, EMPTIED, MADE, REPLACED, Record

__all__ = ["FileState", "Footprint", "Places", "Suspect", "real_path", "shown"]


def shown(path: str) -> str:
    """A path as text that any encoder takes: bytes that are not UTF-8 become ``%XX``."""
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return "".join(f"%{ord(c) & 0xFF:02X}" if "\udc80" <= c <= "\udcff" else c for c in path)
    return path


def real_path(path: str) -> str:
    """The real path; the path itself where a link in it goes while it is followed."""
    try:
        return os.path.realpath(path)
    except OSError:  # Python 3.11 looks whether it is a link, and reads it unguarded
        return path


class Places:
    """Real paths: every directory is resolved once, so that one file has one name."""

    def __init__(self, resolve: Callable[[str], str] = real_path) -> None:
        self._resolve = resolve
        self._folders: dict[str, str] = {}

    def real(self, raw: bytes, *, follow: bool = True) -> str:
        """The real path of an absolute one; ``follow`` a link that the last part may be."""
        folder, _, name = os.fsdecode(raw).rpartition("/")
        if name in {"", ".", ".."}:
            return self._resolve(os.fsdecode(raw))
        known = self._folders.get(folder)
        if known is None:
            known = self._folders[folder] = self._resolve(folder or "/")
        path = f"{known.rstrip('/')}/{name}"
        return self._resolve(path) if follow and os.path.islink(path) else path


@dataclass(frozen=True, slots=True)
class Suspect:
    """Opened for writing without being emptied: as it was then (bytes, nanoseconds)."""

    at: int
    size: int
    mtime: int


@dataclass(slots=True)
class FileState:
    """What is known of a file. Times are UTC microseconds, 0: did not happen."""

    path: str
    existed: bool
    """Whether it was there before the run first touched it."""
    read_at: int = 0
    size: int | None = None
    mtime: int | None = None
    """Size (bytes) and modification time (nanoseconds) when first opened for reading."""
    written_at: int = 0
    suspect: Suspect | None = None
    gone_at: int = 0
    renamed_from: str = ""
    hook: str = ""

    @property
    def gone(self) -> bool:
        """Whether it is not there any more."""
        return self.gone_at > 0

    @property
    def temporary(self) -> bool:
        """Made and gone within the run."""
        return not self.existed and self.gone


@dataclass(slots=True)
class Footprint:
    """What a run did to files, folded record by record.

    ``skip`` says of a real path that nothing is kept of it (pseudo file systems, our own files).
    """

    places: Places
    skip: Callable[[str], bool]
    files: dict[str, FileState] = field(default_factory=dict)
    audited: set[int] = field(default_factory=set)
    """Processes whose files are told by the Python audit hook."""

    def add(self, records: Iterable[Record]) -> list[FileState]:
        """Fold further records; returns files that were now read for the first time."""
        fresh: list[FileState] = []
        for record in records:
            handle = _HANDLERS.get(record.op)
            if handle is not None:
                found = handle(self, record)
                if found is not None:
                    fresh.append(found)
        return fresh

    def _state(self, path: str, record: Record, *, existed: bool) -> FileState:
        state = self.files.get(path)
        if state is None:
            hook = "audit" if record.pid in self.audited else "preload"
            state = self.files[path] = FileState(path, existed, hook=hook)
        return state

    def _opened(self, record: Record) -> FileState | None:
        path = self.places.real(record.path)
        if self.skip(path):
            return None
        access, made, emptied = record.a & 3, bool(record.a & MADE), bool(record.a & EMPTIED)
        state = self._state(path, record, existed=not made)
        fresh = None
        ours = state.written_at or made or not state.existed
        if access in {0, 2} and not ours and not emptied and not state.read_at:
            state.read_at, state.size, state.mtime = record.time, record.b, record.c
            fresh = state
        if access in {1, 2}:
            if made or emptied:
                state.written_at = state.written_at or record.time
            elif not state.written_at and state.suspect is None:
                state.suspect = Suspect(record.time, record.b, record.c)
            state.gone_at = 0
        return fresh

    def _renamed(self, record: Record) -> None:
        before = self.places.real(record.path, follow=False)
        after = self.places.real(record.other, follow=False)
        if record.a & DIRECTORY:
            inside = before.rstrip("/") + "/"
            for path in [path for path in self.files if path.startswith(inside)]:
                self._move(path, after + path[len(before) :], record, replaced=False)
            return
        self._move(before, after, record, replaced=bool(record.a & REPLACED))

    def _move(self, before: str, after: str, record: Record, *, replaced: bool) -> None:
        moved = self._state(before, record, existed=True)
        if moved.existed:
            moved.gone_at = record.time
            moved.suspect = None
        else:
            del self.files[before]
        if self.skip(after):
            return
        target = self._state(after, record, existed=replaced)
        target.written_at = target.written_at or record.time
        target.gone_at = 0
        target.suspect = None
        target.renamed_from = before if moved.existed else moved.renamed_from

    def _linked(self, record: Record) -> None:
        after = self.places.real(record.other, follow=False)
        if self.skip(after):
            return
        target = self._state(after, record, existed=False)
        target.written_at = target.written_at or record.time
        target.gone_at = 0
        source = self.places.real(record.path)
        if not self.skip(source) and source.startswith("/") and os.path.isfile(source):
            state = self._state(source, record, existed=True)
            if state.existed and not state.written_at:
                state.read_at = state.read_at or record.time

    def _unlinked(self, record: Record) -> None:
        path = self.places.real(record.path, follow=False)
        if not self.skip(path):
            state = self._state(path, record, existed=True)
            state.gone_at = record.time
            state.suspect = None

    def _truncated(self, record: Record) -> None:
        path = self.places.real(record.path)
        if not self.skip(path):
            state = self._state(path, record, existed=True)
            state.written_at = state.written_at or record.time

    def _audited(self, record: Record) -> None:
        self.audited.add(record.pid)

    def settle(self, look: Callable[[str], os.stat_result | None], at: int) -> None:
        """At the end: what is not there any more is gone, suspects that changed were written."""
        for state in self.files.values():
            if not (state.written_at or state.suspect):
                continue
            found = look(state.path)
            if found is None:
                state.gone_at = state.gone_at or at
            elif state.suspect and not state.written_at:
                unchanged = (found.st_size, found.st_mtime_ns) == (
                    state.suspect.size, state.suspect.mtime,
                )  # fmt: skip
                state.written_at = 0 if unchanged else state.suspect.at


_HANDLERS: dict[str, Callable[[Footprint, Record], FileState | None]] = {
    "O": Footprint._opened,  # noqa: SLF001  # the table of this class
    "N": Footprint._renamed,  # noqa: SLF001
    "L": Footprint._linked,  # noqa: SLF001
    "U": Footprint._unlinked,  # noqa: SLF001
    "T": Footprint._truncated,  # noqa: SLF001
    "H": Footprint._audited,  # noqa: SLF001
}
