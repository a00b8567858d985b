"""The archive: a ledger with its blobs in Delta tables, for any engine, and to restore from."""

from __future__ import annotations

from lineage.record.archive.erasing import Erased, redact_in_archive
from lineage.record.archive.place import Archive
from lineage.record.archive.reading import ArchiveSource
from lineage.record.archive.rewriting import rewrite_archives
from lineage.record.archive.writing import Archived, archive

__all__ = [
    "Archive",
    "ArchiveSource",
    "Archived",
    "Erased",
    "archive",
    "redact_in_archive",
    "rewrite_archives",
]
