"""Copies of a store, and everything that its contents are in."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from lineage.errors import (
    ArchiveForeignError,
    LineageError,
    NothingSealedError,
)
from lineage.record.archive import rewrite_archives
from lineage.record.backup import Copyable
from lineage.record.copies import ARCHIVE, Copies, Copy
from lineage.record.identity import store_key
from lineage.record.interpret import interpret
from lineage.record.rebuild import rebuild
from lineage.record.redact.backups import rewrite_backups
from lineage.record.redact.erase import Places
from lineage.record.redact.journal import Journal
from lineage.record.scratch import clear
from lineage.store.contract import Head, Store
from lineage.wiring.stores import sqlite_store
from lineage.wiring.workspace import Workspace

__all__ = ["copyable", "erasing_places", "noted_copy"]


def copyable(store: Store) -> Copyable:
    """The store as something that can be copied to a file: of another kind, by rebuilding it."""
    from lineage.store.sqlite import SqliteStore

    return store if isinstance(store, SqliteStore) else _ByRebuilding(store)


@dataclass(frozen=True)
class _ByRebuilding:
    store: Store

    def backup(self, path: Path) -> None:
        from lineage.store.sqlite import SqliteStore

        with closing(SqliteStore(path, interpret)) as target:
            rebuild(self.store, target)


@contextmanager
def noted_copy(workspace: Workspace, kind: str, place: str) -> Iterator[None]:
    """Note a copy before it is made or used: redactions have to reach it.

    Nothing where making it fails and leaves nothing behind; an archive may have begun.
    """
    copies, store = Copies(workspace.settings.copies), workspace.store
    known = {copy.place for copy in copies.all()}
    # Of an archive nobody knows when it began, and a file has what was not erased of it yet.
    dirty = kind == ARCHIVE or (isinstance(store, sqlite_store()) and store.unerased())
    clean = 0 if dirty else store.head().seq
    if place not in known:
        copies.add(Copy(kind, place, time.time_ns() // 1000, clean))
    try:
        yield
    except LineageError as fault:
        nothing = kind != ARCHIVE or isinstance(fault, NothingSealedError | ArchiveForeignError)
        if place not in known and nothing:
            copies.forget(place)
        raise


def erasing_places(workspace: Workspace) -> Places:
    """Everything that contents of this store are in."""
    settings, store = workspace.settings, workspace.store
    return Places(
        workspace.recorder, store_key(settings),
        store if isinstance(store, sqlite_store()) else None,
        workspace.blobs, settings.spool, settings.accepted, workspace.dead_letters,
        Copies(settings.copies), Journal(settings.redacting),
        rewrite_backups=lambda copies, _entries, _blobs: rewrite_backups(
            copies, store, copyable(store), settings.key_path, workspace.blobs, _head_of_file
        ),
        rewrite_archives=lambda copies, entries, blobs: rewrite_archives(
            store, workspace.blobs, [copy.place for copy in copies], entries, blobs
        ),
        clear_scratch=lambda: clear(settings.store_path.parent, "scratch", "restore"),
        beyond="" if settings.store_kind == "sqlite" else _OF_THE_DATABASE,
    )  # fmt: skip


_OF_THE_DATABASE = (
    "Neo4j keeps what was deleted in its files and transaction logs until they are reused or "
    "pruned: see docs/howto/redact.md"
)


def _head_of_file(path: Path) -> Head:
    with closing(sqlite_store()(path, interpret, read_only=True)) as store:
        return store.head()
