"""Derived edges while entries are appended: equivalences, and the versions that uses resolve to.

The definition is :func:`lineage.model.resolution.derive`. This is the way that always works: read
all of an alias component, derive, and write what differs.
:mod:`lineage.store.sqlite.resolution` is the short way for an entry that touches little of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import apsw

from lineage.model.canonical import FOREVER
from lineage.model.claims import EdgeType, Method
from lineage.model.resolution import DerivedEdge, Output, Use, Version, derive
from lineage.store.sqlite.components import OPEN_USE, Components
from lineage.store.sqlite.connection import Row, query, rows_of
from lineage.store.sqlite.names import Names
from lineage.store.sqlite.texts import unpack_text

__all__ = ["INSERT", "OPEN_USE", "RESOLVED_USE", "Derivation"]

RESOLVED_USE = 0
"""Stored type beside :class:`EdgeType`, as ``OPEN_USE``: both show as USED, this one is walked."""

INSERT = "INSERT INTO edge VALUES(?,?,?,?,?,?,?,?,NULL,?,?)"
_VISIBLE = "e.rf <= :P AND (e.rt IS NULL OR e.rt > :P)"
_URNS = "SELECT n.id, n.urn FROM json_each(:ids) j CROSS JOIN node n ON n.id = j.value"
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
_ENDS = """(SELECT value AS id FROM json_each(:ids) UNION ALL
  SELECT v.id FROM json_each(:ids) j CROSS JOIN node v ON v.parent = j.value)"""
_DERIVED = f"""SELECT e.dn, e.type, e.up, e.rf, e.n, e.vf, e.vt, e.method, e.used, e.note
FROM {_ENDS} m CROSS JOIN edge e ON e.up = m.id AND e.type IN (0, 5) WHERE e.rt IS NULL"""
_ALL_DERIVED = f"""SELECT e.dn, e.type, e.up, e.rf, e.n
FROM {_ENDS} m CROSS JOIN edge e ON e.up = m.id AND e.type IN (0, 5)"""
_POSITIONS = f"""WITH m(id) AS (SELECT value FROM json_each(:ids)),
  v(id, first) AS (SELECT n.id, n.first FROM m CROSS JOIN node n ON n.parent = m.id),
  spans(rf, rt) AS (
    SELECT first, NULL FROM v
    UNION SELECT e.rf, e.rt FROM v CROSS JOIN edge e ON e.dn = v.id AND e.type = 2
    UNION SELECT e.rf, e.rt FROM v CROSS JOIN tcommit e ON e.ver = v.id
    UNION SELECT e.rf, e.rt FROM m CROSS JOIN edge e ON e.up = m.id AND e.type = {OPEN_USE}
    UNION SELECT e.rf, e.rt FROM m CROSS JOIN st e ON e.subj = m.id AND e.type = 3)
SELECT rf FROM spans UNION SELECT rt FROM spans WHERE rt IS NOT NULL ORDER BY 1"""
_ROW = "dn = ? AND type = ? AND up = ? AND rf = ? AND n = ?"


class Derivation:
    """Keeps derived edges equal to the definition at every position."""

    def __init__(self, connection: apsw.Connection, names: Names, components: Components) -> None:
        self._connection = connection
        self._names = names
        self._components = components
        self._n = 0

    def begin(self) -> None:
        """An entry begins: numbers of its derived rows start again."""
        self._n = 0

    def next_row(self) -> int:
        """A number that no other derived row of this entry has."""
        self._n += 1
        return self._n

    # --- everything about some artifacts

    def update(self, artifacts: Iterable[int], seq: int) -> set[int]:
        """Derive again, as of ``seq``, all about these artifacts and their aliases: returned."""
        done: set[int] = set()
        for artifact in artifacts:
            if artifact not in done:
                members = sorted(self._components.component(artifact))
                done.update(members)
                at = {"ids": str(members)}
                had = rows_of(self._connection, _DERIVED, at)
                self.replace(had, map(self._row, self._derived(members, seq)), seq)
        return done

    def _derived(self, members: Sequence[int], seq: int) -> frozenset[DerivedEdge]:
        at = {"ids": str(members), "P": seq}
        urns: dict[int, str] = dict(rows_of(self._connection, _URNS, at))
        aliases = [
            (urns[a], urns[b], since, until)
            for a, b, since, until in self._components.aliases(members, seq)
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

    def _row(self, edge: DerivedEdge) -> Row:
        artifact, said = edge.use or ("", "")
        return (
            self._names.node(edge.down),
            RESOLVED_USE if edge.type is EdgeType.USED else int(edge.type),
            self._names.node(edge.up),
            edge.since,
            None if edge.until == FOREVER else edge.until,
            int(edge.method),
            self._names.node(artifact) if artifact else None,
            self._names.note(said, ""),
        )

    def replace(self, had: Iterable[Row], wanted: Iterable[Row], seq: int) -> bool:
        """From ``seq`` on show these derived rows instead of those; whether they differ.

        Rows are (dn, type, up, vf, vt, method, used, note), those that were with (rf, n) after up.
        """
        rows = set(wanted)
        kept = set()
        changed = False
        for dn, kind, up, rf, n, *rest in had:
            row = (dn, kind, up, *rest)
            if row in rows:
                kept.add(row)
                continue
            changed = True
            if rf == seq:
                self._connection.execute(f"DELETE FROM edge WHERE {_ROW}", (dn, kind, up, rf, n))
            else:
                sql = f"UPDATE edge SET rt = ? WHERE {_ROW}"
                self._connection.execute(sql, (seq, dn, kind, up, rf, n))
        for dn, kind, up, vf, vt, method, used, note in rows - kept:
            changed = True
            row = (dn, kind, up, seq, self.next_row(), vf, method, vt, note, used)
            self._connection.execute(INSERT, row)
        return changed

    def move(self, rows: Iterable[Row], target: int, seq: int) -> None:
        """From ``seq`` on these uses resolve to another version, for being the last before them.

        Rows are (dn, up, rf, n, vf, method, used, note).
        """
        closed, dropped, new = [], [], []
        for dn, up, rf, n, vf, _, used, note in rows:
            row = (dn, RESOLVED_USE, up, rf, n)
            if rf == seq:
                dropped.append(row)
            else:
                closed.append((seq, *row))
            number = self.next_row()
            how = int(Method.INFERRED)
            new.append((dn, RESOLVED_USE, target, seq, number, vf, how, None, note, used))
        self._connection.executemany(f"DELETE FROM edge WHERE {_ROW}", dropped)
        self._connection.executemany(f"UPDATE edge SET rt = ? WHERE {_ROW}", closed)
        self._connection.executemany(INSERT, new)

    # --- a claim of the past was erased

    def rewrite(self, artifacts: Iterable[int], seq: int) -> None:
        """Derive again at every position up to ``seq``."""
        done: set[int] = set()
        for artifact in artifacts:
            if artifact in done:
                continue
            component = sorted(self._components.component(artifact))
            done.update(component)
            for row in rows_of(self._connection, _ALL_DERIVED, {"ids": str(component)}):
                self._connection.execute(f"DELETE FROM edge WHERE {_ROW}", row)
            for (position,) in rows_of(self._connection, _POSITIONS, {"ids": str(component)}):
                if position <= seq:
                    self.update([artifact], position)
