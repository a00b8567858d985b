"""Checkpoints as ``lineage ledger verify`` reads them: who signed them, and what they promise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from lineage.errors import ProofError
from lineage.model.checkpoint import Checkpoint
from lineage.model.notes import open_note
from lineage.record.ledger import Fault
from lineage.record.seal.keys import ledger_keys
from lineage.store.contract import Store

__all__ = ["Promises", "promises"]


@dataclass(slots=True)
class Promises:
    """What the checkpoints of a store say: roots by size, and those that do not hold."""

    count: int = 0
    last: int = 0
    roots: dict[int, bytes] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)


def promises(store: Store, progress: Callable[[int], None] | None = None) -> Promises:
    """Read every checkpoint, and check its signatures by the keys that the ledger names."""
    keys = [key.public for key in ledger_keys(store)]
    found = Promises()
    for sealed in store.checkpoints():
        found.count, found.last = found.count + 1, sealed.size
        try:
            checkpoint = Checkpoint.of_text(open_note(sealed.note, keys).text)
        except ProofError as fault:
            what = f"the checkpoint of {sealed.size:,} entries: {fault.message}"
            found.faults.append(Fault(sealed.size, what))
            continue
        if checkpoint.size == sealed.size:
            found.roots[sealed.size] = checkpoint.root
        else:
            what = f"a checkpoint of {checkpoint.size:,} entries stands at {sealed.size:,}"
            found.faults.append(Fault(sealed.size, what))
        if progress is not None:
            progress(found.count)
    return found
