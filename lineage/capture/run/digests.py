"""SHA-256 of files, beside the running job and within a budget."""

from __future__ import annotations

import hashlib
import os
import threading
from dataclasses import dataclass

__all__ = ["Digest", "Digests"]

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Digest:
    """Content of a file as it was at ``size`` (bytes) and ``mtime`` (nanoseconds)."""

    sha256: str
    size: int
    mtime: int


class Digests:
    """Digests of files, each made once per content. ``budget`` is bytes that may be read.

    :meth:`hurry` makes every further one fail at once: the person has asked to end.
    """

    def __init__(self, budget: int) -> None:
        self._left = budget
        self._known: dict[str, Digest] = {}
        self._hurry = threading.Event()

    def hurry(self) -> None:
        """No more reading, from any thread."""
        self._hurry.set()

    @property
    def hurried(self) -> bool:
        """Whether reading was cut short."""
        return self._hurry.is_set()

    def of(self, path: str) -> Digest | None:
        """The digest of a file as it is now, or None: over budget, gone, changing, not readable."""
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError:
            return None
        try:
            return self._read(path, descriptor)
        except OSError:
            return None
        finally:
            os.close(descriptor)

    def _read(self, path: str, descriptor: int) -> Digest | None:
        before = os.fstat(descriptor)
        known = self._known.get(path)
        if known and (known.size, known.mtime) == (before.st_size, before.st_mtime_ns):
            return known
        if before.st_size > self._left or self.hurried:
            return None
        hasher = hashlib.sha256()
        while chunk := os.read(descriptor, _CHUNK):
            hasher.update(chunk)
            self._left -= len(chunk)
            if self._left < 0 or self._hurry.is_set():
                return None
        after = os.fstat(descriptor)
        if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
            return None
        digest = Digest(hasher.hexdigest(), after.st_size, after.st_mtime_ns)
        self._known[path] = digest
        return digest

    def known(self, path: str) -> Digest | None:
        """The last digest that was made of a file, as it was then."""
        return self._known.get(path)
