"""Checkpoints and tiles as rows."""

from __future__ import annotations

from collections.abc import Iterable

import apsw

from lineage.model.merkle import Tile
from lineage.model.tiles import tiles_of
from lineage.store.contract import StoredCheckpoint
from lineage.store.sqlite.connection import query, rows_of
from lineage.store.whole import whole_checkpoint

__all__ = [
    "checkpoint_of", "checkpoints_after", "fill_tiles", "keep_checkpoints", "keep_tiles",
    "last_checkpoint", "leaves", "tiles",
]  # fmt: skip

_SINCE = 2
"""The schema version that has these tables; an older file may be open for reading."""
_CHECKPOINTS = "SELECT size, sealed_at, note FROM checkpoint"


def checkpoint_of(connection: apsw.Connection, size: int) -> StoredCheckpoint | None:
    """The checkpoint of just that many entries."""
    rows = rows_of(connection, f"{_CHECKPOINTS} WHERE size = ?", (size,))
    return whole_checkpoint(*rows[0]) if rows else None


def keep_checkpoints(connection: apsw.Connection, some: Iterable[StoredCheckpoint]) -> None:
    """Write checkpoints; one of a size that is sealed stays."""
    connection.executemany(
        "INSERT OR IGNORE INTO checkpoint VALUES(?,?,?)",
        [(one.size, one.sealed_at, one.note) for one in some],
    )


def checkpoints_after(
    connection: apsw.Connection, after: int, limit: int
) -> list[StoredCheckpoint]:
    """Up to ``limit`` checkpoints of more than ``after`` entries, by size."""
    sql = f"{_CHECKPOINTS} WHERE size > ? ORDER BY size LIMIT ?"
    if _is_older(connection):
        return []
    return [whole_checkpoint(*row) for row in query(connection, sql, (after, limit))]


def last_checkpoint(connection: apsw.Connection) -> StoredCheckpoint | None:
    """The checkpoint of the most entries."""
    if _is_older(connection):
        return None
    rows = rows_of(connection, f"{_CHECKPOINTS} ORDER BY size DESC LIMIT 1")
    return whole_checkpoint(*rows[0]) if rows else None


def _is_older(connection: apsw.Connection) -> bool:
    version: int = rows_of(connection, "PRAGMA user_version")[0][0]
    return version < _SINCE


def leaves(connection: apsw.Connection, start: int, end: int) -> list[bytes]:
    """Hashes of the leaves ``[start, end)``."""
    sql = "SELECT leaf FROM entry WHERE seq > ? AND seq <= ? ORDER BY seq"
    return [leaf for (leaf,) in query(connection, sql, (start, end))]


def tiles(connection: apsw.Connection, level: int, start: int, end: int) -> dict[int, bytes]:
    """Kept roots of the tiles ``[start, end)`` of a level."""
    sql = "SELECT number, root FROM tile WHERE level = ? AND number >= ? AND number < ?"
    return {} if _is_older(connection) else dict(query(connection, sql, (level, start, end)))


def keep_tiles(connection: apsw.Connection, complete: Iterable[Tile]) -> None:
    """Write tiles."""
    connection.executemany("INSERT OR REPLACE INTO tile VALUES(?,?,?)", complete)


def fill_tiles(connection: apsw.Connection) -> None:
    """Compute every tile from the leaves: of a file that was written before tiles were kept."""
    found = query(connection, "SELECT leaf FROM entry ORDER BY seq")
    keep_tiles(connection, list(tiles_of(leaf for (leaf,) in found)))
