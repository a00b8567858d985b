"""Derived edges while entries are appended: equivalences, and the versions that uses resolve to."""

from __future__ import annotations

from collections.abc import Iterable

import apsw

from lineage.model.canonical import FOREVER
from lineage.model.claims import EdgeType, Method
from lineage.model.fold import DerivedEdge, Output, Use, Version, derive
from lineage.store.sqlite.connection import query, rows_of
from lineage.store.sqlite.names import Names
from lineage.store.sqlite.texts import unpack_text

__all__ = ["OPEN_USE", "RESOLVED_USE", "Derivation", "stored_type"]

RESOLVED_USE, OPEN_USE = 0, 21
"""Stored types beside :class:`EdgeType`: both show as USED, the first is walked."""

_VISIBLE = "e.rf <= :P AND (e.rt IS NULL OR e.rt > :P)"
_VERSIONS = f"""SELECT v.urn,
  (SELECT min(e.vf) FROM edge e WHERE e.dn = v.id AND e.type = 2 AND {_VISIBLE}),
  (SELECT min(e.at) FROM tcommit e WHERE e.ver = v.id AND {_VISIBLE})
FROM json_each(:ids) j CROSS JOIN node v ON v.parent = j.value WHERE v.first <= :P"""
_USES = f"""SELECT r.urn, a.urn, coalesce(t.said, ''), min(e.vf), min(e.method)
FROM json_each(:ids) j CROSS JOIN edge e ON e.up = j.value AND e.type = {OPEN_USE}
CROSS JOIN node r ON r.id = e.dn CROSS JOIN node a ON a.id = e.up LEFT JOIN note t ON t.id = e.note
WHERE {_VISIBLE} GROUP BY 1, 2, 3"""
_OUTPUTS = f"""SELECT r.urn, v.urn, coalesce(t.said, ''), e.vf
FROM json_each(:ids) j CROSS JOIN node v ON v.parent = j.value
CROSS JOIN edge e ON e.dn = v.id AND e.type = 2
CROSS JOIN node r ON r.id = e.up LEFT JOIN note t ON t.id = e.note WHERE {_VISIBLE}"""
_DERIVED = """SELECT e.dn, e.type, e.up, e.rf, e.n, e.vf, e.vt, e.method, e.used, e.note
FROM (SELECT value AS id FROM json_each(:ids) UNION ALL
      SELECT v.id FROM json_each(:ids) j CROSS JOIN node v ON v.parent = j.value) m
CROSS JOIN edge e ON e.up = m.id AND e.type IN (0, 5) WHERE e.rt IS NULL"""
_NEIGHBOURS = """SELECT DISTINCT s.id, o.id FROM (
  SELECT subj, obj FROM st_op WHERE type = 3 AND subj = :id
  UNION SELECT x.subj, x.obj FROM word w CROSS JOIN st_op x
  ON x.type = 3 AND x.obj = w.id AND x.type NOT IN (1, 4)
  WHERE w.text = (SELECT urn FROM node WHERE id = :id)) p
CROSS JOIN node s ON s.id = p.subj CROSS JOIN word w ON w.id = p.obj
CROSS JOIN node o ON o.urn = w.text WHERE s.parent IS NULL AND o.parent IS NULL"""
_ON = f"""SELECT e.vf, e.vt FROM st e WHERE e.subj = :a AND e.type = 3
AND e.obj = (SELECT id FROM word WHERE text = (SELECT urn FROM node WHERE id = :b))
AND e.value = 'on' AND {_VISIBLE}"""
_INSERT = "INSERT INTO edge VALUES(?,?,?,?,?,?,?,?,NULL,?,?)"
_ROW = "dn = ? AND type = ? AND up = ? AND rf = ? AND n = ?"


def stored_type(edge: DerivedEdge) -> int:
    """How a derived edge is stored."""
    return RESOLVED_USE if edge.type is EdgeType.USED else int(edge.type)


