"""Proofs of what a store holds, made from tiles: a few hundred hashes whatever its size.

Every proof is checked before it is handed out. Tiles are a cache: where a proof made with them does
not hold it is made again from the leaves alone, and if that one does not hold either the ledger is
not what its checkpoint says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from lineage.errors import LineageError, TamperedError, UnknownNameError
from lineage.model.checkpoint import Checkpoint
from lineage.model.claims import EntryRef
from lineage.model.merkle import (
    consistency_proof,
    inclusion_proof,
    verify_consistency,
    verify_inclusion,
)
from lineage.model.notes import text_of
from lineage.model.proofs import Included, Shown, consistency_bundle, proof_bundle
from lineage.model.tiles import Tiles
from lineage.record.interpret import interpret
from lineage.store.contract import Store, StoredCheckpoint, StoredEntry

__all__ = [
    "checkpoint_covering", "checkpoint_of_size", "entry_named", "prove_consistency", "prove_entry",
]  # fmt: skip

Proof = TypeVar("Proof")
_MOST_REDACTIONS = 8
"""Redactions of redactions that are followed."""


def checkpoint_covering(store: Store, seq: int) -> StoredCheckpoint:
    """The last checkpoint, if it covers an entry. Raises ``UnknownNameError``."""
    last = store.last_checkpoint()
    if last is None or last.size < seq:
        upto = f"the last checkpoint is of {last.size:,}" if last else "there is no checkpoint"
        raise UnknownNameError(
            f"entry {seq} is not sealed: {upto}", hint="`lineage ledger checkpoint` makes one"
        )
    return last


def checkpoint_of_size(store: Store, size: int) -> StoredCheckpoint:
    """The checkpoint of just that many entries. Raises ``UnknownNameError``."""
    found = next(store.checkpoints(size - 1, 1), None) if size > 0 else None
    if found is None or found.size != size:
        raise UnknownNameError(
            f"no checkpoint of {size:,} entries",
            hint="`lineage ledger checkpoints` lists those there are",
        )
    return found


def entry_named(store: Store, text: str) -> int:
    """The seq of an entry by its position or SOURCE#EVENT_ID. Raises ``UnknownNameError``."""
    if text.isascii() and text.isdigit() and len(text) < 19:
        return int(text)
    source, mark, event_id = text.rpartition("#")
    seq = store.find(source, event_id) if mark else None
    if seq is None:
        raise UnknownNameError(
            f"no entry {text[:200]!r}",
            hint="give its position, or SOURCE#EVENT_ID as `lineage ledger show` has them",
        )
    return seq


def prove_entry(store: Store, seq: int, sealed: StoredCheckpoint | None = None) -> dict[str, Any]:
    """The bundle (``lineage-proof/1``) that shows an entry to be in the ledger of a checkpoint.

    Without ``sealed`` that is the last one. A redacted entry comes with what redacted it. Raises
    ``UnknownNameError``, ``TamperedError``.
    """
    entry = next(store.entries(seq - 1, 1), None) if seq > 0 else None
    if entry is None:
        raise UnknownNameError(f"no entry {seq}", hint="`lineage ledger head` says where it ends")
    sealed = sealed or checkpoint_covering(store, seq)
    chain = [entry]
    while chain[-1].salt is None and len(chain) <= _MOST_REDACTIONS:
        by = _redaction_of(store, chain[-1])
        if by is None:
            break
        if by.seq > sealed.size:
            raise UnknownNameError(
                f"entry {chain[-1].seq} was redacted by entry {by.seq}, which the checkpoint of "
                f"{sealed.size:,} entries does not cover",
                hint="`lineage ledger checkpoint` makes one that does",
            )
        chain.append(by)
    shown = [_included(store, one, sealed) for one in chain]
    return proof_bundle(sealed.note, shown[0], shown[1:])


def prove_consistency(store: Store, old: StoredCheckpoint, new: StoredCheckpoint) -> dict[str, Any]:
    """The bundle (``lineage-consistency/1``) that shows ``new`` to extend ``old``.

    Raises ``TamperedError`` where it does not, ``UnknownNameError`` for checkpoints of two logs.
    """
    before, after = _checkpoint(old), _checkpoint(new)
    if before.origin != after.origin:
        raise UnknownNameError(
            f"{before.origin} and {after.origin} are two logs",
            hint="the ledger began another: `lineage ledger keys` says where, and why",
        )
    if old.size == 0:
        return consistency_bundle(old.note, new.note, [])

    def make(tiles: Tiles) -> list[bytes] | None:
        path = consistency_proof(old.size, new.size, tiles.root)
        holds = verify_consistency(old.size, new.size, before.root, after.root, path)
        return path if holds else None

    path = _checked(store, make, f"the first {old.size:,} entries were others when sealed")
    return consistency_bundle(old.note, new.note, path)


def _included(store: Store, entry: StoredEntry, sealed: StoredCheckpoint) -> Included:
    root = _checkpoint(sealed).root
    leaf = entry.envelope.leaf()

    def make(tiles: Tiles) -> list[bytes] | None:
        path = inclusion_proof(entry.seq - 1, sealed.size, tiles.root)
        return path if verify_inclusion(leaf, entry.seq - 1, sealed.size, path, root) else None

    path = _checked(store, make, f"entry {entry.seq} is not what was sealed", entry.seq)
    return Included(Shown(entry.envelope, entry.salt, entry.body), path)


def _checked(
    store: Store, make: Callable[[Tiles], Proof | None], otherwise: str, position: int = 0
) -> Proof:
    for tiles in (Tiles(store.leaves, store.tiles), Tiles(store.leaves)):
        try:
            proof = make(tiles)
        except IndexError:
            continue
        if proof is not None:
            return proof
    raise TamperedError(
        otherwise,
        hint="`lineage ledger verify` names the first entry that does not hold",
        position=position,
    )


def _checkpoint(sealed: StoredCheckpoint) -> Checkpoint:
    return Checkpoint.of_text(text_of(sealed.note))


def _redaction_of(store: Store, target: StoredEntry) -> StoredEntry | None:
    """The entry that committed to the stub that stands now. Read through: there is no index."""
    ref = EntryRef(target.source, target.event_id)
    for entry in store.entries():
        if entry.kind == "entry.redacted" and target.body in _stubs(entry, ref):
            return entry
    return None


def _stubs(entry: StoredEntry, target: EntryRef) -> Iterator[bytes]:
    try:
        claims = interpret(entry.kind, entry.v, entry.body)
    except LineageError:
        return
    yield from (redaction.stub for redaction in claims.redacts if redaction.target == target)
