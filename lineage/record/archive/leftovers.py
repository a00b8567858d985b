"""Files in a table's folder that the table does not read: replaced, or left by killed writers."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from lineage.record.archive.faults import reading, writing
from lineage.record.archive.loose import read_loose
from lineage.record.archive.table import ArchiveTable

__all__ = ["sweep"]


def sweep(
    table: ArchiveTable, columns: Sequence[str], is_erased: Callable[[dict[str, Any]], bool]
) -> int:
    """Delete unreferenced files with an erased row, and those that nobody could read; how many.

    Of others none: one may be a writer's that has not committed yet. ``is_erased`` is given rows of
    these columns. Raises ``ArchiveUnavailableError``.
    """
    removed = _remove_unfinished(table)
    for path in _unreferenced(table):
        rows = _contents(table, path, columns)
        if rows is None or any(map(is_erased, rows)):
            _remove(table, path)
            removed += 1
    return removed


def _remove_unfinished(table: ArchiveTable) -> int:
    """Local files are renamed when they are whole. A writer that still lives fails, and repeats."""
    if table.local is None or not table.local.is_dir():
        return 0
    found = [path for path in table.local.iterdir() if "#" in path.name]
    for path in found:
        path.unlink(missing_ok=True)
    return len(found)


def _unreferenced(table: ArchiveTable) -> list[str]:
    handle = table.open()
    if handle is None:
        return []
    with reading(table.name):
        # A dry run: it lists what it would delete.
        listed = handle.vacuum(0, enforce_retention_duration=False, full=True)
        return [unquote(path) for path in listed]


def _contents(
    table: ArchiveTable, path: str, columns: Sequence[str]
) -> list[dict[str, Any]] | None:
    """Rows of one file; None where it is no whole file of this table."""
    with tempfile.TemporaryDirectory(prefix="lineage-archive-") as scratch:
        place = Path(scratch, "rows.parquet")
        with reading(table.name):
            try:
                _fetch(table, path, place)
            except FileNotFoundError:
                return []
        if not place.exists():
            return []  # gone meanwhile
        return read_loose(Path(scratch), {name: table.columns[name] for name in columns})


def _fetch(table: ArchiveTable, path: str, into: Path) -> None:
    if table.local is not None:
        into.symlink_to(table.local.absolute() / path)
        return
    from deltalake._internal import DeltaFileSystemHandler

    file = DeltaFileSystemHandler(table.uri).open_input_file(path)
    into.write_bytes(file.read(file.size()))


def _remove(table: ArchiveTable, path: str) -> None:
    from deltalake._internal import DeltaFileSystemHandler

    with writing(table.name):
        try:
            DeltaFileSystemHandler(table.uri).delete_file(path)
        except FileNotFoundError:
            return
