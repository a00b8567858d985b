"""Bytes of a Delta log: the one place that touches a file system, so that others can follow."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from pydantic import ValidationError
from typing_extensions import override

from lineage.errors import SourceUnavailableError, UnsupportedError
from lineage.model.changes import ArtifactRef
from lineage.model.naming import FILE, normalise

__all__ = ["LOG_FOLDER", "LocalLog", "LogStorage", "Stamp", "local_path", "table_ref"]

LOG_FOLDER = "_delta_log"


@dataclass(frozen=True, slots=True)
class Stamp:
    """What tells one writing of a file from another without reading it."""

    modified_at: int
    """UTC microseconds."""
    size: int
    identity: tuple[int, ...]
    """Device, inode and modification time in nanoseconds (whatever the storage has)."""


class LogStorage(Protocol):
    """Reads of one table's log. Raises ``SourceUnavailableError`` when it cannot be read now."""

    def read(self, name: str) -> bytes | None:
        """Contents of a file of the log (``_sidecars/...`` included), None where there is none."""
        ...

    def stamp(self, name: str) -> Stamp | None:
        """The stamp of a file of the log, None where there is none."""
        ...

    def names(self) -> Iterable[str] | None:
        """Names in the log folder, None where there is no such folder."""
        ...

    def folder_stamp(self) -> Stamp | None:
        """Changes when a name appears or goes: a cheap way not to list. None: no folder."""
        ...

    def gone(self) -> bool:
        """Whether the table is certainly not there, as opposed to out of reach (unmounted)."""
        ...


class LocalLog(LogStorage):
    """The log of a table on a mounted file system."""

    def __init__(self, table: Path) -> None:
        self.table = table
        self._folder = table / LOG_FOLDER
        self._seen: tuple[int | None, int | None] | None = None

    @override
    def read(self, name: str) -> bytes | None:
        try:
            return (self._folder / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as fault:
            raise _unavailable(self._folder / name, fault) from fault

    @override
    def stamp(self, name: str) -> Stamp | None:
        return _stamp(self._folder / name)

    @override
    def names(self) -> Iterable[str] | None:
        try:
            names = [entry.name for entry in os.scandir(self._folder)]
            self._seen = self._seen or (_device(self.table.parent), _device(self.table))
            return names
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as fault:
            raise _unavailable(self._folder, fault) from fault

    @override
    def folder_stamp(self) -> Stamp | None:
        return _stamp(self._folder)

    @override
    def gone(self) -> bool:
        parent, own = _device(self.table.parent), _device(self.table)
        if parent is None or _stamp(self._folder) is not None:
            return False
        if self._seen is not None:
            # On another device than before, it is a mount that went away.
            return self._seen[0] == parent and own in (None, self._seen[1])
        # Not seen by this process: an empty directory may be a mount point without its mount.
        return not _is_empty(self.table.parent) and not _is_empty(self.table)


def _device(path: Path) -> int | None:
    try:
        return path.stat().st_dev
    except OSError:
        return None


def _is_empty(path: Path) -> bool:
    try:
        return next(path.iterdir(), None) is None
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as fault:
        raise _unavailable(path, fault) from fault


def _stamp(path: Path) -> Stamp | None:
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as fault:
        raise _unavailable(path, fault) from fault
    identity = (found.st_dev, found.st_ino, found.st_mtime_ns)
    return Stamp(found.st_mtime_ns // 1000, found.st_size, identity)


def _unavailable(path: Path, fault: OSError) -> SourceUnavailableError:
    return SourceUnavailableError(
        f"{path} cannot be read: {fault.strerror}",
        hint="check that the file system is mounted and that this user may read the table",
    )


def local_path(table: str | Path) -> Path:
    """The real absolute path of a table given as a path or a ``file:`` URI.

    Raises ``UnsupportedError`` for any other URI.
    """
    text = os.fspath(table)
    if "://" in text or text.startswith("file:"):
        uri = urlsplit(text)
        if uri.scheme != FILE or uri.netloc not in ("", "localhost"):
            raise UnsupportedError(
                f"only tables on a mounted file system can be read: {uri.scheme}://{uri.hostname}",
                hint="mount the storage, or send its events (see docs/howto/watch-delta.md)",
            )
        text = unquote(uri.path)
    return Path(os.path.realpath(text))


def table_ref(table: Path) -> ArtifactRef:
    """The name of a local table: namespace ``file``, its real absolute path.

    Raises ``UnsupportedError`` for a path that is not text.
    """
    namespace, name = normalise(FILE, os.fspath(table))
    try:
        return ArtifactRef(namespace=namespace, name=name)
    except ValidationError as fault:
        raise UnsupportedError(
            f"a path that cannot be recorded: {os.fspath(table)!r}",
            hint="names have to be UTF-8; rename the directory, or reach it by another path",
        ) from fault
