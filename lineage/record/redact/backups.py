"""Backups without what was redacted: in the place of each, a backup of the store as it is now.

The ledger only grows, so that has all the old one had, and any earlier point of it: provided that
the old one is of this very ledger, and that the store holds what its ledger says. Both are checked
before anything is replaced; what cannot be is left and named.
"""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from lineage.errors import ConfigError, LineageError
from lineage.model.merkle import Frontier
from lineage.record.backup import Copyable, backup_again
from lineage.record.copies import Copy
from lineage.record.ledger import verify
from lineage.record.scratch import clear, scratch
from lineage.store.blobs import BlobStore
from lineage.store.contract import Head, Store

__all__ = ["rewrite_backups"]

_BACK = "bring it back and run `lineage redactions finish`, or delete it wherever it is"


def rewrite_backups(
    copies: Sequence[Copy],
    store: Store,
    copyable: Copyable,
    key_path: Path,
    blobs: BlobStore,
    head_of: Callable[[Path], Head],
) -> dict[str, str]:
    """Rewrite backups; by place why one was not. ``head_of`` tells the end of a store's file."""
    why: dict[str, str] = {}
    heads: dict[str, Head] = {}
    for copy in copies:
        try:
            path = Path(copy.place)
            if used := clear(path.parent, path.name):
                why[copy.place] = "; ".join(f"{place}: {told}" for place, told in used.items())
                continue
            heads[copy.place] = _head(path, head_of)
        except (OSError, LineageError) as fault:
            why[copy.place] = f"it cannot be read ({fault}): {_BACK}"
    if not heads:
        return why
    why |= _unlike(store, blobs, heads)
    for place in heads.keys() - why.keys():
        try:
            backup_again(copyable, key_path, blobs, Path(place))
        except (OSError, LineageError) as fault:
            why[place] = f"it cannot be written ({fault}): repeat the command, or delete it"
    return why


def _unlike(store: Store, blobs: BlobStore, heads: Mapping[str, Head]) -> dict[str, str]:
    """Why backups cannot be replaced by one of this store."""
    whole = verify(store, blobs)
    if whole.faults:
        fault = f"entry {whole.first_bad}: {whole.faults[0].what}"
        return dict.fromkeys(heads, f"the store itself does not verify ({fault}), so it stays")
    wanted = {head.seq for head in heads.values()}
    roots = _roots(store, wanted)
    return {
        place: "it is of another ledger: look at it, and delete it"
        for place, head in heads.items()
        if roots.get(head.seq) != head.frontier.root()
    }


def _roots(store: Store, sizes: set[int]) -> dict[int, bytes]:
    frontier = Frontier.empty()
    roots = {0: frontier.root()}
    for entry in store.entries():
        frontier.push(entry.leaf)
        if entry.seq in sizes:
            roots[entry.seq] = frontier.root()
        if len(roots) > len(sizes):
            break
    return roots


def _head(path: Path, head_of: Callable[[Path], Head]) -> Head:
    with _store_in(path) as copy:
        return head_of(copy)


@contextmanager
def _store_in(path: Path) -> Iterator[Path]:
    """The store in a backup, copied out beside it and gone at the end."""
    with scratch(path.name, path.parent) as place:
        try:
            with tarfile.open(path, "r:") as tar:
                tar.extract("store.db", place, filter="data")
        except (tarfile.TarError, KeyError) as fault:
            raise ConfigError(f"{path} is no backup: {fault}") from fault
        yield place / "store.db"
