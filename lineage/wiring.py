"""The only place that picks concrete parts: a store by its URL, and what stands around it."""

from __future__ import annotations

import getpass
import hashlib
import hmac
import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lineage.errors import StoreFullError
from lineage.model.envelope import Actor
from lineage.model.ids import person_id
from lineage.record.dead_letters import DeadLetters
from lineage.record.intake import Intake
from lineage.record.interpret import interpret
from lineage.record.recorder import Recorder
from lineage.settings import Settings
from lineage.store.blobs import BlobStore, DirectoryBlobs
from lineage.store.contract import Store

__all__ = ["Workspace", "local_actor", "open_store", "open_workspace", "store_key"]

_KEY_BYTES = 32


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
    from lineage.store.sqlite import SqliteStore

    return SqliteStore(settings.store_path, interpret, read_only=read_only)


@contextmanager
def open_workspace(settings: Settings, *, read_only: bool = False) -> Iterator[Workspace]:
    """Open everything, and close it at the end."""
    if not read_only:
        settings.store_path.parent.mkdir(parents=True, exist_ok=True)
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


def store_key(settings: Settings) -> bytes:
    """The store's secret key, made on first use (mode 0600). Raises ``StoreFullError``."""
    path = settings.key_path
    try:
        return bytes.fromhex(path.read_text(encoding="ascii"))
    except FileNotFoundError:
        return _make_key(path)


def _make_key(path: Path) -> bytes:
    """Two processes may come first at once: the link is what decides, both read what it left."""
    temporary = path.with_suffix(f".key.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(_KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(temporary, path)
        except FileExistsError:
            pass
        finally:
            temporary.unlink()
        return bytes.fromhex(path.read_text(encoding="ascii"))
    except OSError as fault:
        raise StoreFullError(f"the store's key cannot be written: {fault}") from fault


def local_actor(settings: Settings) -> Actor:
    """Who runs this process: opaque, since an envelope cannot be erased; nobody verified it."""
    who = f"{socket.gethostname()}\x00{os.getuid()}\x00{getpass.getuser()}"
    opaque = hmac.new(store_key(settings), who.encode(), hashlib.sha256).hexdigest()[:16]
    return Actor(person_id(opaque), "unverified-os-user")
