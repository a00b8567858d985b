"""An archive: a directory or an address with a table a year, one of blobs and one of heads."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from lineage.errors import ArchiveDamagedError, ConfigError
from lineage.record.archive.rows import BLOBS, ENTRIES, HEADS, HeadRow, heads_of, select
from lineage.record.archive.table import ArchiveTable

__all__ = ["Archive", "Stretch"]

_ADDRESS = re.compile(r"(s3|s3a|gs|az|abfss?)://[^/]+(/|\Z)")


@dataclass(frozen=True, slots=True)
class Stretch:
    """Entries ``first`` to ``last`` of one table."""

    table: ArchiveTable
    first: int
    last: int


class Archive:
    """Where an archive is. ``target`` is a path, or an address that deltalake understands.

    Credentials of an address are taken from the environment, by deltalake (``AWS_*``). Raises
    ``ConfigError`` for an address of another kind, or one with a secret in it.
    """

    def __init__(self, target: str) -> None:
        self.uri = _normal(target)
        self.blobs = self._table("blobs", BLOBS)
        self.heads = self._table("heads", HEADS)
        self._years: dict[int, ArchiveTable] = {}

    def entries(self, year: int) -> ArchiveTable:
        """The table of a year's entries."""
        if year not in self._years:
            self._years[year] = self._table(f"entries_{year}", ENTRIES)
        return self._years[year]

    def last(self) -> HeadRow | None:
        """The last head: up to there the archive was read back. None: nothing was.

        Raises ``ArchiveDamagedError`` where it does not have the root that it says.
        """
        rows = self._heads("ORDER BY size DESC LIMIT 1")
        return rows[0] if rows else None

    def sealed_sizes(self) -> set[int]:
        """Sizes of the checkpoints that are in the archive."""
        if self.heads.open() is None:
            return set()
        found = self.heads.query("SELECT DISTINCT size FROM t WHERE checkpoint IS NOT NULL")
        return set(found["size"])

    def all_heads(self) -> list[HeadRow]:
        """Every head, by size."""
        return self._heads("ORDER BY size")

    def _heads(self, clauses: str) -> list[HeadRow]:
        if self.heads.open() is None:
            return []
        found = self.heads.query(f"SELECT {select(HEADS)} FROM t {clauses}")
        try:
            return heads_of(found)
        except (TypeError, ValueError, KeyError) as fault:
            raise ArchiveDamagedError(
                f"heads: {fault}", hint="bring the table back from a copy", table="heads"
            ) from fault

    def tables(self, last: HeadRow) -> Iterator[ArchiveTable]:
        """The tables of entries, in order."""
        for year in range(last.first_year, last.last_year + 1):
            table = self.entries(year)
            if table.open() is not None:
                yield table

    def compact(self) -> tuple[int, int]:
        """Merge small files of every table; how many there were and are."""
        last = self.last()
        tables = [*self.tables(last), self.blobs, self.heads] if last else []
        counts = [table.compact() for table in tables]
        return sum(before for before, _ in counts), sum(after for _, after in counts)

    def _table(self, name: str, columns: dict[str, str]) -> ArchiveTable:
        return ArchiveTable(f"{self.uri}/{name}", columns)


def _normal(target: str) -> str:
    if "://" not in target:
        return str(Path(target).absolute())
    parts = urlsplit(target)
    if parts.scheme == "file" and parts.netloc in ("", "localhost"):
        return str(Path(unquote(parts.path)).absolute())
    if parts.username or parts.password or parts.query:
        raise ConfigError(
            "the archive's address has a secret in it",
            hint="give credentials by the environment: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY",
        )
    if not _ADDRESS.match(target):
        raise ConfigError(
            f"not a place for an archive: {parts.scheme}://{parts.hostname or ''}",
            hint="name a directory, or s3://bucket/path",
        )
    return target.rstrip("/")
