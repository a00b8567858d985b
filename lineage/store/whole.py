"""What rows have to be like: somebody else may have written to the file, or the disk may have."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from types import UnionType

from lineage.errors import TamperedError
from lineage.store.contract import StoredCheckpoint, StoredEntry

__all__ = ["whole_checkpoint", "whole_entry"]

_HINT = "keep the store as it is; `lineage ledger verify` tells what else does not hold"
_DIGEST = 32


def whole_entry(seq: object, decode: Callable[[], StoredEntry]) -> StoredEntry:
    """An entry from its row. Raises ``TamperedError`` naming the place of one that is none."""
    try:
        entry = decode()
    except (zlib.error, ValueError, TypeError, AttributeError) as fault:
        raise TamperedError(
            f"entry {seq} cannot be read: {fault}", hint=_HINT, position=seq
        ) from fault
    if not _is_whole(entry):
        raise TamperedError(
            f"entry {seq} cannot be read: a value of another type", hint=_HINT, position=seq
        )
    return entry


def _is_whole(entry: StoredEntry) -> bool:
    wanted: list[tuple[object, type | UnionType]] = [
        (entry.recorded_at, int), (entry.v, int), (entry.salt, bytes | None), (entry.body, bytes),
        (entry.commitment, bytes), (entry.leaf, bytes),
    ]  # fmt: skip
    digests = (entry.commitment, entry.leaf)
    return all(isinstance(*each) for each in wanted) and {len(d) for d in digests} == {_DIGEST}


def whole_checkpoint(size: int, sealed_at: int, note: object) -> StoredCheckpoint:
    """A checkpoint from its row. Raises ``TamperedError`` where the note is no bytes."""
    if not isinstance(note, bytes):
        raise TamperedError(
            f"the checkpoint of {size} entries is no note", hint=_HINT, position=size
        )
    return StoredCheckpoint(size, sealed_at, note)
