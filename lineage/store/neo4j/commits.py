"""Commits of tables' logs as relationships from the version to its log."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from lineage.model.canonical import FOREVER
from lineage.model.claims import TableCommit
from lineage.store.neo4j.documents import pack, unpack

__all__ = ["commit_of", "commit_row", "log_key"]


def log_key(table: str, log: str) -> str:
    """What a log is found by."""
    told = json.dumps([table, log]).encode()
    return hashlib.sha256(told).hexdigest()[:40]


def commit_row(commit: TableCommit, seq: int, dead: int, n: int) -> list[Any]:
    """A commit as ``Pending`` writes it: commit ``n`` of entry ``seq``."""
    files = json.dumps([commit.added, commit.removed], separators=(",", ":"))
    return [
        log_key(commit.table, commit.log), pack(commit.table), pack(commit.log), commit.version,
        seq, None if dead == FOREVER else dead, commit.at, commit.number, commit.files_known,
        commit.carries, n, files,
    ]  # fmt: skip


def commit_of(row: Sequence[Any]) -> TableCommit:
    """A commit from (table, log, version, time, number, files known, carries, files)."""
    table, log, version, at, number, known, carries, files = row
    added, removed = json.loads(files)
    return TableCommit(
        unpack(table), version, number, unpack(log), at, tuple(added), tuple(removed), known,
        carries,
    )  # fmt: skip
