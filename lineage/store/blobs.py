"""Blobs: contents too large for a body, by their SHA-256.

A blob is written whole or not at all (temporary file, fsync, rename, fsync of the folder) and never
changes: writing it again does nothing. What is read is checked against its name.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from typing_extensions import override

from lineage.errors import StoreDamagedError, StoreError, StoreFullError, UnknownNameError

__all__ = ["BlobStore", "DirectoryBlobs", "sync_folder"]

_NAME = re.compile(r"[0-9a-f]{64}\Z")
_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class BlobStore(Protocol):
    """Where contents have their home."""

    def put(self, data: bytes) -> str:
        """Keep ``data``; durable when it returns. Returns its SHA-256 in hex.

        Raises ``StoreFullError`` or ``StoreError``; then nothing of it is kept.
        """
        ...

    def get(self, sha256: str) -> bytes:
        """The contents of a blob.

        Raises ``UnknownNameError`` where there is none, ``StoreDamagedError`` where they are not
        what the name says.
        """
        ...

    def has(self, sha256: str) -> bool:
        """Whether a blob is there (its contents are not read)."""
        ...

    def size(self, sha256: str) -> int:
        """Bytes of a blob. Raises ``UnknownNameError``."""
        ...

    def all(self) -> Iterator[str]:
        """Digests of every blob, in order."""
        ...

    def remove(self, sha256: str) -> bool:
        """Erase a blob, and what a writer that died left of it; whether there was one."""
        ...


class DirectoryBlobs(BlobStore):
    """Blobs as files: ``<root>/ab/cdef...``, mode 0600, folders 0700, made when written to."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @override
    def put(self, data: bytes) -> str:
        digest = hashlib.sha256(data).hexdigest()
        path = self._path(digest)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        try:
            for folder in (self.root, path.parent):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            try:
                if not path.exists():
                    _write(temporary, data)
                    temporary.replace(path)
            finally:
                temporary.unlink(missing_ok=True)
            # Also where the blob was there: its writer may not have come this far.
            for folder in (path.parent, self.root, self.root.parent):
                sync_folder(folder)
        except OSError as fault:
            raise _failed(f"a blob of {len(data)} bytes could not be written", fault) from fault
        return digest

    @override
    def get(self, sha256: str) -> bytes:
        path = self._path(sha256)
        try:
            data = path.read_bytes()
        except FileNotFoundError as fault:
            raise _unknown(sha256) from fault
        except OSError as fault:
            raise _failed(f"blob {sha256} could not be read", fault) from fault
        if hashlib.sha256(data).hexdigest() != sha256:
            raise StoreDamagedError(
                f"blob {sha256} does not have the contents that its name says",
                hint="bring it back from a backup",
                path=str(path),
            )
        return data

    @override
    def has(self, sha256: str) -> bool:
        return bool(_NAME.match(sha256)) and self._path(sha256).is_file()

    @override
    def size(self, sha256: str) -> int:
        try:
            return self._path(sha256).stat().st_size
        except FileNotFoundError as fault:
            raise _unknown(sha256) from fault

    @override
    def all(self) -> Iterator[str]:
        if not self.root.is_dir():
            return
        for folder in sorted(self.root.iterdir()):
            names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
            for name in names:
                digest = folder.name + name
                if _NAME.match(digest):
                    yield digest

    @override
    def remove(self, sha256: str) -> bool:
        path = self._path(sha256)
        found = path.exists()
        try:
            for left in [path, *path.parent.glob(f".{path.name}.*")]:
                left.unlink(missing_ok=True)
            if path.parent.is_dir():
                sync_folder(path.parent)
        except OSError as fault:
            raise _failed(f"blob {sha256} could not be erased", fault) from fault
        return found

    def _path(self, sha256: str) -> Path:
        if not _NAME.match(sha256):
            raise UnknownNameError(
                f"not the name of a blob: {sha256[:80]!r}", hint="64 lower-case hex digits"
            )
        return self.root / sha256[:2] / sha256[2:]


def _write(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Make names in a folder durable. Raises ``OSError``."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unknown(sha256: str) -> UnknownNameError:
    return UnknownNameError(
        f"no blob {sha256}", hint="blobs are kept beside the store and in its backups"
    )


def _failed(what: str, fault: OSError) -> StoreError:
    if fault.errno in _NO_SPACE:
        return StoreFullError(f"{what}: {fault.strerror}", hint="make room and try again")
    return StoreError(f"{what}: {fault}")
