"""What waits to be written, and the statements that write it: a few for a whole batch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import neo4j

from lineage.model.canonical import FOREVER
from lineage.model.claims import EdgeType, Occurrence, StateType
from lineage.model.ids import ARTIFACT, RUN, artifact_of, class_of, parse_id, token_of
from lineage.model.naming import terms_of_name
from lineage.store.neo4j.derived import DerivedRow
from lineage.store.neo4j.documents import dump_said, dump_shown, pack, searchable
from lineage.store.neo4j.states import Subject

__all__ = ["Pending", "object_key", "stored_type"]

_LABELS = {
    "artifact": "Artifact", "job": "Job", "run": "Run", "team": "Team", "person": "Person",
    "service": "Service", "scope": "Scope",
}  # fmt: skip
_ENTRIES = """UNWIND $rows AS e CREATE (:Entry {seq: e[0], ref: e[1], recorded_at: e[2], kind: e[3],
v: e[4], source: e[5], event_id: e[6], actor: e[7], verified: e[8], salt: e[9], packed: e[10],
body: e[11], commitment: e[12], leaf: e[13]})"""
_NODES = "UNWIND $rows AS n CREATE (:Node:{label} {{id: n[0], first: n[1], name: n[2]}})"
_VERSION_OF = """UNWIND $rows AS v MATCH (a:Node {id: v[1]})
CREATE (:Node:Version {id: v[0], first: v[2]})-[:VERSION_OF]->(a)"""
_EDGES = """UNWIND $rows AS e MATCH (u:Node {{id: e[0]}}) MATCH (d:Node {{id: e[1]}})
CREATE (u)-[:{type} {{rf: e[2], rt: e[3], vf: e[4], vt: $open, method: e[5], said: e[6],
detail: e[7]}}]->(d)"""
_DERIVED = """UNWIND $rows AS e MATCH (u:Node {{id: e[0]}}) MATCH (d:Node {{id: e[1]}})
CREATE (u)-[:{type} {{rf: e[2], rt: e[3], vf: e[4], vt: e[5], method: e[6], used: e[7],
said: e[8]}}]->(d)"""
_CLOSE = """UNWIND $rows AS e MATCH (u:Node {{id: e[0]}}) MATCH (d:Node {{id: e[1]}})
MATCH (u)-[r:{type} {{rf: e[2], vf: e[4], vt: e[5], method: e[6], rt: $open}}]->(d)
WHERE r.used IS NULL OR (r.used = e[7] AND coalesce(r.said, '') = coalesce(e[8], ''))
SET r.rt = e[3]"""
_TERMS = """UNWIND $rows AS t MERGE (term:Term {text: t[0]}) WITH t, term
MATCH (n:Node {id: t[1]}) CREATE (term)-[:OF]->(n)"""
_KINDS = "UNWIND $rows AS k MERGE (:KindSaid {value: k[0], id: k[1]})"
_OBJECTS = """UNWIND $rows AS o MERGE (object:Object {type: o[0], key: o[1]}) WITH o, object
MATCH (n:Node {id: o[2]}) MERGE (n)-[:HOLDS]->(object)"""
_SAID_SAME = """UNWIND $rows AS s MATCH (a:Node {id: s[0]}) MATCH (b:Node {id: s[1]})
MERGE (a)-[:SAID_SAME]->(b)"""
_SHOWN = "UNWIND $rows AS s MATCH (n:Node {id: s[0]}) SET n.shown = s[1]"
_SAID_FIRST = "UNWIND $rows AS s MATCH (n:Node {id: s[0]}) SET n.shown = s[1], n.said = s[2]"
_SAID_MORE = "UNWIND $rows AS s MATCH (n:Node {id: s[0]}) CREATE (n)-[:SAID]->(:Said {ops: s[1]})"
_SAID_ANEW = """UNWIND $rows AS s MATCH (n:Node {id: s[0]}) SET n.said = s[1] WITH n
OPTIONAL MATCH (n)-[:SAID]->(more) DETACH DELETE more"""
_COMMITS = """UNWIND $rows AS c MERGE (l:Log {key: c[0]}) ON CREATE SET l.table = c[1], l.log = c[2]
WITH c, l MATCH (v:Node {id: c[3]})
CREATE (v)-[:COMMIT_OF {rf: c[4], rt: c[5], vf: c[6], number: c[7], known: c[8], carries: c[9],
n: c[10], files: c[11]}]->(l)"""


def stored_type(claim: Occurrence) -> str:
    """The type of a claim's relationship: a use by a run of an artifact without version is open."""
    open_use = (
        claim.type is EdgeType.USED
        and class_of(claim.up) == ARTIFACT
        and class_of(claim.down) == RUN
        and not token_of(claim.up)
    )
    return "OPEN_USE" if open_use else claim.type.name