class Derivation:
    """Keeps derived edges equal to :func:`lineage.model.fold.derive` at every position."""

    def __init__(self, connection: apsw.Connection, names: Names) -> None:
        self._connection = connection
        self._names = names
        self._n = 0

    def component(self, start: int) -> dict[int, set[tuple[int, int]]]:
        """Artifacts that were ever said to be one thing with ``start``, each with its pairs."""
        found: dict[int, set[tuple[int, int]]] = {}
        todo = [start]
        while todo:
            artifact = todo.pop()
            if artifact not in found:
                pairs = {(a, b) for a, b in query(self._connection, _NEIGHBOURS, {"id": artifact})}
                found[artifact] = pairs
                todo += [end for pair in pairs for end in pair]
        return found

    def update(self, artifacts: Iterable[int], seq: int) -> None:
        """Derive again, as of ``seq``, everything about these artifacts and their aliases."""
        done: set[int] = set()
        for artifact in artifacts:
            if artifact not in done:
                component = self.component(artifact)
                done |= component.keys()
                pairs = {pair for of_one in component.values() for pair in of_one}
                self._replace(sorted(component), self._derived(sorted(component), pairs, seq), seq)

    def _derived(
        self, members: list[int], pairs: set[tuple[int, int]], seq: int
    ) -> frozenset[DerivedEdge]:
        at = {"ids": str(members), "P": seq}
        urns: dict[int, str] = dict(rows_of(self._connection, _URNS, at))
        aliases = [
            (urns[a], urns[b], since, FOREVER if until is None else until)
            for a, b in pairs
            for since, until in query(self._connection, _ON, {"a": a, "b": b, "P": seq})
        ]
        versions = [
            Version(urn, min((t for t in (made, committed) if t is not None), default=None))
            for urn, made, committed in query(self._connection, _VERSIONS, at)
        ]
        uses = [
            Use(run, artifact, unpack_text(said), since, Method(method))
            for run, artifact, said, since, method in query(self._connection, _USES, at)
        ]
        outputs = [
            Output(run, version, unpack_text(said), since)
            for run, version, said, since in query(self._connection, _OUTPUTS, at)
        ]
        return derive(sorted(urns.values()), aliases, versions, uses, outputs)

    def _replace(self, members: list[int], wanted: frozenset[DerivedEdge], seq: int) -> None:
        rows = {self._row(edge) for edge in wanted}
        kept = set()
        for dn, kind, up, rf, n, *rest in rows_of(
            self._connection, _DERIVED, {"ids": str(members)}
        ):
            row = (dn, kind, up, *rest)
            if row in rows:
                kept.add(row)
            elif rf == seq:
                self._connection.execute(f"DELETE FROM edge WHERE {_ROW}", (dn, kind, up, rf, n))
            else:
                sql = f"UPDATE edge SET rt = ? WHERE {_ROW}"
                self._connection.execute(sql, (seq, dn, kind, up, rf, n))
        for dn, kind, up, vf, vt, method, used, note in rows - kept:
            self._n += 1
            row = (dn, kind, up, seq, self._n, vf, method, vt, note, used)
            self._connection.execute(_INSERT, row)

    def _row(self, edge: DerivedEdge) -> tuple[int | None, ...]:
        artifact, said = edge.use or ("", "")
        return (
            self._names.node(edge.down), stored_type(edge), self._names.node(edge.up),
            edge.since, None if edge.until == FOREVER else edge.until, int(edge.method),
            self._names.node(artifact) if artifact else None, self._names.note(said, ""),
        )  # fmt: skip

    def begin(self) -> None:
        """An entry begins: numbers of its derived rows start again."""
        self._n = 0

    def rewrite(self, artifacts: Iterable[int], seq: int) -> None:
        """Derive again at every position: a claim of the past was erased."""
        done: set[int] = set()
        for artifact in artifacts:
            if artifact in done:
                continue
            component = sorted(self.component(artifact))
            done |= set(component)
            rows = rows_of(self._connection, _ALL_DERIVED, {"ids": str(component)})
            for row in rows:
                self._connection.execute(f"DELETE FROM edge WHERE {_ROW}", row)
            for (position,) in rows_of(self._connection, _POSITIONS, {"ids": str(component)}):
                if position <= seq:
                    self.update([artifact], position)


_URNS = "SELECT n.id, n.urn FROM json_each(:ids) j CROSS JOIN node n ON n.id = j.value"
_ALL_DERIVED = """SELECT e.dn, e.type, e.up, e.rf, e.n
FROM (SELECT value AS id FROM json_each(:ids) UNION ALL
      SELECT v.id FROM json_each(:ids) j CROSS JOIN node v ON v.parent = j.value) m
CROSS JOIN edge e ON e.up = m.id AND e.type IN (0, 5)"""
_POSITIONS = f"""WITH m(id) AS (SELECT value FROM json_each(:ids)),
  v(id, first) AS (SELECT n.id, n.first FROM m CROSS JOIN node n ON n.parent = m.id),
  spans(rf, rt) AS (
    SELECT first, NULL FROM v
    UNION SELECT e.rf, e.rt FROM v CROSS JOIN edge e ON e.dn = v.id AND e.type = 2
    UNION SELECT e.rf, e.rt FROM v CROSS JOIN tcommit e ON e.ver = v.id
    UNION SELECT e.rf, e.rt FROM m CROSS JOIN edge e ON e.up = m.id AND e.type = {OPEN_USE}
    UNION SELECT e.rf, e.rt FROM m CROSS JOIN st e ON e.subj = m.id AND e.type = 3)
SELECT rf FROM spans UNION SELECT rt FROM spans WHERE rt IS NOT NULL ORDER BY 1"""
