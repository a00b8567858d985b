"""Families as the database has them: what is claimed of their members, and what follows."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from lineage.model.claims import EdgeType, Method
from lineage.model.ids import artifact_of
from lineage.store.neo4j.derived import Derived, DerivedRow
from lineage.store.neo4j.documents import unpack
from lineage.store.neo4j.family import Family
from lineage.store.neo4j.groups import Claimed

if TYPE_CHECKING:
    from lineage.store.neo4j.working import WorkingSet

__all__ = ["load_families"]

_VERSIONS = """UNWIND $ids AS id MATCH (:Node {id: id})<-[:VERSION_OF]-(v)
RETURN v.id,
  COLLECT { MATCH (r)-[g:GENERATED]->(v) WHERE g.rt IS NULL RETURN [r.id, g.said, g.vf, g.rf] },
  COLLECT { MATCH (v)-[c:COMMIT_OF]->() WHERE c.rt IS NULL RETURN [c.vf, c.rf] },
  COLLECT { MATCH (v)-[d:RESOLVED_USE]->(r) WHERE d.rt IS NULL
    RETURN [r.id, d.vf, coalesce(d.vt, $open), d.method, d.used, d.said, d.rf] },
  COLLECT { MATCH (v)-[s:SAME_AS]->(w) WHERE s.rt IS NULL
    RETURN [w.id, s.vf, coalesce(s.vt, $open), s.method, s.rf] }"""
_USES = """UNWIND $ids AS id MATCH (a:Node {id: id})
RETURN a.id,
  COLLECT { MATCH (a)-[u:OPEN_USE]->(r) WHERE u.rt IS NULL
    RETURN [r.id, u.said, u.vf, u.method, u.rf] },
  COLLECT { MATCH (a)-[d:RESOLVED_USE]->(r) WHERE d.rt IS NULL
    RETURN [r.id, d.vf, coalesce(d.vt, $open), d.method, d.used, d.said, d.rf] },
  COLLECT { MATCH (a)-[s:SAME_AS]->(w) WHERE s.rt IS NULL
    RETURN [w.id, s.vf, coalesce(s.vt, $open), s.method, s.rf] }"""


def load_families(working: WorkingSet, components: list[list[str]]) -> list[Family]:
    """Families as the database has them."""
    ids = [member for component in components for member in component]
    claimed: dict[str, Claimed] = defaultdict(Claimed)
    rows: dict[str, list[DerivedRow]] = defaultdict(list)
    for version, outputs, commits, uses, same in working.rows(_VERSIONS, ids):
        artifact = artifact_of(version)
        of_artifact = claimed[artifact]
        of_artifact.know(version)
        of_artifact.versions[version] += [(at, seq) for at, seq in commits]
        for run, said, at, seq in outputs:
            of_artifact.output(run, version, unpack(said), at, seq)
        rows[artifact] += [*_resolved(version, uses), *_same(version, same)]
    for artifact, open_uses, uses, same in working.rows(_USES, ids):
        for run, said, at, method, seq in open_uses:
            of_artifact, key = claimed[artifact], (run, artifact, unpack(said))
            claims = of_artifact.uses.get(key, [])
            of_artifact.use(key, [*claims, (at, Method(method), seq)])
        rows[artifact] += [*_resolved(artifact, uses), *_same(artifact, same)]
    families = []
    for component in components:
        merged = Claimed()
        for member in component:
            merged.update(claimed[member])
        aliases = working.aliases(component) if len(component) > 1 else []
        all_rows = [row for member in component for row in rows[member]]
        families.append(Family(component, aliases, merged, all_rows))
    return families


def _resolved(target: str, uses: list[list[Any]]) -> list[DerivedRow]:
    return [
        DerivedRow(
            Derived(EdgeType.USED, target, run, since, until, Method(method), used, unpack(said)),
            rf, stored=True,
        )
        for run, since, until, method, used, said, rf in uses
    ]  # fmt: skip


def _same(one: str, others: list[list[Any]]) -> list[DerivedRow]:
    return [
        DerivedRow(
            Derived(EdgeType.SAME_AS, one, other, since, until, Method(method)), rf, stored=True
        )
        for other, since, until, method, rf in others
    ]
