"""Reads of edges and of the claims behind them."""

from __future__ import annotations

from collections.abc import Sequence

from lineage.model.claims import EdgeType, Method
from lineage.store.contract import Direction, Edge, Evidence
from lineage.store.sqlite.derivation import OPEN_USE, RESOLVED_USE
from lineage.store.sqlite.reading import KNOWN, Reading
from lineage.store.sqlite.texts import unpack_text

__all__ = ["HOLDS", "edges", "evidence"]

HOLDS = f"{KNOWN} AND e.vf <= :T AND (e.vt IS NULL OR e.vt > :T)"
"""An edge ``e`` is visible at the position and holds at the valid time."""


def edges(
    reading: Reading, ids: Sequence[str], direction: Direction, types: Sequence[EdgeType]
) -> list[Edge]:
    """Direct edges of known ids."""
    numbers = str(list(reading.numbers(ids).values()))
    side = "dn" if direction is Direction.UPSTREAM else "up"
    stored = {int(kind) for kind in types or EdgeType}
    if EdgeType.USED in stored:
        stored.add(RESOLVED_USE)
    kinds = ", ".join(map(str, sorted(stored)))
    sql = f"""SELECT max(e.type, 1), u.urn, d.urn, min(e.vf), min(e.method)
        FROM json_each(:ids) j CROSS JOIN edge e ON e.{side} = j.value AND e.type IN ({kinds})
        CROSS JOIN node u ON u.id = e.up CROSS JOIN node d ON d.id = e.dn
        WHERE {HOLDS} GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"""
    return [
        Edge(EdgeType(kind), up, down, at, Method(method))
        for kind, up, down, at, method in reading.query(sql, ids=numbers)
    ]


_EVIDENCE = f"""SELECT DISTINCT e.rf, s.text, e.method, e.vf, coalesce(t.said, ''),
  coalesce(t.detail, '')
FROM edge e CROSS JOIN entry x ON x.seq = e.rf CROSS JOIN word s ON s.id = x.source
LEFT JOIN note t ON t.id = e.note
WHERE e.dn = :down AND e.type = :kind AND e.up = :up AND {KNOWN} AND e.vf <= :T"""
_USES = f"""SELECT DISTINCT e.used, coalesce(t.said, '')
FROM edge e LEFT JOIN note t ON t.id = e.note
WHERE e.dn = :down AND e.type = {RESOLVED_USE} AND e.up = :up AND {HOLDS}"""


def evidence(reading: Reading, kind: EdgeType, up: str, down: str) -> list[Evidence]:
    """Claims behind an edge; for a resolved use those of the uses that resolve to it."""
    numbers = reading.numbers([up, down])
    if up not in numbers or down not in numbers or kind is EdgeType.SAME_AS:
        return []  # an equivalence is derived: its evidence is that of the states
    ends = {"up": numbers[up], "down": numbers[down]}
    rows = set(reading.query(_EVIDENCE, kind=int(kind), **ends))
    if kind is EdgeType.USED:
        for artifact, said in reading.rows(_USES, **ends):
            behind = {"kind": OPEN_USE, "up": artifact, "down": numbers[down]}
            rows |= {row for row in reading.query(_EVIDENCE, **behind) if row[4] == said}
    found = [
        Evidence(seq, unpack_text(source), Method(method), at, unpack_text(said), unpack_text(note))
        for seq, source, method, at, said, note in rows
    ]
    return sorted(found, key=lambda e: (e.seq, e.at, e.method, e.said, e.detail))
