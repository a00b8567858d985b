"""An archive re-read by itself: every entry, root, checkpoint's root and blob."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from lineage.errors import ArchiveDamagedError, UnknownNameError
from lineage.record.archive.reading import ArchiveSource
from lineage.record.ledger import Fault, Verification, verify

__all__ = ["verify_archive"]

_WINDOW = 20_000


def verify_archive(
    source: ArchiveSource, *, progress: Callable[[int], None] | None = None
) -> Verification:
    """What ``lineage ledger verify`` says of a store, of an archive.

    Raises ``ArchiveDamagedError`` for a file that cannot be read, ``ArchiveUnavailableError``.
    """
    size = source.head().seq
    there = _There()
    blob_faults = list(_blob_faults(source, size, there))
    roots = {mark.size: mark.root for mark in source.marks()}
    _, redactions = source.redacted()
    result = verify(source, there, expect=roots, later=redactions, progress=progress)
    result.blobs = len(there.digests)
    result.faults += blob_faults
    result.faults.sort(key=lambda fault: (fault.position == 0, fault.position))
    return result


class _There:
    """Blobs whose contents were looked at."""

    def __init__(self) -> None:
        self.digests: set[str] = set()

    def get(self, sha256: str) -> bytes:
        if sha256 not in self.digests:
            raise UnknownNameError("it is not in the archive")
        return b""


def _blob_faults(source: ArchiveSource, size: int, there: _There) -> Iterator[Fault]:
    for start in range(0, size, _WINDOW):
        digests = source.digests(start + 1, start + _WINDOW)
        there.digests.update(digests)
        try:
            for _ in source.contents(digests):
                pass
        except ArchiveDamagedError as fault:
            yield Fault(fault.where.get("position", start + 1), fault.message)
