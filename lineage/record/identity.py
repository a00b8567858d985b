"""Who acts here, and the secret of the store that stands behind opaque ids.

Apart from the recorder, since `lineage run` needs it at once and the recorder is not light.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import pwd
import secrets
import socket
from pathlib import Path

from lineage.errors import ConfigError, StoreFullError, StoreKeyError
from lineage.model.envelope import Actor
from lineage.model.ids import person_id
from lineage.settings import Settings

__all__ = ["copy_key", "key_of", "local_actor", "restore_key", "store_key"]

_KEY_BYTES = 32


def store_key(settings: Settings) -> bytes:
    """The store's secret key, made on first use (mode 0600).

    Raises ``StoreFullError`` where it cannot be written, ``ConfigError`` where it is no key.
    """
    path = settings.key_path
    try:
        return key_of(path.read_text(encoding="ascii"))
    except FileNotFoundError:
        return _make_key(path)
    except (OSError, ValueError) as fault:
        raise _no_key(path) from fault


def key_of(text: str) -> bytes:
    """The key that a file of one holds. Raises ``ValueError``, which does not repeat the text."""
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != _KEY_BYTES:
        raise ValueError("it holds no key of a store")
    return key


def restore_key(settings: Settings, key: bytes) -> bool:
    """Put the key of a backup where the store's key is; False where it is there already.

    Raises ``StoreKeyError`` where another is, ``StoreFullError``.
    """
    path = settings.key_path
    had_key = path.exists()
    if _make_key(path, key.hex()) != key:
        raise StoreKeyError(
            f"{path} is another key than the one in the backup",
            hint="name an empty store and LINEAGE_STORE_KEY_FILE, or move that key away first",
        )
    return not had_key


def copy_key(settings: Settings) -> bool:
    """Put a copy of the key where it is looked for by default; False: another is there.

    Raises ``StoreFullError``.
    """
    key = store_key(settings)
    return _make_key(settings.key_beside, key.hex()) == key


def _no_key(path: Path) -> ConfigError:
    # What it says instead is not repeated: it may be another secret.
    return ConfigError(
        f"{path} is not a readable key of a store",
        hint="restore it from a backup; a new key would make every entry look new",
    )


def _make_key(path: Path, key: str = "") -> bytes:
    """Two processes may come first at once: the link is what decides, both read what it left."""
    temporary = path.with_suffix(f".key.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(key or secrets.token_hex(_KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(temporary, path)
        except FileExistsError:
            pass
        finally:
            temporary.unlink()
        return key_of(path.read_text(encoding="ascii"))
    except ValueError as fault:
        raise _no_key(path) from fault
    except OSError as fault:
        raise StoreFullError(f"the store's key cannot be written: {fault}") from fault


def local_actor(settings: Settings) -> Actor:
    """Who runs this process: opaque, since an envelope cannot be erased; nobody verified it."""
    who = f"{socket.gethostname()}\x00{os.getuid()}\x00{_account()}"
    opaque = hmac.new(store_key(settings), who.encode(), hashlib.sha256).hexdigest()[:16]
    return Actor(person_id(opaque), "unverified-os-user")


def _account() -> str:
    """The account's name as the machine has it: a variable would let one person be two."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return ""
