"""Rebuilding: the ledger read once more by today's interpreter, into another store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice, takewhile

from lineage.errors import InputError, StoreBusyError, StoreError, TamperedError
from lineage.record.interpret import interpret
from lineage.store.contract import NewEntry, Store, StoredEntry
from lineage.store.redaction import claims_of_stub

__all__ = ["Comparison", "again", "compare", "rebuild"]

_BATCH = 500
_COMPARED = 5
"""How often graphs are compared until no redaction came in between."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A live graph and what its ledger says, at one position; the digests of both."""

    position: int
    equal: bool
    live: str
    rebuilt: str


def compare(
    live: Store, built: Store, *, progress: Callable[[int], None] | None = None
) -> Comparison:
    """Rebuild ``live`` into an empty store, and compare the graphs. Others may append meanwhile.

    Raises as :func:`rebuild`, and ``StoreBusyError``.
    """
    # Recorded times are part of the digest where both are of one kind.
    alike = type(live) is type(built)
    rebuild(live, built, progress=progress)
    for _ in range(_COMPARED):
        head, digest = live.digest_at_head(recorded=alike)
        rebuild(live, built, until=head.seq)
        again = built.digest(recorded=alike)
        equal = digest == again and built.head() == head
        # An entry that was redacted behind this head was a stub when it was copied.
        if equal or not any(entry.kind == "entry.redacted" for entry in live.entries(head.seq)):
            return Comparison(head.seq, equal, digest, again)
    raise StoreBusyError(
        "something was redacted each time that the graph was compared", hint="try again"
    )


def rebuild(
    source: Store,
    target: Store,
    *,
    until: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> int:
    """Copy entries that ``target`` lacks, all or ``until`` a seq, as they are.

    Times, salts and commitments are kept, and checkpoints of what was copied come along.

    Returns the last seq. Raises ``StoreError`` when ``target`` holds something else than a prefix
    of ``source``, ``TamperedError`` for a body that cannot be interpreted.
    """
    done = target.head().seq
    entries = source.entries(done, None if until is None else max(until - done, 0))
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
