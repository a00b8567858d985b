"""The only place that picks concrete parts: a store by its URL, and what stands around it."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lineage.errors import (
    ArchiveForeignError,
    LineageError,
    NothingSealedError,
    StoreKeyError,
    StoreUnavailableError,
)
from lineage.model.envelope import Actor
from lineage.record.accepting import Accepting, Writers
from lineage.record.archive import Archive, ArchiveSource, rewrite_archives
from lineage.record.audit import AuditLog
from lineage.record.backlog import Backlog
from lineage.record.backup import Copyable, unpack
from lineage.record.copies import ARCHIVE, Copies, Copy
from lineage.record.dead_letters import DeadLetters
from lineage.record.identity import copy_key, local_actor, restore_key, store_key
from lineage.record.intake import Intake
from lineage.record.interpret import interpret
from lineage.record.pulse import Pulse
from lineage.record.rebuild import rebuild
from lineage.record.recorder import Recorder
from lineage.record.redact.backups import rewrite_backups
from lineage.record.redact.erase import Places
from lineage.record.redact.journal import Journal
from lineage.record.scratch import clear, scratch_name
from lineage.record.seal.guard import SealGuard
from lineage.record.seal.keyfile import KeyFile
from lineage.record.seal.publishing import places_of
from lineage.record.seal.schedule import Schedule, Sealing
from lineage.record.seal.sealer import Sealer
from lineage.record.sources import Source, StoreSource
from lineage.settings import Settings
from lineage.store.blobs import BlobStore, DirectoryBlobs
from lineage.store.contract import Head, Store

if TYPE_CHECKING:
    from lineage.store.sqlite import SqliteStore

__all__ = [
    "Workspace",
    "copy_key",
    "copyable",
    "erasing_places",
    "local_actor",
    "migrate_store",
    "noted_copy",
    "open_accepting",
    "open_audit_sealing",
    "open_sealing",
    "open_source",
    "open_store",
    "open_workspace",
    "require_key",
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
    sealer: Sealer
    audit: AuditLog
    verify: Callable[[], None] = lambda: None
    """Judges a store that was away when it was opened; raises as opening it does."""


def open_store(settings: Settings, *, read_only: bool = False) -> Store:
    """The store that ``LINEAGE_STORE`` names. Raises ``ConfigError``, ``StoreError``."""
    return _open(settings, read_only=read_only, patient=False)[0]


def _open(
    settings: Settings, *, read_only: bool, patient: bool, bind: bool = True
) -> tuple[Store, Callable[[], None]]:
    if settings.store_kind == "neo4j":
        return _open_neo4j(settings, read_only=read_only, patient=patient)
    store = _sqlite()(settings.store_path, interpret, read_only=read_only)
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
    if settings.store_kind != "sqlite" or not settings.store_path.exists():
        return
    with closing(_sqlite()(settings.store_path, interpret, read_only=True)) as store:
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
    with tempfile.TemporaryDirectory(prefix=f"{scratch_name('scratch')}~", dir=parent) as place:
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
def noted_copy(workspace: Workspace, kind: str, place: str) -> Iterator[None]:
    """Note a copy before it is made or used: redactions have to reach it.

    Nothing where making it fails and leaves nothing behind; an archive may have begun.
    """
    copies, store = Copies(workspace.settings.copies), workspace.store
    known = {copy.place for copy in copies.all()}
    # Of an archive nobody knows when it began, and a file has what was not erased of it yet.
    dirty = kind == ARCHIVE or (isinstance(store, _sqlite()) and store.unerased())
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
        store if isinstance(store, _sqlite()) else None,
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
    with closing(_sqlite()(path, interpret, read_only=True)) as store:
        return store.head()


def _sqlite() -> type[SqliteStore]:
    from lineage.store.sqlite import SqliteStore

    return SqliteStore


def _keep_out_of_git(home: Path) -> None:
    """The default home stands in a project: its key and its record are not the project's."""
    ignore = home / ".gitignore"
    if home.name == ".lineage" and home.is_dir() and not ignore.exists():
        with suppress(OSError):
            ignore.write_text("*\n")


@contextmanager
def open_workspace(
    settings: Settings, *, read_only: bool = False, patient: bool = False, bind: bool = True
) -> Iterator[Workspace]:
    """Open everything, and close it at the end.

    ``patient``: a database that is away is no error yet; ``verify`` judges it when it is back.
    Without ``bind`` a file that has no key yet is not bound to the one in use.
    """
    if not read_only:
        settings.store_path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _keep_out_of_git(settings.home)
    store, verify = _open(settings, read_only=read_only, patient=patient, bind=bind)
    audit = AuditLog(None if settings.is_audit else lambda: _open_audit(settings.audit))
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
            _sealer(settings, store),
            audit,
            verify,
        )
    finally:
        audit.close()
        store.close()


def _open_audit(settings: Settings) -> Recorder:
    settings.store_path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    store = open_store(settings)
    try:
        _sealer(settings, store)
        return Recorder(store, key=store_key(settings))
    except BaseException:
        store.close()
        raise


def _sealer(settings: Settings, store: Store) -> Sealer:
    """What seals the store; from now on it takes nothing that contradicts what was sealed."""
    key_file, places = KeyFile(settings.seal_key_file), places_of(settings.seal_publish)
    guard = SealGuard(store, key_file, settings.last_checkpoint, places)
    store.guard(guard)
    return Sealer(store, key_file, guard, settings.last_checkpoint, places)


def open_audit_sealing(workspace: Workspace) -> Sealing | None:
    """What seals the audit log while a service runs; None where it has no key."""
    settings = workspace.settings.audit
    store = workspace.audit.store() if settings.seal_key_file.exists() else None
    if store is None:
        return None
    schedule = Schedule(settings.seal_every, settings.seal_entries)
    return Sealing(_sealer(settings, store), schedule, _now)


def open_sealing(workspace: Workspace, accepting: Accepting | None) -> Sealing:
    """What seals the store while a service runs; nothing before there is a key."""
    settings = workspace.settings
    schedule = Schedule(settings.seal_every, settings.seal_entries)
    answers = (lambda: accepting.pulse.answers) if accepting else (lambda: True)
    return Sealing(workspace.sealer, schedule, _now, answers)


def _now() -> int:
    return time.time_ns() // 1000


def open_accepting(
    workspace: Workspace, writers: Writers, count: Callable[[str, int], None]
) -> Accepting | None:
    """The way of changes to a store that can be away; None for one that is a file."""
    settings, store = workspace.settings, workspace.store
    if settings.store_kind == "sqlite":
        return None

    def ask() -> int:
        workspace.verify()
        head = store.head()
        workspace.sealer.guard.require(head)
        return head.seq

    return Accepting(
        workspace.recorder, writers, Backlog(settings.accepted, most=settings.spool_max),
        Pulse(ask), workspace.dead_letters, count,
    )  # fmt: skip
