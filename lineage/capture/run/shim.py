"""The preloaded library: compiled at first use, tried, and kept for the next run.

It is kept under a name made of its source, the machine and the C library. It counts only if it is
ours and nobody else may write to it (it is loaded into every process of a job), and if a trial
shows that the loader takes it without a word: a file system may forbid executables, a path may have
a character that ``LD_PRELOAD`` takes for a separator.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import sys
import time
from collections.abc import Iterable
from pathlib import Path

__all__ = ["SOURCE", "ShimError", "caches", "shim"]

SOURCE = Path(__file__).parent / "inject" / "shim"
_SEPARATORS = re.compile(r"[\s:$]")
_MACHINES = frozenset({"x86_64", "aarch64", "arm64"})


class ShimError(Exception):
    """There is no library, for a reason that a person can do something about.

    For ``lasts`` seconds there is none to be had by asking the compiler again.
    """

    def __init__(self, why: str, *, lasts: float = 0.0) -> None:
        super().__init__(why)
        self.lasts = lasts


def caches(first: Path) -> list[Path]:
    """Folders that may hold the library: with the store, with the person, with the machine."""
    own = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return [first, Path(own) / "lineage", Path(f"/tmp/lineage-{os.getuid()}")]  # noqa: S108


def shim(places: Iterable[Path]) -> Path:
    """The library, from the first cache that can hold it, compiled where it is not there yet.

    Raises ``ShimError``.
    """
    if not sys.platform.startswith("linux") or os.uname().machine not in _MACHINES:
        raise ShimError(f"preloading is not supported on {sys.platform} {os.uname().machine}")
    name = f"lineage-shim-{_key()}.so"
    why = "no folder can hold it"
    for cache in places:
        library = cache / name
        if _SEPARATORS.search(str(library)):
            continue
        if _trusted(library):
            return library
        try:
            cache.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not _trusted(cache):
                continue
            _check_failed(library.with_suffix(".failed"))
            from lineage.capture.run.compiling import compile_shim

            compile_shim(SOURCE / "shim.c", library)
            return library
        except OSError as fault:
            why = f"{cache}: {fault.strerror}"
    raise ShimError(why)


def _check_failed(note: Path) -> None:
    """A compiler that failed is not asked again for a while: every job would wait for it.

    The time of the note is that until which it holds.
    """
    try:
        fresh = time.time() < note.stat().st_mtime
        why = note.read_text(encoding="utf-8", errors="replace") if fresh else ""
    except FileNotFoundError:
        return
    if why:
        raise ShimError(f"{why} ({note} says so; remove it to try again)")


def _key() -> str:
    """Of what the library depends on; the interpreter that runs us is not in it."""
    hasher = hashlib.sha256()
    for path in sorted(SOURCE.iterdir()):
        hasher.update(path.read_bytes())
    try:
        libc = os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (ValueError, OSError):
        libc = ""
    hasher.update(f"{os.uname().machine} {libc}".encode())
    return hasher.hexdigest()[:16]


def _trusted(path: Path) -> bool:
    """Whether it is ours, and nobody else can change it, on a file system that may execute."""
    try:
        found = path.lstat()
        mounted = os.statvfs(path)
    except OSError:
        return False
    if stat.S_ISLNK(found.st_mode) or found.st_uid != os.geteuid():
        return False
    return not found.st_mode & 0o022 and not mounted.f_flag & os.ST_NOEXEC
