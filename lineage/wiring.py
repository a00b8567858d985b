"""The only place that picks concrete parts: a store by its URL, and what stands around it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from lineage.model.envelope import Actor
from lineage.record.backup import Copyable
from lineage.record.dead_letters import DeadLetters
from lineage.record.identity import local_actor, store_key
from lineage.record.intake import Intake
from lineage.record.interpret import interpret
from lineage.record.rebuild import rebuild
from lineage.record.recorder import Recorder
from lineage.settings import Settings
from lineage.store.blobs import BlobStore, DirectoryBlobs
from lineage.store.contract import Store

__all__ = [
    "Workspace",
    "copyable",
    "local_actor",
    "migrate_store",
    "open_store",
    "open_workspace",
    "scratch_store",
    "store_key",
]


@dataclass(frozen=True)
class Workspace:
    """A store and all that belongs to it."""

    settings: Settings
    store: Store
    recorder: Recorder
    intake: Intake
    blobs: BlobStore
    dead_letters: DeadLetters
    actor: Actor


def open_store(settings: Settings, *, read_only: bool = False) -> Store:
    """The store that ``LINEAGE_STORE`` names. Raises ``ConfigError``, ``StoreError``."""
    if settings.store_kind == "neo4j":
        return _open_neo4j(settings, read_only=read_only)
    from lineage.store.sqlite import SqliteStore

    return SqliteStore(settings.store_path, interpret, read_only=read_only)


def _open_neo4j(settings: Settings, *, read_only: bool) -> Store:
    from lineage.store.neo4j import Neo4jStore, schema
    from lineage.store.neo4j.connection import Database

    database = Database.open(settings.store, settings.store_password)
    try:
        database.verify()
        writable = schema.check(database, read_only=read_only)
        if writable and not read_only:
            schema.bind_key(database, store_key(settings))
    except BaseException:
        database.close()
        raise
    return Neo4jStore(database, interpret, read_only=read_only or not writable)


def migrate_store(
    settings: Settings, tell: Callable[[str], None] = lambda _: None, *, dry_run: bool = False
) -> list[str]:
    """Bring the store's schema up to date; names of what was applied, or would be.

    ``tell`` is given every name before it is applied. A SQLite file is brought up to date whenever
    it is opened for writing, so nothing is ever said of it.
    """
    if settings.store_kind == "sqlite":
        if not dry_run:
            settings.store_path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            open_store(settings).close()
        return []
    from lineage.store.neo4j import schema
    from lineage.store.neo4j.connection import Database

    with Database.open(settings.store, settings.store_password) as database:
        database.verify()
        return schema.pending(database) if dry_run else schema.migrate(database, tell)


@contextmanager
def scratch_store(settings: Settings) -> Iterator[Store]:
    """An empty store, gone at the end: to rebuild into.

    Always a file: a Neo4j Community has one database. What stores of two kinds have in common is
    their digest without recorded times, and their heads.
    """
    from lineage.store.sqlite import SqliteStore

    beside = settings.store_path.parent
    parent = beside if os.access(beside, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix=".scratch-", dir=parent) as place:
        store = SqliteStore(Path(place, "store.db"), interpret)
        try:
            yield store
        finally:
            store.close()


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
def open_workspace(settings: Settings, *, read_only: bool = False) -> Iterator[Workspace]:
    """Open everything, and close it at the end."""
    if not read_only:
        settings.store_path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    store = open_store(settings, read_only=read_only)
    try:
        recorder = Recorder(store, key=store_key(settings))
        dead_letters = DeadLetters(settings.dead_letters)
        yield Workspace(
            settings,
            store,
            recorder,
            Intake(recorder.record, dead_letters, max_event=settings.max_event),
            DirectoryBlobs(settings.blobs),
            dead_letters,
            local_actor(settings),
        )
    finally:
        store.close()
