"""Blobs of entries into the archive: each once, in parts, read back."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

from lineage.errors import ArchiveBusyError, ArchiveDamagedError, UnknownNameError
from lineage.record.archive.rows import BlobPart, blob_table, parts_of
from lineage.record.archive.table import ArchiveTable
from lineage.record.ledger import blobs_of
from lineage.record.redact.contents import Contents
from lineage.record.redact.stubs import only_names
from lineage.store.blobs import BlobStore
from lineage.store.contract import StoredEntry

__all__ = ["copy_blobs"]

_BYTES, _TRIES = 32 << 20, 50


def copy_blobs(
    batch: Sequence[StoredEntry], blobs: BlobStore, table: ArchiveTable, *, skip_missing: bool
) -> tuple[int, list[str]]:
    """Put blobs that a batch names or means into the archive, if they are not there.

    Returns how many were put and which of those named the store has lost. Raises
    ``UnknownNameError`` for those, unless ``skip_missing``; ``StoreDamagedError`` for one that is
    not what its name says.
    """
    named, meant = _named(batch), _meant(batch, blobs)
    if not named and not meant:
        return 0, []
    for _ in range(_TRIES):
        # Both of one snapshot: what another archiver appends from here on is noticed.
        before = table.written()
        both = {**meant, **named}
        there = _archived(table, both)
        wanted = {digest: seq for digest, seq in both.items() if digest not in there}
        missing = [digest for digest in wanted if not blobs.has(digest)]
        if missing and not skip_missing:
            raise _lost(missing[0], wanted[missing[0]])
        for digest in missing:
            del wanted[digest]
        if _copy(table, blobs, wanted, before):
            return len(wanted), missing
    raise ArchiveBusyError("others write to the archive all the time", hint="try again later")


def _named(batch: Sequence[StoredEntry]) -> dict[str, int]:
    named: dict[str, int] = {}
    for entry in batch:
        for digest in blobs_of(entry):
            named.setdefault(digest, entry.seq)
    return named


def _meant(batch: Sequence[StoredEntry], blobs: BlobStore) -> dict[str, int]:
    """Blobs that are there and that only a version or the list of a folder names."""
    contents, meant = Contents(blobs), dict[str, int]()
    for entry in batch:
        # A redaction says its stub, and in a stub a version is a name and no more.
        redacted = entry.kind == "entry.redacted" or (
            entry.salt is None and only_names(entry.kind, entry.v, entry.body)
        )
        for digest in sorted(contents.there(contents.meant(entry.body, redacted=redacted))):
            meant.setdefault(digest, entry.seq)
    return meant


def _lost(digest: str, seq: int) -> UnknownNameError:
    return UnknownNameError(
        f"entry {seq} names blob {digest}, which the store has lost",
        hint="bring it back from a backup, or archive without: --skip-missing-blobs",
        position=seq,
    )


def _archived(table: ArchiveTable, digests: dict[str, int]) -> set[str]:
    among = ", ".join(f"'{digest}'" for digest in digests)
    # Parts of a blob are in one commit, so the first stands for all.
    found = table.query(f"SELECT sha256 FROM t WHERE part = 0 AND sha256 IN ({among})")
    return set(found.get("sha256", ()))


def _copy(table: ArchiveTable, blobs: BlobStore, wanted: dict[str, int], before: int) -> bool:
    """Append and read back; False if another archiver came between. The number is of commits."""
    for group in _groups(blobs, wanted):
        if not table.append(blob_table(group), expected=before, written=before + 1):
            return False
        before += 1
        table.sync()
        _read_back(table, group)
    return True


def _groups(blobs: BlobStore, wanted: dict[str, int]) -> Iterator[list[BlobPart]]:
    group: list[BlobPart] = []
    held = 0
    for digest, seq in wanted.items():
        data = blobs.get(digest)
        group += parts_of(seq, digest, data)
        held += len(data)
        if held >= _BYTES:
            yield group
            group, held = [], 0
    if group:
        yield group


def _read_back(table: ArchiveTable, group: Sequence[BlobPart]) -> None:
    among = ", ".join(f"'{digest}'" for digest in dict.fromkeys(part.sha256 for part in group))
    first, last = min(part.seq for part in group), max(part.seq for part in group)
    table.open()
    found = table.query(
        f"SELECT sha256, data FROM t WHERE seq BETWEEN {first} AND {last} AND sha256 IN ({among}) "
        "ORDER BY sha256, part"
    )
    hashes: dict[str, hashlib._Hash] = {}
    for digest, data in zip(found["sha256"], found["data"], strict=True):
        hashes.setdefault(digest, hashlib.sha256()).update(data)
    for part in group:
        if part.sha256 not in hashes or hashes[part.sha256].hexdigest() != part.sha256:
            raise ArchiveDamagedError(
                f"blob {part.sha256} is not read back as it was written",
                hint="check the storage; archive to a new place", table=table.name,
            )  # fmt: skip
