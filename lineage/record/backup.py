"""Backup: a consistent copy of a live store with its key and blobs, in one tar file.

Blobs are written before the entries that name them, so copying the store first and the blobs after
it leaves no entry without its blobs.
"""

from __future__ import annotations

import hashlib
import os
import re
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from lineage.errors import ConfigError, StoreDamagedError, StoreFullError, UnknownNameError
from lineage.record.identity import key_of
from lineage.record.scratch import scratch
from lineage.store.blobs import BlobStore, sync_folder

__all__ = [
    "Backup",
    "Copyable",
    "Unpacked",
    "backup",
    "backup_again",
    "unpack",
]

_BLOB = re.compile(r"store\.blobs/([0-9a-f]{2})/([0-9a-f]{62})")
_KEY_MOST = 1 << 10
_SQLITE = b"SQLite format 3\x00"


class Copyable(Protocol):
    """A store that can copy itself to a file while it is used."""

    def backup(self, path: Path) -> None:
        """Write a consistent copy."""
        ...


@dataclass(frozen=True, slots=True)
class Backup:
    """What was written."""

    path: Path
    size: int
    blobs: int


def backup(
    store: Copyable,
    key_path: Path,
    blobs: BlobStore,
    target: Path,
    *,
    progress: Callable[[int], None] | None = None,
) -> Backup:
    """Write ``target`` (mode 0600): ``store.db``, ``store.key`` and ``store.blobs/``.

    It appears complete or not at all. Raises ``ConfigError`` where the target exists,
    ``StoreFullError`` where there is no space.
    """
    if not target.parent.is_dir():
        raise ConfigError(f"there is no directory {target.parent}", hint="make it first")
    if target.exists():
        raise ConfigError(f"{target} exists", hint="a backup never overwrites: name a new file")
    return _write(store, key_path, blobs, target, progress)


def backup_again(store: Copyable, key_path: Path, blobs: BlobStore, target: Path) -> Backup:
    """Put a backup of the store as it is now in the place of ``target``.

    Until it is complete the old one stays. Raises ``StoreFullError`` where there is no space.
    """
    return _write(store, key_path, blobs, target, None)


def _write(
    store: Copyable,
    key_path: Path,
    blobs: BlobStore,
    target: Path,
    progress: Callable[[int], None] | None,
) -> Backup:
    count = 0
    try:
        with scratch(target.name, target.parent) as place:
            copy, made = place / "store.db", place / "backup.tar"
            store.backup(copy)
            descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file, tarfile.open(fileobj=file, mode="w") as tar:
                tar.add(copy, "store.db")
                tar.add(key_path, "store.key")
                for count, digest in enumerate(blobs.all(), start=1):
                    _add_blob(tar, blobs, digest)
                    if progress is not None:
                        progress(count)
            with made.open("rb") as written:
                os.fsync(written.fileno())
            made.replace(target)
        sync_folder(target.parent)
    except OSError as fault:
        raise StoreFullError(f"the backup cannot be written: {fault}") from fault
    return Backup(target, target.stat().st_size, count)


class Unpacked:
    """A backup that was opened: the copy of the store at ``store``, its ``key``, its blobs."""

    def __init__(self, tar: tarfile.TarFile, store: Path, key: bytes) -> None:
        self.store = store
        self.key = key
        self._tar = tar
        self._blobs = {
            _digest(member.name): member
            for member in tar.getmembers()
            if member.isfile() and member.name.startswith("store.blobs/")
        }

    def all(self) -> Iterator[str]:
        """Digests of every blob."""
        return iter(self._blobs)

    def get(self, sha256: str) -> bytes:
        """The contents of a blob. Raises ``UnknownNameError``, ``StoreDamagedError``."""
        member = self._blobs.get(sha256)
        file = self._tar.extractfile(member) if member else None
        if file is None:
            raise UnknownNameError(f"no blob {sha256} in the backup", hint="nor in what it is of")
        data = file.read()
        if hashlib.sha256(data).hexdigest() != sha256:
            raise StoreDamagedError(
                f"blob {sha256} in the backup does not have the contents that its name says",
                hint="take another backup",
            )
        return data


@contextmanager
def unpack(path: Path, beside: Path) -> Iterator[Unpacked]:
    """Open a backup; its store is copied out below ``beside``, and gone at the end.

    Raises ``ConfigError`` for what is no backup, ``StoreFullError``.
    """
    with ExitStack() as stack:
        try:
            # Not compressed: no backup is, and what is damaged raises errors of its own there.
            tar = stack.enter_context(tarfile.open(path, "r:"))
            place = stack.enter_context(scratch("restore", beside))
            key = _file(tar, "store.key").read(_KEY_MOST).decode("ascii")
            opened = Unpacked(tar, _extract_store(tar, place), key_of(key))
        except (tarfile.TarError, EOFError, KeyError, ValueError) as fault:
            raise ConfigError(
                f"{path} is no whole backup: {fault}", hint="`lineage backup FILE` writes them"
            ) from fault
        except OSError as fault:
            raise StoreFullError(f"{path} cannot be unpacked: {fault}") from fault
        yield opened


def _extract_store(tar: tarfile.TarFile, place: Path) -> Path:
    if _file(tar, "store.db").read(len(_SQLITE)) != _SQLITE:
        raise ValueError("store.db is no store")  # an empty file would become an empty one
    tar.extract("store.db", place, filter="data")
    return place / "store.db"


def _digest(name: str) -> str:
    found = _BLOB.fullmatch(name)
    if found is None:
        raise ValueError(f"{name!r} is not the name of a blob")
    return found[1] + found[2]


def _file(tar: tarfile.TarFile, name: str) -> IO[bytes]:
    member = tar.getmember(name)
    # Only what is a file itself: a link would be followed to another member.
    file = tar.extractfile(member) if member.isfile() else None
    if file is None:
        raise ValueError(f"{name} is no file")
    return file


def _add_blob(tar: tarfile.TarFile, blobs: BlobStore, digest: str) -> None:
    with tempfile.TemporaryFile() as file:
        data = blobs.get(digest)
        file.write(data)
        file.seek(0)
        info = tarfile.TarInfo(f"store.blobs/{digest[:2]}/{digest[2:]}")
        info.size, info.mode = len(data), 0o600
        tar.addfile(info, file)
