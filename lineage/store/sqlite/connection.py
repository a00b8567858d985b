"""Connections to the file: how they are set up, shared by threads, and what their errors mean."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import apsw

from lineage.errors import (
    StoreBusyError,
    StoreDamagedError,
    StoreError,
    StoreFullError,
)

__all__ = ["Readers", "Row", "connect", "query", "rows_of", "translated"]

BUSY_MS = 30_000
_WRITER_CACHE_KIB = 64 * 1024
_READER_CACHE_KIB = 32 * 1024
_KEPT_READERS = 8
_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


Row = tuple[Any, ...]


def query(connection: apsw.Connection, sql: str, bindings: Any = None) -> Iterable[Row]:
    """Rows of a statement; what a column holds is said by the schema, not by types."""
    return connection.execute(sql, bindings)


def rows_of(connection: apsw.Connection, sql: str, bindings: Any = None) -> list[Row]:
    """Run a statement and drain it: a PRAGMA whose rows are left unread may not take effect."""
    return list(connection.execute(sql, bindings))


def connect(path: Path, *, writable: bool) -> apsw.Connection:
    """Open the file, a writable one with its file created where it is missing.

    The busy timeout comes before anything else: two processes may open a new file at once.
    """
    if writable:
        _make(path)
    connection = apsw.Connection(str(path)) if writable else _open_for_reading(path)
    try:
        connection.set_busy_timeout(BUSY_MS)
        cache = _WRITER_CACHE_KIB if writable else _READER_CACHE_KIB
        rows_of(connection, f"PRAGMA cache_size=-{cache}")
        rows_of(connection, "PRAGMA mmap_size=0")
        rows_of(connection, "PRAGMA temp_store=MEMORY")
    except BaseException:
        connection.close()
        raise
    return connection


def _make(path: Path) -> None:
    """A new file is its owner's alone; what SQLite puts beside it gets the same mode."""
    with suppress(OSError):  # SQLite says better what is wrong
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def _open_for_reading(path: Path) -> apsw.Connection:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        rows_of(connection, "PRAGMA schema_version")
    except apsw.CantOpenError:
        # WAL needs a file beside the store even to read. On a medium that takes none, a store
        # without unfinished business can be read as the immutable thing it is.
        connection.close()
        if _unfinished(path):
            raise
        return _Immutable(path)
    except BaseException:
        connection.close()
        raise
    return connection


def _unfinished(path: Path) -> bool:
    """Whether there is something in the WAL that is not in the file."""
    try:
        return path.with_name(path.name + "-wal").stat().st_size > 0
    except FileNotFoundError:
        return False


class _Immutable(apsw.Connection):
    """Reads a file without locks: right as long as nobody writes to it, who can where we cannot."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._was = self._state()
        flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
        super().__init__(f"{path.absolute().as_uri()}?immutable=1", flags=flags)

    def _state(self) -> tuple[int, int, int] | None:
        try:
            now = self._path.stat()
        except FileNotFoundError:
            return None
        return now.st_ino, now.st_size, now.st_mtime_ns

    def holds(self) -> bool:
        """Whether the file is as it was when it was opened: pages of then may be kept."""
        return self._state() == self._was


class Readers:
    """Read connections, each used by one thread at a time; every use is one snapshot."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._idle: list[apsw.Connection] = []
        self._closed = False

    @contextmanager
    def snapshot(self) -> Iterator[apsw.Connection]:
        """A connection inside a read transaction: every statement sees the same moment."""
        with translated(self._path):
            connection = self._take()
            try:
                connection.execute("BEGIN")
                yield connection
            finally:
                if not connection.get_autocommit():
                    connection.execute("ROLLBACK")
                self._give_back(connection)
                if isinstance(connection, _Immutable) and not connection.holds():
                    raise StoreBusyError(
                        f"{self._path} was written to while it was read",
                        hint="try again",
                        path=str(self._path),
                    )

    def _take(self) -> apsw.Connection:
        with self._lock:
            if self._closed:
                raise StoreError("the store is closed")
            idle = self._idle.pop() if self._idle else None
        if isinstance(idle, _Immutable) and (not idle.holds() or _unfinished(self._path)):
            idle.close()
            idle = None
        return idle or connect(self._path, writable=False)

    def _give_back(self, connection: apsw.Connection) -> None:
        with self._lock:
            if not self._closed and len(self._idle) < _KEPT_READERS:
                self._idle.append(connection)
                return
        connection.close()

    def close(self) -> None:
        """Close every idle connection; those in use close when they are given back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()


@contextmanager
def translated(path: Path, connection: apsw.Connection | None = None) -> Iterator[None]:
    """The errors of SQLite as ours. ``connection`` tells what the system said of a failed write."""
    try:
        yield
    except (apsw.BusyError, apsw.LockedError) as fault:
        raise StoreBusyError(
            f"{path} is held by another process: {fault}", hint="try again", path=str(path)
        ) from fault
    except (apsw.NotADBError, apsw.CorruptError) as fault:
        raise StoreDamagedError(
            f"{path} is not a store, or it is broken: {fault}",
            hint="restore a backup, or name another file",
            path=str(path),
        ) from fault
    except apsw.FullError as fault:
        raise _full(path, fault) from fault
    except apsw.IOError as fault:
        if connection is not None and connection.system_errno in _NO_SPACE:
            raise _full(path, fault) from fault
        raise StoreError(f"{path} cannot be read or written: {fault}", path=str(path)) from fault
    except apsw.Error as fault:
        raise StoreError(f"{path}: {fault}", path=str(path)) from fault


def _full(path: Path, fault: Exception) -> StoreFullError:
    return StoreFullError(
        f"no space left for {path}: {fault}",
        hint="make room; nothing was half written",
        path=str(path),
    )
