"""Rebuilding: the ledger read once more by today's interpreter, into another store."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice, takewhile

from lineage.errors import InputError, StoreError, TamperedError
from lineage.record.interpret import interpret
from lineage.store.contract import NewEntry, Store, StoredEntry
from lineage.store.redaction import claims_of_stub

__all__ = ["again", "rebuild"]

_BATCH = 500


def rebuild(source: Store, target: Store, *, progress: Callable[[int], None] | None = None) -> int:
    """Copy every entry of ``source`` that ``target`` lacks, with times, salts and commitments.

    Checkpoints of what was copied come along.

    Returns the last seq. Raises ``StoreError`` when ``target`` holds something else than a prefix
    of ``source``, ``TamperedError`` for a body that cannot be interpreted.
    """
    done = target.head().seq
    entries = source.entries(after=done)
    while batch := list(islice(entries, _BATCH)):
        receipts = target.append([again(entry) for entry in batch])
        for entry, receipt in zip(batch, receipts, strict=True):
            if receipt.seq != entry.seq:
                raise StoreError(
                    f"entry {entry.seq} came to be {receipt.seq} in the rebuilt store",
                    hint="rebuild into an empty store",
                )
        done = batch[-1].seq
        if progress is not None:
            progress(done)
    checkpoints = takewhile(lambda sealed: sealed.size <= done, source.checkpoints())
    while some := list(islice(checkpoints, _BATCH)):
        target.adopt(some)
    return done


def again(entry: StoredEntry) -> NewEntry:
    """An entry to append as it was, as today's interpreter reads it. Raises ``TamperedError``."""
    try:
        if entry.salt is None:
            claims = claims_of_stub(interpret, entry.kind, entry.v, entry.body)
        else:
            claims = interpret(entry.kind, entry.v, entry.body)
    except InputError as fault:
        # What was taken in could be interpreted then: such a body was changed since.
        raise TamperedError(
            f"entry {entry.seq} cannot be interpreted: {fault}",
            hint="`lineage ledger verify` says whether its body is what was committed to",
            position=entry.seq,
        ) from fault
    return NewEntry(
        entry.kind,
        entry.v,
        entry.source,
        entry.event_id,
        entry.actor,
        entry.body,
        claims,
        entry.recorded_at,
        entry.salt,
        entry.commitment,
    )
