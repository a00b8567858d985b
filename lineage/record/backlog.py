"""The backlog: what was accepted while the store was away, on disk, in order.

Every process has a folder of its own in ``root``, a :class:`Spool`, and holds a lock on it as long
as it lives: the kernel lets go of it however the process ends. A folder that nobody holds was left
by one that died, and is adopted by whoever comes first. The lock on ``root`` itself is held only
while a folder is made or claimed, so that no new one is taken for one that was left.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lineage.capture.spool import Item, Spool
from lineage.errors import SpoolError, SpoolFullError

__all__ = ["Backlog", "File", "Waiting"]

_ROOM = 1 << 20
"""Free bytes of the disk below which nothing is promised."""


@dataclass(slots=True)
class _Folder:
    """A folder that this process holds."""

    spool: Spool
    lock: int
    own: bool
    files: int = 0


@dataclass(frozen=True, slots=True)
class File:
    """A file that waits: what was accepted together."""

    folder: _Folder
    name: str
    events: int
    bytes: int

    @property
    def at(self) -> float:
        """When it was accepted, seconds UTC."""
        return int(self.name[:20]) / 1_000_000

    def items(self) -> list[Item] | None:
        """What is in it; None where it is damaged, and was set aside. Raises ``SpoolError``."""
        return self.folder.spool.take(self.name)


@dataclass(frozen=True, slots=True)
class Waiting:
    """How much waits: events, their bytes on disk, the age of the oldest in seconds."""

    events: int = 0
    bytes: int = 0
    age: float = 0.0


class Backlog:
    """What this process has to record. Any thread may ask; one puts, one takes away."""

    def __init__(self, root: Path, *, most: int, clock: Callable[[], float] = time.time) -> None:
        self._root = root
        self._most = most
        self._clock = clock
        self._last = 0.0
        self._wanted = 0
        """Size of what was last refused for want of room."""
        self._lock = threading.Lock()
        self._own: _Folder | None = None
        self._files: OrderedDict[str, File] = OrderedDict()
        self._bytes = self._events = 0

    def put(self, items: Sequence[Item]) -> Sequence[None]:
        """Keep items together; on disk when it returns. One thread at a time.

        Raises ``SpoolFullError`` where they are too many or the disk is full, ``SpoolError``.
        """
        size = sum(len(item.body) for item in items)
        if self._bytes + size > self._most:
            self._wanted = size
            raise SpoolFullError(
                f"{self._bytes:,} bytes wait to be recorded; the limit is {self._most:,}",
                hint="send it again when the database is back, or raise LINEAGE_SPOOL_MAX",
            )
        folder = self._own or self._make()
        name = folder.spool.put(items)
        self._wanted = 0
        if file := _file(folder, name, len(items)):
            self._add([file])
        return [None] * len(items)

    def first(self, events: int) -> list[File]:
        """The oldest files, of about that many events together."""
        found: list[File] = []
        with self._lock:
            for file in self._files.values():
                found.append(file)
                events -= file.events
                if events <= 0:
                    break
        return found

    def done(self, files: Sequence[File]) -> None:
        """Forget files: what is in them is recorded. Raises ``OSError``."""
        for file in files:
            file.folder.spool.done(file.name)
        with self._lock:
            for file in files:
                if self._files.pop(file.name, None) is None:
                    continue  # it was closed meanwhile
                self._bytes -= file.bytes
                self._events -= file.events
                file.folder.files -= 1
        for folder in {id(file.folder): file.folder for file in files}.values():
            if not folder.own and not folder.files:
                _release(folder)

    @property
    def empty(self) -> bool:
        """Whether nothing waits."""
        return not self._files

    def has_room(self) -> bool:
        """Whether more can be accepted, at least as much as was last refused."""
        try:
            free = shutil.disk_usage(self._root if self._root.is_dir() else self._root.parent).free
        except OSError:
            return False
        return self._bytes + self._wanted < self._most and free >= _ROOM

    def waiting(self) -> Waiting:
        """How much waits."""
        with self._lock:
            oldest = next(iter(self._files.values()), None)
            age = max(self._clock() - oldest.at, 0.0) if oldest else 0.0
            return Waiting(self._events, self._bytes, age)

    def adopt(self) -> int:
        """Take over what processes that are gone left; how many events.

        Raises ``SpoolError`` where a folder cannot be, after all others were.
        """
        with _faults(self._root):
            paths = sorted(self._root.iterdir()) if self._root.is_dir() else []
        adopted, faults = 0, []
        for path in paths:
            try:
                adopted += self._adopt(path)
            except SpoolError as fault:
                faults.append(fault)
        if faults:
            raise faults[0]
        return adopted

    def _adopt(self, path: Path) -> int:
        with _faults(path):
            with _locked(self._root):
                folder = _claim(path)
            if folder is None:
                return 0
            try:
                files = list(_files(folder))
            except BaseException:
                os.close(folder.lock)  # whoever can read it may have it
                raise
        folder.files = len(files)
        if not files:
            _release(folder)
        self._add(files, adopted=True)
        return sum(file.events for file in files)

    def close(self) -> None:
        """Let go of the folders; what waits is there for the next process."""
        with self._lock:
            folders = {id(file.folder): file.folder for file in self._files.values()}
            if self._own is not None:
                folders[id(self._own)] = self._own
            self._files.clear()
            self._own = None
        for folder in folders.values():
            _release(folder)  # removes what is empty

    def _make(self) -> _Folder:
        with _faults(self._root):
            self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
            path = (
                self._root / f"{int(self._tick() * 1e6):020d}-{os.getpid()}-{secrets.token_hex(4)}"
            )
            with _locked(self._root) as root:
                path.mkdir(mode=0o700)
                lock = os.open(path, os.O_RDONLY)
                fcntl.flock(lock, fcntl.LOCK_EX)
                os.fsync(root)
        self._own = _Folder(Spool(path, clock=self._tick), lock, own=True)
        return self._own

    def _tick(self) -> float:
        """The time, never twice the same: names of files are their order, for an adopter too."""
        self._last = max(self._clock(), self._last + 2e-6)
        return self._last

    def _add(self, files: Sequence[File], *, adopted: bool = False) -> None:
        with self._lock:
            for file in files:
                self._files[file.name] = file
                self._bytes += file.bytes
                self._events += file.events
                file.folder.files += not adopted
            if adopted and files:
                self._files = OrderedDict(sorted(self._files.items()))


def _claim(path: Path) -> _Folder | None:
    """Hold a folder if nobody does."""
    try:
        lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return _Folder(Spool(path), lock, own=False)


def _files(folder: _Folder) -> Iterator[File]:
    root = folder.spool.root
    for part in root.glob("*.part"):
        if not part.with_suffix("").exists():  # else a redaction is about to put it in place
            part.unlink(missing_ok=True)  # of a request that was never answered
    for name in folder.spool.pending():
        file = _file(folder, name, folder.spool.count(name))
        if file is not None and name[:20].isdigit():  # what a person put there is left alone
            yield file


def _file(folder: _Folder, name: str, events: int) -> File | None:
    """A file that waits; None where a redaction took it away."""
    try:
        size = (folder.spool.root / name).stat().st_size
    except FileNotFoundError:
        return None
    return File(folder, name, events, size)


def _release(folder: _Folder) -> None:
    """Remove a folder if nothing is left in it, and let go of it."""
    with contextlib.suppress(OSError):  # damaged files stay, for a person to look at
        folder.spool.root.rmdir()
    os.close(folder.lock)


@contextlib.contextmanager
def _locked(root: Path) -> Iterator[int]:
    descriptor = os.open(root, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _faults(root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as fault:
        raise SpoolError(
            f"{root} cannot be used: {fault.strerror}",
            hint="make room there, or set LINEAGE_HOME to a folder that can be written to",
        ) from fault
