"""The environment of a run: an interpreter and the distributions it has, by their own records.

Read from outside, from the ``sys.path`` that the job's Python reported: nothing is imported, and no
process is started. The first of two distributions of one name on the path is the one that counts,
as for the interpreter itself.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import Path
from typing import Any

from lineage.capture.run.eventlog import Record
from lineage.capture.run.footprint import shown
from lineage.capture.run.urls import scrub_url
from lineage.model.canonical import canonical

__all__ = ["Interpreter", "distributions", "environment_facts", "find_lock"]

_LOCKS = (
    "uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock", "conda-lock.yml", "pixi.lock",
    "requirements.lock", "requirements.txt",
)  # fmt: skip
_LARGEST_LOCK = 16 << 20
_SEPARATORS = re.compile(r"[-_.]+")


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python of the job, as its hook reported it."""

    executable: str
    version: str
    prefix: str
    base_prefix: str
    implementation: str
    path: tuple[str, ...]

    @classmethod
    def of(cls, record: Record) -> Interpreter:
        """From a P record."""
        executable, version, prefix, base, implementation, *path = record.fields()
        return cls(executable, version, prefix, base, implementation, tuple(path))


def distributions(path: tuple[str, ...]) -> list[dict[str, Any]]:
    """Installed distributions, sorted by name: name, version, and what identifies the content.

    ``record`` is the SHA-256 of the installed RECORD file, which lists a digest of every file;
    ``direct_url`` is where an editable or VCS install came from (PEP 610), without credentials.
    """
    found: dict[str, dict[str, Any]] = {}
    for entry in path:
        for folder in _metadata_folders(entry):
            one = _distribution(folder)
            if one is not None:
                found.setdefault(_SEPARATORS.sub("-", one["name"]).lower(), one)
    return [found[name] for name in sorted(found)]


def _metadata_folders(entry: str) -> list[Path]:
    try:
        with os.scandir(entry or ".") as names:
            return sorted(
                Path(name.path) for name in names if name.name.endswith((".dist-info", ".egg-info"))
            )
    except OSError:
        return []


def _distribution(folder: Path) -> dict[str, Any] | None:
    metadata = folder
    if os.path.isdir(folder):  # False, too, where it cannot be looked at
        metadata = folder / ("METADATA" if folder.suffix == ".dist-info" else "PKG-INFO")
    try:
        with metadata.open(encoding="utf-8", errors="replace") as file:
            headers = HeaderParser().parsestr(_head(file.read(65_536)))
    except OSError:
        return None
    name, version = headers["Name"], headers["Version"]
    if not name or not version:
        return None
    one: dict[str, Any] = {"name": str(name), "version": str(version)}
    record = _digest(folder / "RECORD")
    if record:
        one["record"] = record
    direct = _direct_url(folder / "direct_url.json")
    if direct:
        one["direct_url"] = direct
    return one


def _head(text: str) -> str:
    return text.partition("\n\n")[0]


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def _direct_url(path: Path) -> dict[str, Any] | None:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    if not isinstance(value, dict):
        return None
    value["url"] = scrub_url(str(value.get("url", "")))
    return value


def find_lock(folders: list[str]) -> bytes | None:
    """The first lock file that stands in one of the folders.

    A ``requirements.txt`` counts as a lock where it has hashes.
    """
    for folder in folders:
        for name in _LOCKS:
            path = Path(folder, name)
            try:
                if path.stat().st_size > _LARGEST_LOCK:
                    continue
                data = path.read_bytes()
            except OSError:
                continue
            if name != "requirements.txt" or b"--hash=" in data:
                return data
    return None


def environment_facts(
    interpreter: Interpreter,
    installed: list[dict[str, Any]],
    lock: bytes | None,
    put_blob: Callable[[bytes], str],
) -> dict[str, Any]:
    """``EnvironmentFacts``. ``digest`` is that of the canonical list, which the blob holds."""
    listing = canonical(installed)
    facts: dict[str, Any] = {
        "digest": hashlib.sha256(listing).hexdigest(),
        "interpreter": shown(interpreter.executable),
        "version": f"{interpreter.implementation} {interpreter.version}",
        "prefix": shown(interpreter.prefix),
        "platform": platform_text(),
        "distributions": {
            "sha256": put_blob(listing),
            "size": len(listing),
            "media_type": "application/json",
        },
    }
    if lock is not None:
        facts["lock"] = {
            "sha256": put_blob(lock), "size": len(lock), "media_type": "text/plain",
        }  # fmt: skip
    return facts


def platform_text() -> str:
    """System, machine, C library: ``Linux-6.1.0-x86_64-glibc 2.36``."""
    system = os.uname()
    try:
        libc = os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (ValueError, OSError):
        libc = ""
    parts = (system.sysname, system.release, system.machine, libc)
    return "-".join(part for part in parts if part)
