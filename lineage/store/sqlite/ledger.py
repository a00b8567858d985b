"""Entries as rows: reading the ledger back."""

from __future__ import annotations

from functools import partial

import apsw

from lineage.model.envelope import Actor
from lineage.model.merkle import Frontier
from lineage.store.bodies import unpack_body
from lineage.store.contract import Head, StoredEntry
from lineage.store.sqlite.connection import Row, query
from lineage.store.sqlite.texts import pack_event_id, pack_text, unpack_event_id
from lineage.store.sqlite.texts import unpack_text as text
from lineage.store.whole import whole_entry

__all__ = ["entries_after", "find", "head", "position_at"]

_ENTRIES = """SELECT e.seq, e.recorded_at, k.text, e.v, s.text, e.event_id, a.text, x.text, e.salt,
  e.packed, e.body, e.commitment, e.leaf
FROM entry e CROSS JOIN word k ON k.id = e.kind CROSS JOIN word s ON s.id = e.source
CROSS JOIN word a ON a.id = e.actor CROSS JOIN word x ON x.id = e.verified
WHERE e.seq > ? ORDER BY e.seq LIMIT ?"""


def head(connection: apsw.Connection) -> Head:
    """The end of the ledger."""
    (row,) = query(connection, "SELECT seq, recorded_at, frontier FROM head")
    return Head(row[0], row[1], Frontier.of_bytes(row[2]))


def entries_after(connection: apsw.Connection, after: int, limit: int) -> list[StoredEntry]:
    """Up to ``limit`` entries with seq > ``after``."""
    rows = query(connection, _ENTRIES, (after, limit))
    return [whole_entry(row[0], partial(_decoded, row)) for row in rows]


def _decoded(row: Row) -> StoredEntry:
    seq, at, kind, v, source, event_id, actor, verified, salt, packed, body, commit, leaf = row
    return StoredEntry(
        seq, at, text(kind), v, text(source), unpack_event_id(event_id),
        Actor(text(actor), text(verified)), salt, unpack_body(packed, body), commit, leaf,
    )  # fmt: skip


def find(connection: apsw.Connection, source: str, event_id: str) -> int | None:
    """The seq of an entry by its source's event id."""
    sql = """SELECT seq FROM entry
        WHERE source = (SELECT id FROM word WHERE text = ?) AND event_id = ?"""
    for (seq,) in query(connection, sql, (pack_text(source), pack_event_id(event_id))):
        return int(seq)
    return None


def position_at(connection: apsw.Connection, recorded_at: int) -> int:
    """The last seq recorded at or before a time: recorded times never go back."""
    low, high = 0, head(connection).seq
    while low < high:
        middle = (low + high + 1) // 2
        sql = "SELECT recorded_at FROM entry WHERE seq = ?"
        ((at,),) = query(connection, sql, (middle,))
        if at <= recorded_at:
            low = middle
        else:
            high = middle - 1
    return low
