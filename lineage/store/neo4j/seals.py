"""Checkpoints and tiles as nodes, and sealing under the lock on the head."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import neo4j

from lineage.model.merkle import Frontier, Tile
from lineage.model.tiles import tiles_of
from lineage.store.contract import Guard, Head, StoredCheckpoint
from lineage.store.neo4j.reading import Reading
from lineage.store.sizes import require_sizes
from lineage.store.whole import whole_checkpoint

__all__ = [
    "KEEP_TILES", "adopt", "checkpoints_after", "fill_tiles", "keep_tiles", "last_checkpoint",
    "leaves", "seal", "tiles",
]  # fmt: skip

_LOCK = """MATCH (h:Head {id: 'main'}) SET h.lock = true
RETURN h.seq, h.recorded_at, h.frontier"""
_CHECKPOINT = "RETURN c.size, c.sealed_at, c.note"
_OF_SIZE = f"MATCH (c:Checkpoint {{size: $size}}) {_CHECKPOINT}"
_AFTER = f"MATCH (c:Checkpoint) WHERE c.size > $after {_CHECKPOINT} ORDER BY c.size LIMIT $limit"
_LAST = f"MATCH (c:Checkpoint) WHERE c.size >= 0 {_CHECKPOINT} ORDER BY c.size DESC LIMIT 1"
_KEEP = """UNWIND $rows AS c MERGE (kept:Checkpoint {size: c[0]})
ON CREATE SET kept.sealed_at = c[1], kept.note = c[2]"""
_LEAVES = """MATCH (e:Entry) WHERE e.seq > $start AND e.seq <= $end
RETURN e.leaf ORDER BY e.seq"""
_TILES = """MATCH (t:Tile) WHERE t.level = $level AND t.number >= $start AND t.number < $end
RETURN t.number, t.root"""
KEEP_TILES = """UNWIND $rows AS t MERGE (tile:Tile {level: t[0], number: t[1]})
SET tile.root = t[2]"""
_FILLED = 10_000
"""Leaves that are read, and tiles that are written, at a time."""


def seal(
    tx: neo4j.Transaction, check: Guard, sign: Callable[[Head], bytes], clock: Callable[[], int]
) -> tuple[StoredCheckpoint, bool]:
    """The checkpoint of the head, and whether it is new: then the caller commits."""
    seq, at, frontier = _one(tx.run(_LOCK))
    head = Head(seq, at, Frontier.of_bytes(bytes(frontier or b"")))
    check(head)
    for record in tx.run(_OF_SIZE, size=seq):
        return _checkpoint(record.values()), False
    sealed = StoredCheckpoint(seq, max(clock(), at), sign(head))
    _keep(tx, [sealed])
    return sealed, True


def adopt(tx: neo4j.Transaction, checkpoints: Sequence[StoredCheckpoint]) -> None:
    """Keep checkpoints from elsewhere; one of a size that is sealed stays."""
    seq, _, _ = _one(tx.run(_LOCK))
    require_sizes(checkpoints, seq)
    _keep(tx, checkpoints)


def _keep(tx: neo4j.Transaction, some: Iterable[StoredCheckpoint]) -> None:
    tx.run(_KEEP, rows=[[one.size, one.sealed_at, one.note] for one in some]).consume()


def checkpoints_after(reading: Reading, after: int, limit: int) -> list[StoredCheckpoint]:
    """Up to ``limit`` checkpoints of more than ``after`` entries, by size."""
    return [_checkpoint(row) for row in reading.rows(_AFTER, after=after, limit=limit)]


def last_checkpoint(reading: Reading) -> StoredCheckpoint | None:
    """The checkpoint of the most entries."""
    rows = reading.rows(_LAST)
    return _checkpoint(rows[0]) if rows else None


def leaves(reading: Reading, start: int, end: int) -> list[bytes]:
    """Hashes of the leaves ``[start, end)``."""
    return [bytes(leaf) for (leaf,) in reading.rows(_LEAVES, start=start, end=end)]


def tiles(reading: Reading, level: int, start: int, end: int) -> dict[int, bytes]:
    """Kept roots of the tiles ``[start, end)`` of a level."""
    rows = reading.rows(_TILES, level=level, start=start, end=end)
    return {number: bytes(root) for number, root in rows}


def keep_tiles(tx: neo4j.Transaction | neo4j.ManagedTransaction, complete: Iterable[Tile]) -> None:
    """Write tiles."""
    rows = [list(tile) for tile in complete]
    if rows:
        tx.run(KEEP_TILES, rows=rows).consume()


def fill_tiles(session: neo4j.Session) -> None:
    """Compute every tile from the leaves: of a store that was written before tiles were kept."""
    ((seq,),) = session.run("MATCH (h:Head {id: 'main'}) RETURN h.seq").values()
    read = Reading(session)

    def every() -> Iterable[bytes]:
        for start in range(0, seq, _FILLED):
            yield from leaves(read, start, min(start + _FILLED, seq))

    found = list(tiles_of(every()))
    for start in range(0, len(found), _FILLED):
        session.execute_write(keep_tiles, found[start : start + _FILLED])


def _one(result: neo4j.Result) -> list[Any]:
    return result.single(strict=True).values()


def _checkpoint(row: Sequence[Any]) -> StoredCheckpoint:
    size, sealed_at, note = row
    return whole_checkpoint(size, sealed_at, bytes(note) if isinstance(note, bytearray) else note)
