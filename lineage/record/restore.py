"""Restoring: a ledger read from an archive or a backup into a store, proved before it is appended.

(1) The leaves up to the end, and on to the next known root, come to every root that is known of
them, checkpoints' among them. They are pushed on the frontier of the store to restore into, so that
this also proves that what it holds already is the beginning of the same ledger: this is how a
restore that was interrupted goes on. (2) Every stub is that of a redaction. (3) Entries are
appended with their times, salts and commitments, each with its own leaf and commitment checked,
after the blobs that they name; checkpoints are kept at their sizes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from lineage.errors import RestoreOccupiedError, UnknownNameError
from lineage.model.keys import PublicKey
from lineage.record.ledger import blobs_of, faults_of
from lineage.record.proving import (
    does_not_hold,
    entry_does_not_hold,
    erased_later,
    marks_of,
    must_reach,
    prove,
    reach_of,
)
from lineage.record.rebuild import again
from lineage.record.sources import Mark, Source
from lineage.store.blobs import BlobStore
from lineage.store.contract import Store, StoredCheckpoint, StoredEntry

__all__ = ["Restored", "restore"]

_ENTRIES, _BYTES = 1000, 16 << 20


@dataclass(slots=True)
class Restored:
    """What was done: the store holds the first ``size`` entries now, with the root ``root``.

    ``sealed`` of them are covered by a checkpoint of the source. ``erased_later`` are stubs whose
    redaction comes after ``size``: `lineage ledger verify` of the store cannot know them.
    """

    size: int = 0
    root: str = ""
    entries: int = 0
    blobs: int = 0
    checkpoints: int = 0
    sealed: int = 0
    erased_later: list[int] = field(default_factory=list)
    missing_blobs: list[str] = field(default_factory=list)


def restore(
    source: Source,
    target: Store,
    blobs: BlobStore,
    *,
    until: int | None = None,
    keys: Sequence[PublicKey] = (),
    expect: Mapping[int, bytes] | None = None,
    keep: Callable[[bytes], None] | None = None,
    progress: Callable[[int], None] | None = None,
) -> Restored:
    """Restore the first ``until`` entries (default: all) into an empty store, or go on with it.

    ``keys``: the last checkpoint must be signed by one of them. ``expect``: roots kept elsewhere,
    by size. ``keep`` is given the newest checkpoint of the source before anything is appended, also
    where it comes after ``until``: a store that ends before it must not go on by itself.

    Raises ``ArchiveDamagedError`` for what does not hold, before anything of it is appended;
    ``RestoreOccupiedError`` where the store holds something else; ``BadSignatureError``,
    ``UnknownNameError`` where the source ends before ``until``.
    """
    end = source.head().seq if until is None else until
    must_reach(source, target, end)
    roots = expect or {}
    marks = marks_of(source, keys, roots)
    prove(source, target, reach_of(end, marks, signed=bool(keys), expect=roots), marks)
    result = Restored(size=end)
    sealed = [mark.checkpoint for mark in marks if mark.checkpoint]
    result.sealed = min(end, sealed[-1].size) if sealed else 0
    result.erased_later = erased_later(source, end)
    if sealed and keep is not None:
        keep(sealed[-1].note)
    _Run(source, target, blobs, marks, result).append(end, progress)
    root = target.head().frontier.root()
    result.root = root.hex()
    return result


class _Run:
    """Step 3."""

    def __init__(
        self,
        source: Source,
        target: Store,
        blobs: BlobStore,
        marks: Sequence[Mark],
        result: Restored,
    ) -> None:
        self._source = source
        self._target = target
        self._blobs = blobs
        self._marks = {mark.size: mark for mark in marks}
        last = target.last_checkpoint()
        after = last.size if last else 0
        self._sealed = deque(
            mark.checkpoint for mark in marks if mark.checkpoint and mark.size > after
        )
        self._result = result

    def append(self, end: int, progress: Callable[[int], None] | None) -> None:
        """Append what the store lacks, in order, up to ``end``."""
        head = self._target.head()
        frontier, at = head.frontier, head.recorded_at
        self._adopt(head.seq)
        for batch in self._batches(head.seq, end):
            for entry in batch:
                self._check(entry, frontier.size + 1, at)
                frontier.push(entry.leaf)
                at = entry.recorded_at
                mark = self._marks.get(entry.seq)
                if mark is not None and frontier.root() != mark.root:
                    raise does_not_hold(entry.seq, "the root is not what it was a moment ago")
            self._bring_blobs(batch)
            self._append(batch)
            self._adopt(batch[-1].seq)
            if progress is not None:
                progress(batch[-1].seq)
        if (missing := frontier.size) != end:
            raise entry_does_not_hold(self._source, missing + 1, "it is missing")

    def _batches(self, after: int, end: int) -> Iterator[list[StoredEntry]]:
        batch: list[StoredEntry] = []
        held = 0
        for entry in self._source.entries(after, end - after):
            batch.append(entry)
            held += len(entry.body)
            if len(batch) >= _ENTRIES or held >= _BYTES:
                yield batch
                batch, held = [], 0
        if batch:
            yield batch

    def _check(self, entry: StoredEntry, seq: int, at: int) -> None:
        if entry.seq != seq:
            raise entry_does_not_hold(self._source, seq, "it is missing")
        for what in faults_of(entry, at):
            raise entry_does_not_hold(self._source, seq, what)

    def _bring_blobs(self, batch: Sequence[StoredEntry]) -> None:
        """Those that come with these entries, and those they name that came before and are gone."""
        named = dict.fromkeys(name for entry in batch for name in blobs_of(entry))
        come = self._source.digests(batch[0].seq, batch[-1].seq)
        for _, data in self._source.contents([d for d in come if not self._blobs.has(d)]):
            self._blobs.put(data)
            self._result.blobs += 1
        for digest in named:
            if self._blobs.has(digest):
                continue
            try:
                self._blobs.put(self._source.get(digest))
                self._result.blobs += 1
            except UnknownNameError:
                self._result.missing_blobs.append(digest)

    def _append(self, batch: Sequence[StoredEntry]) -> None:
        receipts = self._target.append([again(entry) for entry in batch])
        for entry, receipt in zip(batch, receipts, strict=True):
            if receipt.seq != entry.seq:
                raise RestoreOccupiedError(
                    f"entry {entry.seq} came to be {receipt.seq}: somebody else appends to it",
                    hint="restore into an empty store that nothing else uses yet",
                )
            self._result.entries += receipt.new

    def _adopt(self, size: int) -> None:
        """Keep the checkpoints up to here."""
        some: list[StoredCheckpoint] = []
        while self._sealed and self._sealed[0].size <= size:
            some.append(self._sealed.popleft())
        if some:
            self._target.adopt(some)
            self._result.checkpoints += len(some)
