"""Reads of edges and of the claims behind them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from lineage.model.claims import EdgeType, Method
from lineage.store.contract import Direction, Edge, Evidence
from lineage.store.neo4j.documents import unpack
from lineage.store.neo4j.reading import HOLDS, KNOWN, Reading

__all__ = ["edges", "evidence", "joined"]

_UP = f"""UNWIND $ids AS id MATCH (d:Node {{{{id: id}}}})<-[r:{{types}}]-(u) WHERE {HOLDS}
RETURN type(r), u.id, d.id, min(r.vf), min(r.method)"""
_DOWN = f"""UNWIND $ids AS id MATCH (u:Node {{{{id: id}}}})-[r:{{types}}]->(d) WHERE {HOLDS}
RETURN type(r), u.id, d.id, min(r.vf), min(r.method)"""
_EVIDENCE = f"""MATCH (u:Node {{{{id: $up}}}})-[r:{{type}}]->(d:Node {{{{id: $down}}}})
WHERE {KNOWN} AND r.vf <= $T MATCH (e:Entry {{{{seq: r.rf}}}})
RETURN DISTINCT r.rf, e.source, r.method, r.vf, r.said, r.detail"""
_USES = f"""MATCH (u:Node {{id: $up}})-[r:RESOLVED_USE]->(d:Node {{id: $down}}) WHERE {HOLDS}
RETURN DISTINCT r.used, r.said"""


_TYPES = {"OPEN_USE": EdgeType.USED, **EdgeType.__members__}
_METHODS = list(Method)


def edges(
    reading: Reading, ids: Sequence[str], direction: Direction, types: Sequence[EdgeType]
) -> list[Edge]:
    """Direct edges of known ids."""
    wanted = set(types or EdgeType)
    stored = [kind.name for kind in wanted]
    if EdgeType.USED in wanted:
        stored += ["RESOLVED_USE"]
    query = _UP if direction is Direction.UPSTREAM else _DOWN
    asked = list(reading.known(ids))
    return joined(reading.rows(query.format(types="|".join(stored)), ids=asked)) if asked else []


def joined(rows: Iterable[Sequence[Any]]) -> list[Edge]:
    """Edges as they show: each once, with its least time and its strongest method."""
    shown: dict[tuple[str, str, str], tuple[int, int]] = {}
    for stored, up, down, at, method in rows:
        key = (stored, up, down) if stored != "RESOLVED_USE" else ("USED", up, down)
        had = shown.get(key)
        shown[key] = (at, method) if had is None else (min(at, had[0]), min(method, had[1]))
    return sorted(
        [
            Edge(_TYPES[kind], up, down, at, _METHODS[method])
            for (kind, up, down), (at, method) in shown.items()
        ]
    )


def evidence(reading: Reading, kind: EdgeType, up: str, down: str) -> list[Evidence]:
    """Claims behind an edge; for a resolved use those of the uses that resolve to it."""
    known = reading.known([up, down])
    if up not in known or down not in known or kind is EdgeType.SAME_AS:
        return []  # an equivalence is derived: its evidence is that of the states
    query = _EVIDENCE.format(type=kind.name)
    rows = {tuple(row) for row in reading.rows(query, up=up, down=down)}
    if kind is EdgeType.USED:
        open_use = _EVIDENCE.format(type="OPEN_USE")
        for artifact, said in reading.rows(_USES, up=up, down=down):
            behind = reading.rows(open_use, up=artifact, down=down)
            rows |= {tuple(row) for row in behind if unpack(row[4]) == unpack(said)}
    found = {
        Evidence(seq, unpack(source), Method(method), at, unpack(said), unpack(detail))
        for seq, source, method, at, said, detail in rows
    }
    return sorted(found, key=lambda e: (e.seq, e.at, e.method, e.said, e.detail))
