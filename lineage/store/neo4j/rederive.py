"""Derived edges of a family at every position, from nothing but the claims: by the definition.

For what happens rarely: a claim of the past was erased.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from lineage.model.canonical import FOREVER
from lineage.model.claims import Method, StateType
from lineage.model.ids import token_of
from lineage.model.resolution import DerivedEdge, Output, Use, Version, derive
from lineage.store.neo4j.derived import Derived, DerivedRow
from lineage.store.neo4j.documents import unpack
from lineage.store.neo4j.family import Alias
from lineage.store.neo4j.statements import Statements
from lineage.store.neo4j.working import WorkingSet

__all__ = ["rederive"]

_DROP = """UNWIND $ids AS id MATCH (:Node {id: id})<-[:VERSION_OF*0..1]-(x)
MATCH (x)-[r:RESOLVED_USE|SAME_AS]->() WITH DISTINCT r DELETE r"""
_VERSIONS = """UNWIND $ids AS id MATCH (:Node {id: id})<-[:VERSION_OF]-(v)
RETURN v.id, v.first,
  COLLECT { MATCH (r)-[g:GENERATED]->(v) RETURN [r.id, g.said, g.vf, g.rf, coalesce(g.rt, $open)] },
  COLLECT { MATCH (v)-[c:COMMIT_OF]->() RETURN [c.vf, c.rf, coalesce(c.rt, $open)] }"""
_USES = """UNWIND $ids AS id MATCH (a:Node {id: id})-[u:OPEN_USE]->(r)
RETURN r.id, a.id, u.said, u.vf, u.method, u.rf, coalesce(u.rt, $open)"""


@dataclass(slots=True)
class _Everything:
    """Claims with the positions ``(rf, rt)`` they are visible at."""

    known: list[tuple[str, int]] = field(default_factory=list)
    made: list[tuple[str, int, int, int]] = field(default_factory=list)
    outputs: list[tuple[Output, int, int]] = field(default_factory=list)
    uses: list[tuple[Use, int, int]] = field(default_factory=list)
    aliases: list[tuple[Alias, int, int]] = field(default_factory=list)

    def positions(self) -> list[int]:
        """Where anything becomes visible or ceases to be."""
        found = {first for _, first in self.known}
        for _, rf, rt in (*self.outputs, *self.uses, *self.aliases):
            found |= {rf, rt}
        for _, _, rf, rt in self.made:
            found |= {rf, rt}
        return sorted(found - {FOREVER})

    def at(self, members: Sequence[str], position: int) -> frozenset[DerivedEdge]:
        """What follows at a position."""
        made: dict[str, int] = {}
        for version, when, rf, rt in self.made:
            if rf <= position < rt:
                made[version] = min(when, made.get(version, when))
        least: dict[tuple[str, str, str], Use] = {}
        for use, rf, rt in self.uses:
            if rf <= position < rt:
                key = (use.run, use.artifact, use.said)
                had = least.get(key, use)
                least[key] = Use(*key, min(had.at, use.at), min(had.method, use.method))
        return derive(
            members,
            [alias for alias, rf, rt in self.aliases if rf <= position < rt],
            [Version(v, made.get(v)) for v, first in self.known if first <= position],
            list(least.values()),
            [output for output, rf, rt in self.outputs if rf <= position < rt],
        )


def rederive(
    statements: Statements, working: WorkingSet, members: Sequence[str], now: int
) -> list[DerivedRow]:
    """Drop all derived edges of a component; returns those that take their place."""
    statements.write(_DROP, ids=list(members))
    everything = _read(statements, working, members)
    rows: list[DerivedRow] = []
    shown: dict[Derived, DerivedRow] = {}
    for position in everything.positions():
        if position > now:
            break
        wanted = {_derived(edge) for edge in everything.at(members, position)}
        for edge in shown.keys() - wanted:
            shown.pop(edge).rt = position
        for edge in wanted - shown.keys():
            shown[edge] = DerivedRow(edge, position)
            rows.append(shown[edge])
    return rows


def _derived(edge: DerivedEdge) -> Derived:
    return Derived(
        edge.type, edge.up, edge.down, edge.since, edge.until, edge.method, *(edge.use or ())
    )


def _read(statements: Statements, working: WorkingSet, members: Sequence[str]) -> _Everything:
    found = _Everything(aliases=list(_aliases(working, members)))
    for version, first, outputs, commits in statements.rows(
        _VERSIONS, ids=list(members), open=FOREVER
    ):
        found.known.append((version, first))
        found.made += [(version, *row) for row in commits]
        for run, said, at, rf, rt in outputs:
            found.made.append((version, at, rf, rt))
            found.outputs.append((Output(run, version, unpack(said), at), rf, rt))
    for run, artifact, said, at, method, rf, rt in statements.rows(
        _USES, ids=list(members), open=FOREVER
    ):
        found.uses.append((Use(run, artifact, unpack(said), at, Method(method)), rf, rt))
    return found


def _aliases(working: WorkingSet, members: Sequence[str]) -> Iterator[tuple[Alias, int, int]]:
    for member in members if len(members) > 1 else ():
        for (kind, obj, _), key in working.subject(member).keys.items():
            if kind is StateType.SAME_AS and not token_of(obj):
                for row in (*key.past, *key.rows):
                    if row.value == "on":
                        alias: Any = (member, obj, row.since, row.until)
                        yield alias, row.rf, row.rt
