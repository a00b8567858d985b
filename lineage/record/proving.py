"""Proving what is to be restored, before any of it is: its leaves, its roots, its stubs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from lineage.errors import ArchiveDamagedError, RestoreOccupiedError, UnknownNameError
from lineage.model.checkpoint import Checkpoint
from lineage.model.claims import EntryRef
from lineage.model.keys import PublicKey
from lineage.model.merkle import Frontier
from lineage.model.notes import open_note, text_of
from lineage.record.ledger import faults_of, stubs_of
from lineage.record.sources import Mark, Source
from lineage.store.contract import Store

__all__ = [
    "does_not_hold",
    "entry_does_not_hold",
    "erased_later",
    "marks_of",
    "must_reach",
    "prove",
    "reach_of",
]

_LEAVES = 8192


def must_reach(source: Source, target: Store, end: int) -> None:
    """There have to be ``end`` entries. Raises ``UnknownNameError``, ``RestoreOccupiedError``."""
    last, there = source.head().seq, target.head().seq
    if end > last:
        raise UnknownNameError(
            f"no entry {end:,}: this ends at {last:,}", hint="restore up to there, or leave it out"
        )
    if there > end:
        raise RestoreOccupiedError(
            f"the store holds {there:,} entries already, more than {end:,}",
            hint="name an empty store by LINEAGE_STORE: a restore never takes anything away",
        )


def marks_of(source: Source, keys: Sequence[PublicKey], expect: Mapping[int, bytes]) -> list[Mark]:
    """Known roots, each as its checkpoint says it, with those kept elsewhere.

    Raises ``ArchiveDamagedError``, and ``BadSignatureError`` for a last checkpoint that none of the
    keys signed.
    """
    marks = {mark.size: mark for mark in source.marks()}
    for mark in marks.values():
        if mark.checkpoint is not None:
            told = Checkpoint.of_text(text_of(mark.checkpoint.note))
            if (told.size, told.root) != (mark.size, mark.root):
                raise does_not_hold(mark.size, "its checkpoint says another size or root")
    if keys:
        signed = [mark.checkpoint for mark in marks.values() if mark.checkpoint is not None]
        if not signed:
            raise ArchiveDamagedError(
                "there is no checkpoint in it that a key could have signed",
                hint="leave out --key, and compare the root with one kept elsewhere (--expect)",
            )
        open_note(signed[-1].note, keys)
    last = source.head().seq
    for size, root in expect.items():
        if size > last:
            raise does_not_hold(size, f"it is expected, and this ends at {last:,}")
        if size in marks and marks[size].root != root:
            raise does_not_hold(size, "the root up to there is not the expected one")
        marks.setdefault(size, Mark(size, root))
    return [marks[size] for size in sorted(marks)]


def reach_of(end: int, marks: Sequence[Mark], *, signed: bool, expect: Iterable[int]) -> int:
    """How far leaves have to be read: to what is signed or expected, which vouches for the rest."""
    sealed = [mark.size for mark in marks if signed and mark.checkpoint is not None]
    return max(end, *sealed, *expect, 0)


def prove(source: Source, target: Store, end: int, marks: Sequence[Mark]) -> None:
    """The leaves up to ``end``, on what the store holds, have to come to every root known of them.

    Raises ``RestoreOccupiedError``, ``ArchiveDamagedError`` naming the position.
    """
    start = target.head().frontier
    bad = _first_bad(source, start, end, marks)
    if bad is None:
        return
    if start.size and _first_bad(source, Frontier.empty(), end, marks) is None:
        raise RestoreOccupiedError(
            f"the {start.size:,} entries in the store are not the first ones of this ledger",
            hint="name an empty store by LINEAGE_STORE",
        )
    before, mark = bad
    for entry in source.entries(before, mark.size - before):
        for what in faults_of(entry):
            raise entry_does_not_hold(source, entry.seq, what)
    raise ArchiveDamagedError(
        f"entries {before + 1} to {mark.size} do not have the root that is known of them",
        hint="bring the archive back from a copy; what comes before is sound (`--until`)",
        position=before + 1, **source.blame(before + 1),
    )  # fmt: skip


def _first_bad(
    source: Source, start: Frontier, end: int, marks: Sequence[Mark]
) -> tuple[int, Mark] | None:
    """The first mark whose root is not that of the leaves, and the size that was sound before."""
    frontier = Frontier(list(start.subtrees))
    sound = frontier.size
    for mark in marks:
        if mark.size < start.size:
            continue
        for leaf in _leaves(source, frontier.size, mark.size):
            frontier.push(leaf)
        if frontier.root() != mark.root:
            return sound, mark
        sound = mark.size
        if mark.size >= end:
            return None
    return None


def _leaves(source: Source, start: int, end: int) -> Iterator[bytes]:
    for first in range(start, end, _LEAVES):
        last = min(first + _LEAVES, end)
        leaves = source.leaves(first, last)
        if len(leaves) != last - first:
            raise entry_does_not_hold(source, first + len(leaves) + 1, "it is missing")
        yield from leaves


def erased_later(source: Source, end: int) -> list[int]:
    """Stubs up to ``end`` whose redaction comes later; each has to be the stub of one."""
    stubs, redactions = source.redacted()
    told: dict[EntryRef, tuple[str, str, bytes, int]] = {}
    for entry in redactions:
        for target, stub in stubs_of(entry).items():
            # Of several the last in the order of (event id, source) stands, as in the stores.
            one = (entry.event_id, entry.source, stub, entry.seq)
            told[target] = max(one, told.get(target, one))
    later = []
    for entry in stubs:
        if entry.seq > end:
            break
        found = told.get(EntryRef(entry.source, entry.event_id))
        if found is None or found[2] != entry.body:
            raise entry_does_not_hold(
                source, entry.seq, "the body is neither what was committed to nor a stub"
            )
        if end < found[3]:
            later.append(entry.seq)
    return later


def entry_does_not_hold(source: Source, seq: int, what: str) -> ArchiveDamagedError:
    """One entry is not what it was."""
    return ArchiveDamagedError(
        f"entry {seq} does not hold: {what}",
        hint="bring the archive back from a copy; what comes before is sound (`--until`)",
        position=seq, **source.blame(seq),
    )  # fmt: skip


def does_not_hold(size: int, what: str) -> ArchiveDamagedError:
    """What is known of a size does not agree."""
    return ArchiveDamagedError(
        f"the first {size:,} entries do not hold: {what}",
        hint="bring the archive back from a copy, or compare it with a published checkpoint",
        position=size,
    )
