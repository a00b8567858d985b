"""Taking back: what a redaction erased from the store is erased from the archive, bytes and all.

A row is replaced by its stub in one commit, which carries the appenders' transaction: whoever began
before it cannot commit any more, and whoever begins after it reads the store after the redaction.
So a file that the table does not read and that still has the erased row is nobody's, and goes at
once, whether it was replaced just now or left by a writer that was killed. Repeating it changes
nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from lineage.errors import ArchiveDamagedError
from lineage.record.archive.leftovers import sweep
from lineage.record.archive.place import Archive
from lineage.record.archive.rows import ENTRIES, entries_of, entry_table, select, year_of
from lineage.record.archive.table import ArchiveTable
from lineage.store.contract import StoredEntry

__all__ = ["Erased", "redact_in_archive"]

_TOGETHER = 200


@dataclass(frozen=True, slots=True)
class Erased:
    """What was replaced: rows of entries, rows of blobs' parts; and files that were deleted."""

    entries: int = 0
    blob_parts: int = 0
    files: int = 0


def redact_in_archive(
    archive: Archive, entries: Sequence[StoredEntry], blobs: Iterable[str] = ()
) -> Erased:
    """Make the archive's rows of ``entries`` what they are in the store now, stubs without salt.

    ``blobs`` are digests that nothing names any more. Entries that are not in the archive are left
    out. The redactions have to be in the archive, or a restore will not believe the stubs:
    :func:`lineage.record.archive.rewriting.rewrite_archives` sees to it.

    Raises ``ArchiveBusyError``, ``ArchiveDamagedError`` if something of it is left.
    """
    replaced = removed = parts = 0
    by_year: dict[int, list[StoredEntry]] = {}
    for entry in entries:
        by_year.setdefault(year_of(entry.recorded_at), []).append(entry)
    for year, some in sorted(by_year.items()):
        table = archive.entries(year)
        for start in range(0, len(some), _TOGETHER):
            replaced += _replace(table, some[start : start + _TOGETHER])
        erased = {entry.seq for entry in some if entry.salt is None}
        removed += sweep(table, ("seq", "salt"), partial(_is_whole, erased))
    digests = set(blobs)
    if digests:
        parts = _delete_blobs(archive.blobs, digests)
        removed += sweep(archive.blobs, ("sha256",), lambda row: row["sha256"] in digests)
    return Erased(replaced, parts, removed)


def _is_whole(erased: set[int], row: dict[str, Any]) -> bool:
    return row["seq"] in erased and row["salt"] is not None


def _replace(table: ArchiveTable, entries: Sequence[StoredEntry]) -> int:
    differing = _differing(table, entries)
    if differing:
        table.rewrite(entry_table(differing))
        if left := _differing(table, differing):
            raise ArchiveDamagedError(
                f"entry {left[0].seq} was not replaced in {table.name}",
                hint="repeat the command", position=left[0].seq, table=table.name,
            )  # fmt: skip
    return len(differing)


def _differing(table: ArchiveTable, entries: Sequence[StoredEntry]) -> list[StoredEntry]:
    if table.open() is None:
        return []
    wanted = ", ".join(str(entry.seq) for entry in entries)
    found = table.query(f"SELECT {select(ENTRIES)} FROM t WHERE seq IN ({wanted})")
    there = {entry.seq: entry for entry in entries_of(found)}
    return [entry for entry in entries if there.get(entry.seq, entry) != entry]


def _delete_blobs(table: ArchiveTable, digests: set[str]) -> int:
    if table.open() is None:
        return 0
    among = "sha256 IN ({})".format(", ".join(f"'{digest}'" for digest in sorted(digests)))
    counting = f"SELECT count(*) AS n FROM t WHERE {among}"
    (count,) = table.query(counting)["n"]
    if count:
        table.delete(among)
        if table.query(counting)["n"] != [0]:
            raise ArchiveDamagedError(
                "blobs were not deleted", hint="repeat the command", table=table.name
            )
    return int(count)
