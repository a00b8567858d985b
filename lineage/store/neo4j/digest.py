"""The digest of the database's contents."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from lineage.model.canonical import FOREVER
from lineage.model.claims import EdgeType
from lineage.store.digest import digest_of
from lineage.store.neo4j.documents import SHOWN, load_subject, unpack
from lineage.store.neo4j.ledger import entries_after, head
from lineage.store.neo4j.reading import Reading, type_of

__all__ = ["digest"]

Row = tuple[Any, ...]
_CLAIMED = "|".join(["OPEN_USE", *(k.name for k in EdgeType if k is not EdgeType.SAME_AS)])
_CLAIMS = f"""MATCH (u)-[r:{_CLAIMED}]->(d) MATCH (e:Entry {{seq: r.rf}})
RETURN type(r), u.id, d.id, r.vf, r.method, r.said, r.detail, e.source,
  r.rf, coalesce(r.rt, $open)"""
_DERIVED = """MATCH (u)-[r:RESOLVED_USE|SAME_AS]->(d)
RETURN type(r), u.id, d.id, r.vf, coalesce(r.vt, $open), r.method, r.used, r.said,
  r.rf, coalesce(r.rt, $open)"""
_SHOWN = f"""MATCH (n:Node) WHERE n.shown IS NOT NULL OR n.said IS NOT NULL
RETURN n.id, {SHOWN}"""
_COMMITS = """MATCH (v)-[r:COMMIT_OF]->() MATCH (e:Entry {seq: r.rf})
RETURN v.id, e.source, r.known, r.carries, r.files, r.rf, coalesce(r.rt, $open)"""


def digest(reading: Reading, *, recorded: bool) -> str:
    """SHA-256 of the graph at the head; with ``recorded`` of all positions and the ledger."""
    parts: dict[str, list[Row]] = {
        "nodes": [(node,) for (node,) in reading.rows("MATCH (n:Node) RETURN n.id")],
        "claims": list(_shown(_claims(reading), recorded=recorded)),
        "derived": list(_shown(_derived(reading), recorded=recorded)),
        "states": list(_shown(_states(reading), recorded=recorded)),
        "commits": list(_shown(_commits(reading), recorded=recorded)),
    }
    if not recorded:
        parts["derived"] = [row[:6] for row in parts["derived"]]
        return digest_of(**parts)
    parts["nodes"] = [tuple(row) for row in reading.rows("MATCH (n:Node) RETURN n.id, n.first")]
    end = head(reading)
    parts["head"] = [(end.frontier.to_bytes().hex(),)]
    parts["entries"] = [
        (e.seq, e.recorded_at, e.body.hex(), e.leaf.hex())
        for after in range(0, end.seq, 1000)
        for e in entries_after(reading, after, 1000)
    ]
    return digest_of(**parts)


def _claims(reading: Reading) -> Iterator[Row]:
    for kind, up, down, at, method, said, detail, source, rf, rt in reading.rows(_CLAIMS):
        plain = (EdgeType[type_of(kind)], up, down, at, method)
        yield (*plain, unpack(said), unpack(detail), unpack(source), rf, rt)


def _derived(reading: Reading) -> Iterator[Row]:
    for kind, up, down, since, until, method, used, said, rf, rt in reading.rows(_DERIVED):
        plain = (EdgeType[type_of(kind)], up, down, since, until, method)
        yield (*plain, used or "", unpack(said), rf, rt)


def _states(reading: Reading) -> Iterator[Row]:
    for node, *told in reading.rows(_SHOWN):
        for (kind, obj, source), key in load_subject(*told).keys.items():
            for row in (*key.past, *key.rows):
                plain = (node, kind, obj, source, row.since, row.until, row.value, row.method)
                yield (*plain, row.rf, row.rt)


def _commits(reading: Reading) -> Iterator[Row]:
    from json import loads

    for version, source, known, carries, files, rf, rt in reading.rows(_COMMITS):
        added, removed = (tuple(sorted(set(paths))) for paths in loads(files))
        yield version, unpack(source), known, carries, added, removed, rf, rt


def _shown(rows: Iterable[Row], *, recorded: bool) -> Iterator[Row]:
    """Rows that end in (rf, rt): what is visible at the head, or at any position and when."""
    spans: dict[Row, list[tuple[int, int]]] = defaultdict(list)
    for *row, rf, rt in rows:
        if recorded or rt == FOREVER:
            spans[tuple(row)].append((rf, rt))
    for content, when in spans.items():
        if recorded:
            yield from ((*content, *span) for span in _joined(when))
        else:
            yield content


def _joined(spans: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Adjacent positions made one: how often a row was written again does not matter."""
    spans.sort()
    start, end = spans[0]
    for rf, rt in spans[1:]:
        if rf <= end:
            end = max(end, rt)
        else:
            yield start, end
            start, end = rf, rt
    yield start, end
