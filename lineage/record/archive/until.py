"""How far to archive, and whether the archive is of this ledger."""

from __future__ import annotations

from dataclasses import dataclass

from lineage.errors import ArchiveForeignError, NothingSealedError, TamperedError
from lineage.model.checkpoint import Checkpoint
from lineage.model.merkle import Frontier
from lineage.model.notes import text_of
from lineage.record.archive.rows import HeadRow
from lineage.store.contract import Store

__all__ = ["Goal", "goal_of", "must_continue", "sealed_root", "tampered"]

_LEAVES = 8192


@dataclass(frozen=True, slots=True)
class Goal:
    """The first ``size`` entries, whose tree has the root ``root``."""

    size: int
    root: bytes


def goal_of(store: Store, *, unsealed: bool) -> Goal:
    """The last checkpoint, or the head. Raises ``NothingSealedError``."""
    if unsealed:
        head = store.head()
        return Goal(head.seq, head.frontier.root())
    sealed = store.last_checkpoint()
    if sealed is None:
        raise NothingSealedError(
            "this store has no checkpoint, and only what is sealed is archived",
            hint="`lineage ledger checkpoint` seals it; or archive with --unsealed",
        )
    return Goal(sealed.size, sealed_root(sealed.note, sealed.size))


def sealed_root(note: bytes, size: int) -> bytes:
    """The root that a checkpoint says, unsigned as far as this goes.

    Raises ``BadNoteError``, ``TamperedError`` for one of another size.
    """
    checkpoint = Checkpoint.of_text(text_of(note))
    if checkpoint.size != size:
        raise TamperedError(
            f"the checkpoint of {size:,} entries says that it is of {checkpoint.size:,}",
            hint="it was altered; compare it with a published copy", position=size,
        )  # fmt: skip
    return checkpoint.root


def must_continue(store: Store, last: HeadRow | None) -> None:
    """The ledger must go on where the archive ends.

    The archive's frontier and the store's further leaves come to the store's root only if the first
    leaves are the same.

    Raises ``ArchiveForeignError``, ``TamperedError``.
    """
    head = store.head()
    if last is not None and last.size > head.seq:
        raise ArchiveForeignError(
            f"the archive holds {last.size:,} entries, this store {head.seq:,}",
            hint="it is the archive of another ledger, or this store was restored from an older "
            "copy: `lineage restore --from ARCHIVE` brings back the rest",
        )
    frontier = Frontier(list(last.frontier.subtrees)) if last else Frontier.empty()
    for start in range(frontier.size, head.seq, _LEAVES):
        for leaf in store.leaves(start, min(start + _LEAVES, head.seq)):
            frontier.push(leaf)
    if frontier.root() == head.frontier.root():
        return
    if last is None:
        raise TamperedError(
            "the root over the leaves is not that of the head",
            hint="`lineage ledger verify` says more; what does not hold is not archived",
            position=0,
        )
    raise ArchiveForeignError(
        f"the first {last.size:,} entries of this store are not those of the archive",
        hint="it is the archive of another ledger, or this one was rewritten since: keep both, and "
        "see `lineage ledger verify`",
    )


def tampered(position: int, what: str) -> TamperedError:
    """The store does not hold at a position."""
    return TamperedError(
        f"entry {position} does not hold: {what}",
        hint="`lineage ledger verify` says more; what does not hold is not archived",
        position=position,
    )
