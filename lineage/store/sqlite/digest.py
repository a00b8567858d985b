"""The digest of the file's contents: independent of how names were numbered."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import apsw

from lineage.model.canonical import FOREVER
from lineage.store.digest import digest_of
from lineage.store.sqlite.connection import Row, query
from lineage.store.sqlite.derivation import OPEN_USE, RESOLVED_USE
from lineage.store.sqlite.ledger import entries_after, head
from lineage.store.sqlite.texts import unpack_text

__all__ = ["digest"]

_CLAIMS = f"""SELECT CASE e.type WHEN {OPEN_USE} THEN 1 ELSE e.type END, u.urn, d.urn, e.vf,
  e.method, coalesce(t.said, ''), coalesce(t.detail, ''), s.text, e.rf, e.rt
FROM edge e CROSS JOIN node u ON u.id = e.up CROSS JOIN node d ON d.id = e.dn
CROSS JOIN entry x ON x.seq = e.rf CROSS JOIN word s ON s.id = x.source
LEFT JOIN note t ON t.id = e.note WHERE e.type NOT IN ({RESOLVED_USE}, 5)"""
_DERIVED = f"""SELECT max(e.type, 1), u.urn, d.urn, e.vf, e.vt, e.method,
  coalesce(a.urn, ''), coalesce(t.said, ''), e.rf, e.rt
FROM edge e CROSS JOIN node u ON u.id = e.up CROSS JOIN node d ON d.id = e.dn
LEFT JOIN node a ON a.id = e.used LEFT JOIN note t ON t.id = e.note
WHERE e.type IN ({RESOLVED_USE}, 5)"""
_STATES = """SELECT n.urn, e.type, o.text, coalesce(s.text, ''), e.vf, e.vt, e.value, e.method,
  e.rf, e.rt
FROM st e CROSS JOIN node n ON n.id = e.subj CROSS JOIN word o ON o.id = e.obj
LEFT JOIN word s ON s.id = e.src"""
_COMMITS = """SELECT v.urn, s.text, e.known, e.carries, e.rf, e.rt, e.tlog, e.number, e.n
FROM tcommit e CROSS JOIN node v ON v.id = e.ver CROSS JOIN entry x ON x.seq = e.rf
CROSS JOIN word s ON s.id = x.source"""
_FILES = """SELECT c.gone, f.path FROM tchange c CROSS JOIN tfile f ON f.id = c.file
WHERE c.tlog = ? AND c.number = ? AND c.rf = ? AND c.n = ?"""

Span = tuple[int, int | None]


def digest(connection: apsw.Connection, *, recorded: bool) -> str:
    """SHA-256 of the graph at the head; with ``recorded`` of all positions and the ledger."""
    parts: dict[str, list[Row]] = {
        "nodes": list(query(connection, "SELECT urn FROM node")),
        "claims": list(_shown(_texts(query(connection, _CLAIMS)), recorded=recorded)),
        "derived": _derived(connection, recorded=recorded),
        "states": list(_shown(_ends(_texts(query(connection, _STATES)), 5), recorded=recorded)),
        "commits": list(_shown(_commits(connection), recorded=recorded)),
    }
    if recorded:
        parts["nodes"] = list(query(connection, "SELECT urn, first FROM node"))
        parts["entries"] = [
            (e.seq, e.recorded_at, e.body.hex(), e.leaf.hex())
            for e in entries_after(connection, 0, -1)
        ]
        parts["head"] = [(head(connection).frontier.to_bytes().hex(),)]
    return digest_of(**parts)


def _texts(rows: Any) -> Iterator[Row]:
    for row in rows:
        yield tuple(unpack_text(item) if isinstance(item, bytes) else item for item in row)


def _ends(rows: Iterator[Row], at: int) -> Iterator[Row]:
    """The open end of valid time, which is stored as NULL."""
    for row in rows:
        yield (*row[:at], FOREVER if row[at] is None else row[at], *row[at + 1 :])


def _shown(rows: Iterator[Row], *, recorded: bool) -> Iterator[Row]:
    """Rows that end in (rf, rt): what is visible at the head, or at any position and when."""
    spans: dict[Row, list[Span]] = defaultdict(list)
    for *row, rf, rt in rows:
        if recorded or rt is None:
            spans[tuple(row)].append((rf, rt))
    for content, when in spans.items():
        if recorded:
            yield from ((*content, *span) for span in _joined(when))
        else:
            yield content


def _joined(spans: list[Span]) -> Iterator[Span]:
    """Adjacent positions made one: how often a row was written again does not matter."""
    spans.sort(key=lambda span: span[0])
    start, end = spans[0]
    for rf, rt in spans[1:]:
        if end is None or rf <= end:
            end = None if end is None or rt is None else max(end, rt)
        else:
            yield start, end
            start, end = rf, rt
    yield start, end


def _derived(connection: apsw.Connection, *, recorded: bool) -> list[Row]:
    rows = list(_shown(_ends(_texts(query(connection, _DERIVED)), 4), recorded=recorded))
    return rows if recorded else [row[:6] for row in rows]


def _commits(connection: apsw.Connection) -> Iterator[Row]:
    for version, source, known, carries, rf, rt, *key in list(query(connection, _COMMITS)):
        files: tuple[list[str], list[str]] = ([], [])
        for gone, path in query(connection, _FILES, (key[0], key[1], rf, key[2])):
            files[gone].append(unpack_text(path))
        added, removed = (tuple(sorted(paths)) for paths in files)
        yield version, unpack_text(source), bool(known), bool(carries), added, removed, rf, rt
