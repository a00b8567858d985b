"""Versions of Delta tables as they stand on disk: what belongs to one, and whether it is all there.

The only module here that imports deltalake. What a version consists of is read from the log
(:mod:`lineage.capture.delta.snapshot`), which also knows the files of deletion vectors; deltalake
opens it to prove that a reader can. Its pyarrow readers are never used: they return nulls for some
tables without a word, and may abort the process at its end.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lineage.capture.delta.actions import DataFile
from lineage.capture.delta.snapshot import TableState, replay
from lineage.capture.delta.storage import LocalLog, local_path
from lineage.errors import (
    LogGapError,
    SourceUnavailableError,
    TornCommitError,
    UnsupportedError,
    VersionLostError,
)
from lineage.model.ids import delta_token, number_of_token

if TYPE_CHECKING:
    from deltalake import DeltaTable

__all__ = [
    "TableVersion",
    "absent_among",
    "describe",
    "intact_version",
    "is_below_retention",
    "live_files",
    "lost_reason",
    "missing_files",
    "opened_version",
    "recorded_version",
    "table_version",
    "vacuum_files",
    "write_checkpoint",
]


@dataclass(frozen=True, slots=True)
class TableVersion:
    """A version of a table by its log."""

    version: int
    table_id: str
    schema: str
    """The schema as JSON."""
    features: tuple[str, ...]
    """Reader features of the protocol, ``deletionVectors`` among them."""
    files: tuple[DataFile, ...]

    @property
    def token(self) -> str:
        """The version token: ``12.1f3a9c2e``."""
        return delta_token(self.version, self.table_id)

    @property
    def has_vectors(self) -> bool:
        """Whether the table may have deletion vectors."""
        return "deletionVectors" in self.features or any(file.vector for file in self.files)

    def needed(self) -> dict[str, tuple[int, bool]]:
        """Every file a reader needs: path -> (bytes, whether that is exact or the least)."""
        found: dict[str, tuple[int, bool]] = {}
        for file in self.files:
            found[file.path] = (file.size, file.size > 0)
            if file.vector and file.vector.file:
                end = max(file.vector.end, found.get(file.vector.file, (0, False))[0])
                found[file.vector.file] = (end, False)
        return found


def table_version(table: str | Path, version: int | None = None) -> TableVersion:
    """A version by its number (default: the latest), whether or not its files are there.

    Raises ``VersionLostError`` when the log does not tell it any more.
    """
    path = local_path(table)
    try:
        return describe(replay(LocalLog(path), version))
    except SourceUnavailableError as fault:
        raise VersionLostError(
            f"there is no table at {path}",
            hint="it was dropped or moved, or its file system is not mounted",
            table=str(path),
        ) from fault
    except (LogGapError, TornCommitError) as fault:
        raise VersionLostError(
            f"version {version} of {path} cannot be opened: {fault.message}",
            hint="the log is needed to know a version's files; a pin keeps its own",
            table=str(path),
            **{name: value for name, value in fault.where.items() if value is not None},
        ) from fault


def describe(state: TableState) -> TableVersion:
    """A replayed state as a version."""
    return TableVersion(
        state.version,
        state.table_id,
        state.metadata.schema if state.metadata else "",
        state.features,
        tuple(state.files.values()),
    )


def recorded_version(table: str | Path, token: str) -> TableVersion:
    """The version that a recorded token means.

    Raises ``VersionLostError`` when the log does not tell it, or tells another of that number: the
    table was dropped and made again.
    """
    number = number_of_token(token)
    if number is None:
        raise VersionLostError(
            f"{token!r} is not the version of a Delta table",
            hint="such tokens look like 12.1f3a9c2e: a number and eight digits of the table's id",
        )
    found = table_version(table, int(number))
    if found.token != token:
        raise VersionLostError(
            f"version {number} of {local_path(table)} is not the one that was recorded",
            hint="the table was dropped and made again: its id differs",
            table=str(local_path(table)),
            recorded=token,
            found=found.token,
        )
    return found


def intact_version(table: str | Path, token: str) -> TableVersion:
    """As :func:`recorded_version`, with every file there.

    Raises ``VersionLostError``, which names files that are not there in ``where['files']``.
    """
    found = recorded_version(table, token)
    missing = absent_among(local_path(table), found)
    if missing:
        raise files_lost(local_path(table), found, missing)
    return found


def files_lost(path: Path, found: TableVersion, missing: Sequence[str]) -> VersionLostError:
    """The error for a version whose files are gone: ``where`` names them, the sentence does not."""
    return VersionLostError(
        f"{len(missing)} of {len(found.needed())} files of version {found.version} of {path} "
        "are gone or cut off",
        hint="a vacuum removed them; only a pin or a backup of them helps",
        table=str(path),
        version=found.token,
        files=list(missing),
    )


def lost_reason(table: str | Path, token: str) -> str | None:
    """Why a recorded version cannot be read any more, or None where it can."""
    try:
        intact_version(table, token)
    except VersionLostError as fault:
        return fault.message
    return None


def live_files(table: str | Path, version: int) -> list[tuple[str, int]]:
    """Files that a reader of a version needs: path on disk and size in bytes, sorted.

    Paths are relative to the table; absolute ones are of a shallow clone. Files of deletion vectors
    are among them, with the least size they have. Raises ``VersionLostError``.
    """
    needed = table_version(table, version).needed()
    return sorted((path, size) for path, (size, _) in needed.items())


def missing_files(table: str | Path, version: int) -> list[str]:
    """Files of a version that are absent, empty or of another size. Raises ``VersionLostError``."""
    return absent_among(local_path(table), table_version(table, version))


def absent_among(path: Path, found: TableVersion) -> list[str]:
    """Files of a version that are not there as they should be, in the order of their paths."""
    return [
        name for name, (size, exact) in sorted(found.needed().items())
        if not _is_there(path / name, size, exact=exact)
    ]  # fmt: skip


def _is_there(path: Path, size: int, *, exact: bool) -> bool:
    try:
        found = path.stat().st_size
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as fault:
        raise SourceUnavailableError(
            f"{path} cannot be looked at: {fault.strerror}",
            hint="check that this user may read the table",
        ) from fault
    return found == size if exact else found >= max(size, 1)


# --- what deltalake does


def _uri(path: Path) -> str:
    return path.as_uri()


def opened_version(table: Path, version: int | None = None) -> DeltaTable:
    """A table opened by deltalake.

    Raises ``VersionLostError`` when it cannot: the log is broken, or the table has a feature that
    deltalake does not know.
    """
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError

    try:
        return DeltaTable(_uri(table), version=version)
    except (DeltaError, OSError, ValueError) as fault:
        raise VersionLostError(
            f"deltalake cannot open {table}: {fault}",
            hint="the table may use a feature that this version of deltalake does not know",
            table=str(table),
        ) from fault


def write_checkpoint(table: Path, version: int) -> None:
    """Write a checkpoint of a version into a table's log. Raises ``VersionLostError``."""
    from deltalake.exceptions import DeltaError

    try:
        opened_version(table, version).create_checkpoint()
    except (DeltaError, OSError) as fault:
        raise VersionLostError(f"no checkpoint of {table} can be written: {fault}") from fault


