"""Publishing to a directory: one that is mounted from elsewhere, or that somebody else copies."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path

from typing_extensions import override

from lineage.errors import PublishError
from lineage.record.seal.places import Place, is_written

__all__ = ["FolderPlace", "write_file"]


class FolderPlace(Place):
    """A directory. It has to be there: a mount that went away is not written in its place."""

    remote = False

    def __init__(self, folder: Path, away: str = "") -> None:
        """``away`` is what to do where it is not there."""
        self._folder = folder
        self._away_hint = away or "mount it or make it, or change LINEAGE_SEAL_PUBLISH"
        self.name = str(folder)

    @override
    def read(self, name: str) -> bytes | None:
        try:
            return _contents(self._folder / name)
        except FileNotFoundError:
            if not self._folder.is_dir():
                raise self._away() from None
            return None
        except OSError as fault:
            raise self._failed(fault) from fault

    @override
    def write(self, files: Mapping[str, bytes]) -> None:
        if not self._folder.is_dir():
            raise self._away()
        try:
            for name, data in files.items():
                if is_written(name, data, self.read(name)):
                    write_file(self._folder / name, data)
        except OSError as fault:
            raise self._failed(fault) from fault

    def _away(self) -> PublishError:
        return PublishError(f"there is no directory {self._folder}", hint=self._away_hint)

    def _failed(self, fault: OSError) -> PublishError:
        return PublishError(f"{self._folder}: {fault.strerror or fault}")


def _contents(path: Path) -> bytes:
    """Of a regular file: opening a named pipe would wait for somebody to write to it."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, f"{path.name} is not a regular file")
        return file.read()


def write_file(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Write a file whole or not at all, durable when this returns; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