def object_key(kind: StateType, obj: str) -> str:
    """What an object is indexed by: candidates are found by it."""
    del kind
    return searchable(obj)


@dataclass(slots=True)
class Pending:
    """Rows by the statement that writes them."""

    entries: list[list[Any]] = field(default_factory=list)
    nodes: dict[str, list[list[Any]]] = field(default_factory=lambda: defaultdict(list))
    new: set[str] = field(default_factory=set)
    versions: list[list[Any]] = field(default_factory=list)
    edges: dict[str, list[list[Any]]] = field(default_factory=lambda: defaultdict(list))
    derived: dict[int, DerivedRow] = field(default_factory=dict)
    terms: list[list[Any]] = field(default_factory=list)
    kinds: dict[tuple[str | bytes, str], None] = field(default_factory=dict)
    objects: dict[tuple[int, str, str], None] = field(default_factory=dict)
    said_same: dict[tuple[str, str], None] = field(default_factory=dict)
    subjects: dict[str, Subject] = field(default_factory=dict)
    commits: list[list[Any]] = field(default_factory=list)

    def node(self, node: str, seq: int) -> None:
        """A node that was not known. Raises ``RefusedError`` (``bad-id``) for what is no id."""
        parsed = parse_id(node)
        self.new.add(node)
        if parsed.version is not None:
            self.versions.append([node, artifact_of(node), seq])
            return
        names, tokens = terms_of_name(parsed.cls, parsed.texts[-1])
        name, *others = map(searchable, names) if names else (None,)
        # What begins a name is found by the name.
        tokens = tuple(t for t in tokens if not any(name.startswith(t) for name in names))
        self.terms += [[text, node] for text in {*others, *map(searchable, tokens)}]
        self.nodes[_LABELS[parsed.cls]].append([node, seq, name])

    def edge(self, claim: Occurrence, seq: int, dead: int) -> None:
        """A claim of entry ``seq``."""
        self.edges[stored_type(claim)].append([
            claim.up, claim.down, seq, dead, claim.at, int(claim.method),
            pack(claim.said) if claim.said else None, pack(claim.detail) if claim.detail else None,
        ])  # fmt: skip

    def rows(self, touched: Iterable[DerivedRow]) -> None:
        """Derived rows that are new or end."""
        for row in touched:
            self.derived[id(row)] = row

    # --- writing

    def flush(self, tx: neo4j.Transaction) -> None:
        """Write what waits."""

        def run(query: str, rows: Any) -> None:
            if rows:
                tx.run(query, rows=list(rows), open=FOREVER)

        run(_ENTRIES, self.entries)
        for label, nodes in self.nodes.items():
            run(_NODES.format(label=label), nodes)
        run(_VERSION_OF, self.versions)
        for kind, edges in self.edges.items():
            run(_EDGES.format(type=kind), edges)
        self._flush_derived(run)
        run(_TERMS, self.terms)
        run(_KINDS, map(list, self.kinds))
        run(_OBJECTS, map(list, self.objects))
        run(_SAID_SAME, map(list, self.said_same))
        self._flush_subjects(run)
        run(_COMMITS, self.commits)
        self.clear()

    def _flush_derived(self, run: Any) -> None:
        new: dict[str, list[list[Any]]] = defaultdict(list)
        closed: dict[str, list[list[Any]]] = defaultdict(list)
        for row in self.derived.values():
            edge = row.edge
            kind = "RESOLVED_USE" if edge.type is EdgeType.USED else edge.type.name
            plain = [
                edge.up, edge.down, row.rf, row.rt, edge.since, edge.until, int(edge.method),
                edge.used or None, pack(edge.said) if edge.said else None,
            ]  # fmt: skip
            if row.stored:
                closed[kind].append(plain)
            elif row.rt > row.rf:
                new[kind].append(plain)
                row.stored = True
        for kind, rows in closed.items():
            run(_CLOSE.format(type=kind), rows)
        for kind, rows in new.items():
            run(_DERIVED.format(type=kind), rows)

    def _flush_subjects(self, run: Any) -> None:
        first, shown, more, anew = [], [], [], []
        for node, subject in self.subjects.items():
            waiting, subject.waiting = subject.waiting, []
            if node in self.new:
                first.append([node, dump_shown(subject), dump_said(waiting)])
                continue
            shown.append([node, dump_shown(subject)])
            if subject.rewritten:
                every = ((k, s) for k, key in subject.keys.items() for s in key.said or ())
                anew.append([node, dump_said(every)])
                subject.rewritten = False
            elif waiting:
                more.append([node, dump_said(waiting)])
        run(_SAID_FIRST, first)
        run(_SHOWN, shown)
        run(_SAID_MORE, more)
        run(_SAID_ANEW, anew)

    def clear(self) -> None:
        """Nothing waits."""
        fresh = Pending()
        for name in self.__slots__:
            setattr(self, name, getattr(fresh, name))
