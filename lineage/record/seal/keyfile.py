"""The file of the signing key: one line, its owner's alone; beside it the next key while rotating.

The key is no part of any backup or export: who has it can sign for this ledger.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from lineage.errors import BadNoteError, SealKeyError, StoreFullError
from lineage.model.keys import SigningKey

__all__ = ["KeyFile"]


@dataclass(frozen=True, slots=True)
class KeyFile:
    """The key at ``path``, if there is one."""

    path: Path

    @property
    def next_path(self) -> Path:
        """Where the key is that takes over: it is there only while a rotation is under way."""
        return self.path.with_name(self.path.name + ".next")

    def key(self) -> SigningKey | None:
        """The key that signs. Raises ``SealKeyError`` for a file that is not readable as one."""
        return _read(self.path)

    @property
    def is_readable(self) -> bool:
        """Whether this process may read it. Who only appends or proves need not."""
        return os.access(self.path, os.R_OK)

    def next_key(self) -> SigningKey | None:
        """The key that takes over."""
        return _read(self.next_path)

    @property
    def origin(self) -> str | None:
        """The name of the log: that of its key; None without one."""
        key = self.key() or self.next_key()
        return None if key is None else key.name

    def keep(self, key: SigningKey) -> None:
        """Write the first key. Raises ``SealKeyError`` where there is one, ``StoreFullError``."""
        _write(self.path, key)

    def keep_next(self, key: SigningKey) -> None:
        """Write the key that takes over."""
        _write(self.next_path, key)

    def promote(self) -> None:
        """Let the next key take over: the one before it is gone."""
        self.next_path.replace(self.path)
        _sync_folder(self.path.parent)


def _read(path: Path) -> SigningKey | None:
    try:
        return SigningKey.of_text(path.read_text(encoding="utf-8").strip())
    except FileNotFoundError:
        return None
    except (OSError, ValueError, BadNoteError) as fault:
        # What it says instead is not repeated: it may be another secret.
        raise SealKeyError(
            f"{path} is not a readable key to sign checkpoints with",
            hint="restore it; if it is lost, `lineage ledger init-key --rotate` makes another",
        ) from fault


def _write(path: Path, key: SigningKey) -> None:
    """Appears whole or not at all, and never in the place of another."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(key.text() + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(temporary, path)
        _sync_folder(path.parent)
    except FileExistsError as fault:
        raise SealKeyError(
            f"{path} is there already", hint="another process made it: look at it, and try again"
        ) from fault
    except OSError as fault:
        raise StoreFullError(f"the key cannot be written: {fault}") from fault
    finally:
        temporary.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
