"""Rebuilding: the ledger read once more by today's interpreter, into another store."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

from lineage.errors import StoreError
from lineage.record.interpret import interpret
from lineage.store.contract import NewEntry, Store, StoredEntry

__all__ = ["rebuild"]

_BATCH = 500


def rebuild(source: Store, target: Store, *, progress: Callable[[int], None] | None = None) -> int:
    """Copy every entry of ``source`` that ``target`` lacks, with times, salts and commitments.

    Returns the last seq. Raises ``StoreError`` when ``target`` holds something else than a prefix
    of ``source``.
    """
    done = target.head().seq
    entries = source.entries(after=done)
    while batch := list(islice(entries, _BATCH)):
        receipts = target.append([_again(entry) for entry in batch])
        for entry, receipt in zip(batch, receipts, strict=True):
            if receipt.seq != entry.seq:
                raise StoreError(
                    f"entry {entry.seq} came to be {receipt.seq} in the rebuilt store",
                    hint="rebuild into an empty store",
                )
        done = batch[-1].seq
        if progress is not None:
            progress(done)
    return done


def _again(entry: StoredEntry) -> NewEntry:
    return NewEntry(
        entry.kind,
        entry.v,
        entry.source,
        entry.event_id,
        entry.actor,
        entry.body,
        interpret(entry.kind, entry.v, entry.body),
        entry.recorded_at,
        entry.salt,
        entry.commitment,
    )
