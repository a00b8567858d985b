"""Source that no commit has: untracked files, and scripts outside of any repository.

It is kept as a tar, the same for the same contents. Only source is code. Settings that a job reads
are its inputs; small ones are kept as well, since nobody else keeps them, but as they are or not at
all: what has a secret in it would be another file without it.
"""

from __future__ import annotations

import hashlib
import io
import os
import posixpath
import tarfile
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from lineage.capture.run.rules import SOURCE_SUFFIXES
from lineage.capture.run.scrub_source import SETTINGS_SUFFIXES, scrub_bytes
from lineage.model.ids import file_token

__all__ = ["LARGEST_FILE", "contents", "in_a_table", "is_code", "keep_settings", "may_keep", "pack"]

LARGEST_FILE = 256 << 10
_LARGEST_TAR = 10 << 20
_SUFFIXES = SOURCE_SUFFIXES | {".sql"}
_NAMES = frozenset({"Makefile", "Dockerfile", "Snakefile", "requirements.txt"})
_SECRET_SUFFIXES = frozenset({".pem", ".key", ".p12", ".pfx", ".jks", ".kdbx", ".crt"})
_SECRET_NAMES = ("credentials", "creds", "secret", "id_rsa", "id_ed25519", "token.", ".env",
                 "kubeconfig")  # fmt: skip
_LOG = "_delta_log"


def contents(path: str, before_ns: int) -> bytes | None:
    """Bytes of a file (its first ones, where it is too large); None where it is newer, or none."""
    try:
        found = os.lstat(path)
        if not os.path.isfile(path) or os.path.islink(path) or found.st_mtime_ns >= before_ns:
            return None
        with open(path, "rb") as file:
            return file.read(LARGEST_FILE + 1)
    except OSError:
        return None


def is_code(name: str) -> bool:
    """Whether a file is code, by its name."""
    base = posixpath.basename(name)
    return posixpath.splitext(base)[1].lower() in _SUFFIXES or base in _NAMES


def may_keep(name: str, data: bytes) -> bool:
    """Whether a copy may be kept: a small text whose name is not that of a secret."""
    base = posixpath.basename(name).lower()
    if posixpath.splitext(base)[1] in _SECRET_SUFFIXES:
        return False
    if base.startswith(_SECRET_NAMES) and not is_code(name):
        return False
    return len(data) <= LARGEST_FILE and b"\0" not in data[:8192]


def in_a_table(root: str, name: str, known: dict[str, bool]) -> bool:
    """Whether a file of a work tree lies in a Delta table. ``known`` remembers folders."""
    folder = posixpath.dirname(name)
    if not folder:
        return False
    if folder not in known:
        known[folder] = os.path.isdir(f"{root}/{folder}/{_LOG}") or in_a_table(root, folder, known)
    return known[folder]


def pack(root: str, files: Mapping[str, bytes]) -> tuple[bytes, bool, list[str]]:
    """A tar of files by their names in ``root``; whether secrets were taken out; what had no room.

    Empty where there is nothing to keep.
    """
    buffer = io.BytesIO()
    total, scrubbed, left_out = 0, False, list[str]()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, data in sorted(files.items()):
            if total + len(data) > _LARGEST_TAR:
                left_out.append(name)
                continue
            kept = scrub_bytes(data, name)
            scrubbed |= kept != data
            total += len(kept)
            info = tarfile.TarInfo(name)
            info.size = len(kept)
            info.mode = 0o755 if os.access(f"{root}/{name}", os.X_OK) else 0o644
            tar.addfile(info, io.BytesIO(kept))
    return buffer.getvalue() if len(files) > len(left_out) else b"", scrubbed, left_out


def keep_settings(
    uses: Iterable[dict[str, Any]],
    put_blob: Callable[[bytes], str],
    known_to_git: Callable[[str], bool],
) -> int:
    """Keep small files of settings that were read and that no commit has. Returns how many."""
    room, count = _LARGEST_TAR, 0
    for use in uses:
        path = str(use["name"])
        if posixpath.splitext(path)[1].lower() not in SETTINGS_SUFFIXES:
            continue
        if not 0 < (use.get("size") or 0) <= min(LARGEST_FILE, room) or known_to_git(path):
            continue
        try:
            with open(path, "rb") as file:
                data = file.read(LARGEST_FILE + 1)
        except OSError:
            continue
        read = use.get("version") == file_token(hashlib.sha256(data).hexdigest())
        if read and may_keep(path, data) and scrub_bytes(data, path) == data:
            put_blob(data)
            room -= len(data)
            count += 1
    return count