def vacuum_files(
    table: Path,
    *,
    retention_hours: int | None,
    full: bool,
    keep: Iterable[int] = (),
    apply: bool = False,
) -> list[str]:
    """Files that a vacuum would delete, or with ``apply`` deleted: paths relative to the table.

    ``keep`` are versions whose data files stay. deltalake also cleans the log of expired commits:
    see :mod:`lineage.reproduce.keeplog`. Raises ``UnsupportedError`` for
    a table that deltalake may not write to.
    """
    from deltalake.exceptions import DeltaError

    options: dict[str, Any] = {"keep_versions": sorted(set(keep))} if keep else {}
    handle = opened_version(table)
    try:
        found = handle.vacuum(
            retention_hours=retention_hours,
            dry_run=not apply,
            enforce_retention_duration=retention_hours is None,
            full=full,
            **options,
        )
    except (DeltaError, OSError, ValueError) as fault:
        raise UnsupportedError(
            f"deltalake cannot vacuum {table}: {fault}",
            hint="the table may use a feature that only its own engine may write",
        ) from fault
    return sorted({_relative(table, path) for path in found})


def _relative(table: Path, path: str) -> str:
    return os.path.relpath(path, table) if path.startswith(os.sep) else path


def is_below_retention(table: Path, hours: int) -> bool:
    """Whether a retention is shorter than the table's own: what a job reads now may go."""
    from deltalake.exceptions import DeltaError

    try:
        opened_version(table).vacuum(retention_hours=hours, dry_run=True)
    except DeltaError:
        return True
    return False
