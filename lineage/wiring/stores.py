"""A store by its address, with the key it was recorded under; what it is restored from."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lineage.errors import (
    LineageError,
    StoreKeyError,
    StoreUnavailableError,
)
from lineage.record.archive import Archive, ArchiveSource
from lineage.record.backup import unpack
from lineage.record.identity import restore_key, store_key
from lineage.record.interpret import interpret
from lineage.record.scratch import scratch
from lineage.record.sources import Source, StoreSource
from lineage.settings import Settings
from lineage.store.contract import Store

if TYPE_CHECKING:
    from lineage.store.sqlite import SqliteStore

__all__ = [
    "migrate_store",
    "open_judged",
    "open_source",
    "open_store",
    "require_key",
    "scratch_store",
    "sqlite_store",
]


def open_store(settings: Settings, *, read_only: bool = False) -> Store:
    """The store that ``LINEAGE_STORE`` names. Raises ``ConfigError``, ``StoreError``."""
    return open_judged(settings, read_only=read_only, patient=False)[0]


def open_judged(
    settings: Settings, *, read_only: bool, patient: bool, bind: bool = True
) -> tuple[Store, Callable[[], None]]:
    """The store, and what judges one that was away: ``patient`` says that this is no error yet."""
    if settings.store_kind == "neo4j":
        return _open_neo4j(settings, read_only=read_only, patient=patient)
    store = sqlite_store()(settings.store_path, interpret, read_only=read_only)
    try:
        if not settings.is_audit:  # it has the key of the store that it is of
            _hold_key(store, settings, bind=bind)
    except BaseException:
        store.close()
        raise
    return store, lambda: None


def _hold_key(store: SqliteStore, settings: Settings, *, bind: bool) -> None:
    """Bind the store's key, or compare it; no other is made for entries that have one."""
    if not settings.key_path.exists() and store.keyprint():
        raise StoreKeyError(
            f"{settings.key_path} is missing: the key that {store.path} was recorded under",
            hint="copy it there, or name its file by LINEAGE_STORE_KEY_FILE; every backup holds it",
        )
    if not store.read_only:
        store.bind_key(store_key(settings), first=bind)


def require_key(settings: Settings) -> None:
    """Raise ``StoreKeyError`` where a store has a key, and it is missing or another one."""
    path = settings.store_path
    # Where there is no file, SQLite is not even imported: a job's wrapper asks this.
    if settings.store_kind != "sqlite" or not path.exists() or not sqlite_store().made_at(path):
        return
    with closing(sqlite_store()(settings.store_path, interpret, read_only=True)) as store:
        _hold_key(store, settings, bind=False)
        if store.keyprint():
            store.bind_key(store_key(settings))


def _open_neo4j(
    settings: Settings, *, read_only: bool, patient: bool
) -> tuple[Store, Callable[[], None]]:
    """The store, and what judges it; that was done already, unless it is away and we patient."""
    from lineage.store.neo4j import Neo4jStore, schema
    from lineage.store.neo4j.connection import Database

    database = Database.open(settings.store, settings.store_password)
    store = Neo4jStore(database, interpret, read_only=read_only)
    judged = False

    def verify() -> None:
        nonlocal judged
        if judged:
            return
        database.verify()
        writable = schema.check(database, read_only=read_only)
        if writable and not read_only:
            schema.bind_key(database, store_key(settings))
        store.read_only = read_only or not writable
        judged = True

    try:
        verify()
    except StoreUnavailableError:
        if not patient:
            database.close()
            raise
    except BaseException:
        database.close()
        raise
    return store, verify


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
def open_source(place: str, settings: Settings) -> Iterator[Source]:
    """What to restore from: the file of a backup, else an archive.

    The key that a backup holds becomes the store's. Raises ``StoreKeyError``, ``ArchiveError``.
    """
    if not Path(place).is_file():
        yield ArchiveSource(Archive(place))
        return
    from lineage.store.sqlite import SqliteStore

    beside = settings.store_path.parent
    beside.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (
        unpack(Path(place), beside) as opened,
        # For writing: a copy of an older version is brought up to date first.
        closing(SqliteStore(opened.store, interpret)) as store,
    ):
        source = StoreSource(store, opened)
        new_key = restore_key(settings, opened.key)
        try:
            yield source
        except LineageError:
            # Left behind, it would keep a good backup out.
            if new_key and not _has_entries(settings):
                settings.key_path.unlink(missing_ok=True)
            raise


def _has_entries(settings: Settings) -> bool:
    if settings.store_kind == "sqlite" and not settings.store_path.exists():
        return False
    try:
        with closing(open_store(settings, read_only=True)) as store:
            return store.head().seq > 0
    except LineageError:
        return True


@contextmanager
def scratch_store(settings: Settings) -> Iterator[Store]:
    """An empty store, gone at the end: to rebuild into.

    Always a file: a Neo4j Community has one database. What stores of two kinds have in common is
    their digest without recorded times, and their heads.
    """
    from lineage.store.sqlite import SqliteStore

    beside = settings.store_path.parent
    parent = beside if os.access(beside, os.W_OK) else None
    with scratch("scratch", parent) as place:
        store = SqliteStore(place / "store.db", interpret)
        try:
            yield store
        finally:
            store.close()


def sqlite_store() -> type[SqliteStore]:
    """The backend of files, loaded when it is needed."""
    from lineage.store.sqlite import SqliteStore

    return SqliteStore
