"""Tables that are watched."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from lineage.capture.delta.storage import LocalLog, local_path, table_ref
from lineage.capture.delta.tail import Captured, DeltaTail
from lineage.model.changes import GapRecorded, TableCommitted
from lineage.model.envelope import Actor

__all__ = [
    "ACTOR",
    "commits",
    "drain",
    "gaps",
    "poll_until",
    "tail_of",
]

ACTOR = Actor("person:x")


def tail_of(table: Path) -> DeltaTail:
    table = local_path(table)
    return DeltaTail(LocalLog(table), table_ref(table))


def drain(tail: DeltaTail, limit: int = 500) -> list[Captured]:
    out: list[Captured] = []
    while found := tail.poll(limit):
        out += found
    return out


def commits(captured: list[Captured]) -> list[TableCommitted]:
    return [c.change for c in captured if isinstance(c.change, TableCommitted)]


def gaps(captured: list[Captured]) -> list[tuple[str, str, str]]:
    return [
        (c.change.from_position, c.change.to_position, c.change.reason)
        for c in captured if isinstance(c.change, GapRecorded)
    ]  # fmt: skip


def poll_until(tail: DeltaTail, done: Callable[[list[Captured]], bool]) -> list[Captured]:
    out: list[Captured] = []
    deadline = time.monotonic() + 30
    while not done(out):
        assert time.monotonic() < deadline
        out += tail.poll()
    return out
