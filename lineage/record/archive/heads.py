"""Head rows: up to where an archive was read back, with roots and the checkpoints of the store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lineage.model.merkle import Frontier
from lineage.record.archive.place import Archive
from lineage.record.archive.rows import HeadRow, head_table, year_of
from lineage.record.archive.until import Goal, sealed_root, tampered
from lineage.store.contract import Store, StoredCheckpoint, StoredEntry

__all__ = ["heads_of_batch", "note_late_checkpoints"]


def heads_of_batch(
    store: Store, last: HeadRow | None, batch: Sequence[StoredEntry], goal: Goal
) -> Iterator[HeadRow]:
    """Rows of each checkpoint in a batch that follows ``last``, and of its end.

    Raises ``TamperedError`` where a root is not that of the checkpoint or the goal.
    """
    first_year = last.first_year if last else year_of(batch[0].recorded_at)
    frontier = _copy(last.frontier) if last else Frontier.empty()
    sealed = {c.size: c for c in _checkpoints(store, frontier.size, batch[-1].seq)}
    for entry in batch:
        frontier.push(entry.leaf)
        if entry.seq == goal.size and frontier.root() != goal.root:
            raise tampered(entry.seq, "the root up to here is not that of the store")
        checkpoint = sealed.get(entry.seq)
        if checkpoint or entry is batch[-1]:
            yield HeadRow(
                entry.seq, entry.recorded_at, first_year, year_of(entry.recorded_at),
                _copy(frontier), _true(checkpoint, frontier),
            )  # fmt: skip


def note_late_checkpoints(store: Store, place: Archive) -> int:
    """Add heads of checkpoints that were signed after their entries had been archived; how many.

    Any may be missing, not only the last: their entries were archived by themselves, or another
    archiver came between.
    """
    last, known = place.last(), place.sealed_sizes()
    if last is None:
        return 0
    late = [c for c in _checkpoints(store, 0, last.size) if c.size not in known]
    if not late:
        return 0
    heads, earlier = [], place.all_heads()
    for checkpoint in late:
        before = [head for head in earlier if head.size <= checkpoint.size]
        frontier = _copy(before[-1].frontier) if before else Frontier.empty()
        for leaf in store.leaves(frontier.size, checkpoint.size):
            frontier.push(leaf)
        (entry,) = store.entries(checkpoint.size - 1, 1)
        heads.append(HeadRow(
            checkpoint.size, entry.recorded_at, last.first_year, year_of(entry.recorded_at),
            frontier, _true(checkpoint, frontier),
        ))  # fmt: skip
    if not place.heads.append(head_table(heads), expected=last.size, written=last.size):
        return 0  # another archiver came between; the next run adds them
    place.heads.sync()
    return len(heads)


def _checkpoints(store: Store, after: int, until: int) -> Iterator[StoredCheckpoint]:
    for checkpoint in store.checkpoints(after):
        if checkpoint.size > until:
            return
        yield checkpoint


def _true(checkpoint: StoredCheckpoint | None, frontier: Frontier) -> StoredCheckpoint | None:
    if checkpoint and sealed_root(checkpoint.note, checkpoint.size) != frontier.root():
        raise tampered(checkpoint.size, "the root up to here is not that of its checkpoint")
    return checkpoint


def _copy(frontier: Frontier) -> Frontier:
    return Frontier(list(frontier.subtrees))
