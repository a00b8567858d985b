"""A store and all that stands around it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from lineage.model.envelope import Actor
from lineage.record.accepting import Accepting, Writers
from lineage.record.audit import AuditLog
from lineage.record.backlog import Backlog
from lineage.record.dead_letters import DeadLetters
from lineage.record.identity import local_actor, store_key
from lineage.record.intake import Intake
from lineage.record.pulse import Pulse
from lineage.record.recorder import Recorder
from lineage.record.seal.guard import SealGuard
from lineage.record.seal.keyfile import KeyFile
from lineage.record.seal.publishing import places_of
from lineage.record.seal.schedule import Schedule, Sealing
from lineage.record.seal.sealer import Sealer
from lineage.settings import Settings
from lineage.store.blobs import BlobStore, DirectoryBlobs
from lineage.store.contract import Store
from lineage.wiring.stores import open_judged, open_store

__all__ = ["Workspace", "open_accepting", "open_audit_sealing", "open_sealing", "open_workspace"]


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
    store, verify = open_judged(settings, read_only=read_only, patient=patient, bind=bind)
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
