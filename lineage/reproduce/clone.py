"""A clone of one version of a table: its log up to that version, and exactly its files."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from lineage.capture.delta.names import commit_name, read_listing
from lineage.capture.delta.storage import LOG_FOLDER, LocalLog
from lineage.errors import CannotPinError, PinNeedsCopyError, VersionLostError
from lineage.reproduce.delta import (
    TableVersion,
    absent_among,
    files_lost,
    table_version,
    write_checkpoint,
)
from lineage.reproduce.place import COPY, HARD_LINK, REFLINK, Method, put

__all__ = ["Clone", "clone_version"]

_SIDECARS = "_sidecars"


@dataclass(frozen=True, slots=True)
class Clone:
    """What was made: how, how many files, their bytes, and those that had to be copied."""

    method: Method
    files: int
    bytes: int
    bytes_copied: int


def clone_version(table: Path, found: TableVersion, folder: Path, *, copy: bool) -> Clone:
    """Make ``folder`` (empty, on the same mount) a table whose latest version is ``found``.

    Raises ``VersionLostError`` when files go meanwhile, ``PinNeedsCopyError`` when neither links
    nor reflinks are possible and ``copy`` is not given, ``CannotPinError`` for a shallow clone,
    ``OSError``.
    """
    _refuse_outside(table, found)
    maker = _Maker(table, folder, copy=copy)
    maker.put_files(found)
    maker.put_log(found.version)
    _agree(found, table_version(folder, found.version), table)
    _add_checkpoint(folder, found)
    return maker.facts(found)


def _refuse_outside(table: Path, found: TableVersion) -> None:
    """A pin holds what is in the table's own folder; a shallow clone's files are elsewhere."""
    for name in found.needed():
        place = PurePosixPath(name)
        if place.is_absolute() or ".." in place.parts or "://" in name:
            raise CannotPinError(
                f"version {found.version} of {table} has files outside of the table: {name}",
                hint="it is a shallow clone: pin the table it was cloned from",
                table=str(table),
            )


class _Maker:
    """Puts a version's files and log into a folder, and counts how."""

    def __init__(self, table: Path, folder: Path, *, copy: bool) -> None:
        self._table = table
        self._folder = folder
        self._copy = copy
        self._methods: set[Method] = set()
        self._copied = 0

    def put_files(self, found: TableVersion) -> None:
        """Every file of the version. Raises ``VersionLostError`` when one goes meanwhile."""
        refused = 0
        for name in found.needed():
            target = self._folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                if not self._put(self._table / name, target):
                    refused += (self._table / name).stat().st_size
            except FileNotFoundError:
                missing = absent_among(self._table, found) or [name]
                raise files_lost(self._table, found, missing) from None
        if refused:
            raise PinNeedsCopyError(
                f"{self._folder.parent} cannot hold links to {self._table}: a copy would need "
                f"{refused:,} bytes",
                hint="say --copy to copy them; links need one file system and, where the system "
                "protects links, write access to the files",
                bytes=refused,
                files=len(found.needed()),
            )

    def put_log(self, version: int) -> None:
        """The log up to a version. A file that log retention takes meanwhile is left out."""
        log = LocalLog(self._table)
        listing = read_listing(log.names() or ())
        names = [commit_name(number) for number in listing.commits if number <= version]
        for checkpoint in listing.checkpoints_upto(version):
            names += checkpoint.files
        if any(c.v2 for c in listing.checkpoints_upto(version)):
            names += self._sidecars()
        for name in names:
            target = self._folder / LOG_FOLDER / name
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                # The log is small beside the data: it is copied where it cannot be linked.
                if not self._put(self._table / LOG_FOLDER / name, target):
                    shutil.copy2(self._table / LOG_FOLDER / name, target)
                    self._copied += target.stat().st_size
            except FileNotFoundError:
                continue

    def _sidecars(self) -> list[str]:
        there = (self._table / LOG_FOLDER / _SIDECARS).glob("*.parquet")
        return [f"{_SIDECARS}/{path.name}" for path in there]

    def _put(self, source: Path, target: Path) -> bool:
        method = put(source, target, copy=self._copy)
        if method is None:
            return False
        self._methods.add(method)
        if method == COPY:
            self._copied += target.stat().st_size
        return True

    def facts(self, found: TableVersion) -> Clone:
        """What was made."""
        method: Method = HARD_LINK
        if self._methods & {REFLINK, COPY}:
            method = COPY if COPY in self._methods else REFLINK
        sizes = [(self._folder / name).stat().st_size for name in found.needed()]
        return Clone(method, len(sizes), sum(sizes), self._copied)


def _agree(wanted: TableVersion, made: TableVersion, table: Path) -> None:
    same = (wanted.token, wanted.needed()) == (made.token, made.needed())
    if not same:
        raise VersionLostError(
            f"the log of {table} changed while version {wanted.version} was pinned",
            hint="log retention ran at the same time: try again",
            table=str(table),
        )


def _add_checkpoint(folder: Path, found: TableVersion) -> None:
    """Make the clone open cheaply. One that deltalake cannot write, or not rightly, is left out."""
    listing = read_listing(LocalLog(folder).names() or ())
    if any(c.version == found.version for c in listing.checkpoints):
        return
    log = folder / LOG_FOLDER
    before = {path.name for path in log.iterdir()}
    try:
        write_checkpoint(folder, found.version)
        _agree(found, table_version(folder, found.version), folder)
    except VersionLostError:
        for path in log.iterdir():
            if path.name not in before:
                path.unlink()
