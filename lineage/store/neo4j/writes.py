"""What waits to be written, and the statements that write it: a few for a whole batch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lineage.model.canonical import FOREVER
from lineage.model.claims import EdgeType, Occurrence, StateType
from lineage.model.ids import ARTIFACT, RUN, artifact_of, class_of, parse_id, token_of
from lineage.model.naming import terms_of_name
from lineage.store.neo4j.derived import DerivedRow
from lineage.store.neo4j.documents import dump_said, dump_shown, pack, searchable
from lineage.store.neo4j.statements import Statements
from lineage.store.neo4j.states import Subject

__all__ = ["Pending", "ended", "is_open_use", "object_key", "stored_type"]

_LABELS = {
    "artifact": "Artifact", "job": "Job", "run": "Run", "team": "Team", "person": "Person",
    "service": "Service", "scope": "Scope",
}  # fmt: skip
_TYPES = {kind: kind.name for kind in EdgeType}
_COMMON = """MATCH (h:Head {id: 'main'}) SET h += $head WITH h
CALL () { UNWIND $entries AS e CREATE (:Entry {seq: e[0], ref: e[1], recorded_at: e[2], kind: e[3],
  source: e[4], envelope: e[5], leaf: e[6], salt: e[7], body: e[8]}) }
CALL () { UNWIND $nodes AS n
  CREATE (:Node:$(n[3]) {id: n[0], first: n[1], name: n[2], shown: n[4], said: n[5]}) }
CALL () { UNWIND $versions AS v MATCH (a:Node {id: v[2]})
  CREATE (:Node:Version {id: v[0], first: v[1], shown: v[3], said: v[4]})-[:VERSION_OF]->(a) }
CALL () { UNWIND $edges AS g MATCH (d:Node {id: g[0]}) UNWIND g[1] AS e MATCH (u:Node {id: e[0]})
  CREATE (u)-[:$(e[1]) {rf: e[2], rt: e[3], vf: e[4], method: e[5], said: e[6],
  detail: e[7]}]->(d) }
CALL () { UNWIND $terms AS t MERGE (term:Term {text: t[0]}) WITH t, term
  MATCH (n:Node {id: t[1]}) CREATE (term)-[:OF]->(n) }
CALL () { UNWIND $kinds AS k MERGE (:KindSaid {value: k[0], id: k[1]}) }
CALL () { UNWIND $shown AS s MATCH (n:Node {id: s[0]}) SET n.shown = s[1]
  FOREACH (ops IN s[2] | CREATE (n)-[:SAID]->(:Said {ops: ops})) }
FINISH"""
"""What most entries bring, in one statement: the database is asked once."""
_DERIVED = """UNWIND $rows AS e MATCH (u:Node {id: e[0]}) MATCH (d:Node {id: e[1]})
CREATE (u)-[:$(e[9]) {rf: e[2], rt: e[3], vf: e[4], vt: e[5], method: e[6], used: e[7],
said: e[8]}]->(d)"""
_CLOSE = """UNWIND $rows AS e MATCH (u:Node {{id: e[0]}}) MATCH (d:Node {{id: e[1]}})
MATCH (u)-[r:{type} {{rf: e[2], vf: e[4], method: e[6]}}]->(d)
WHERE r.rt IS NULL AND (r.vt = e[5] OR (r.vt IS NULL AND e[5] IS NULL))
AND (r.used IS NULL OR (r.used = e[7] AND coalesce(r.said, '') = coalesce(e[8], '')))
SET r.rt = e[3]"""
_OBJECTS = """UNWIND $rows AS o MERGE (object:Object {type: o[0], key: o[1]}) WITH o, object
MATCH (n:Node {id: o[2]}) MERGE (n)-[:HOLDS]->(object)"""
_SAID_SAME = """UNWIND $rows AS s MATCH (a:Node {id: s[0]}) MATCH (b:Node {id: s[1]})
MERGE (a)-[:SAID_SAME]->(b)"""
_SAID_ANEW = """UNWIND $rows AS s MATCH (n:Node {id: s[0]}) SET n.said = s[1] WITH n
OPTIONAL MATCH (n)-[:SAID]->(more) DETACH DELETE more"""
_COMMITS = """UNWIND $rows AS c MERGE (l:Log {key: c[0]}) ON CREATE SET l.table = c[1], l.log = c[2]
WITH c, l MATCH (v:Node {id: c[3]})
CREATE (v)-[:COMMIT_OF {rf: c[4], rt: c[5], vf: c[6], number: c[7], known: c[8], carries: c[9],
n: c[10], files: c[11]}]->(l)"""


def is_open_use(claim: Occurrence) -> bool:
    """Whether a claim is a use by a run of an artifact without version."""
    return (
        claim.type is EdgeType.USED
        and not token_of(claim.up)
        and class_of(claim.up) == ARTIFACT
        and class_of(claim.down) == RUN
    )


def stored_type(claim: Occurrence) -> str:
    """The type of a claim's relationship."""
    return "OPEN_USE" if is_open_use(claim) else _TYPES[claim.type]


def ended(position: int) -> int | None:
    """An end as it is written: what is open has none."""
    return None if position == FOREVER else position


def object_key(kind: StateType, obj: str) -> str:
    """What an object is indexed by: candidates are found by it."""
    del kind
    return searchable(obj)


@dataclass(slots=True)
class Pending:
    """Rows by the statement that writes them."""

    entries: list[list[Any]] = field(default_factory=list)
    nodes: dict[str, list[Any]] = field(default_factory=dict)
    versions: dict[str, list[Any]] = field(default_factory=dict)
    edges: dict[str, list[list[Any]]] = field(default_factory=dict)
    """By their lower end: most have that in common."""
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
        if parsed.version is not None:
            self.versions[node] = [node, seq, artifact_of(node)]
            return
        names, tokens = terms_of_name(parsed.cls, parsed.texts[-1])
        name, *others = map(searchable, names) if names else (None,)
        # What begins a name is found by the name.
        tokens = tuple(t for t in tokens if not any(name.startswith(t) for name in names))
        self.terms += [[text, node] for text in {*others, *map(searchable, tokens)}]
        self.nodes[node] = [node, seq, name, _LABELS[parsed.cls]]

    def edge(self, claim: Occurrence, seq: int, dead: int) -> None:
        """A claim of entry ``seq``."""
        self.edges.setdefault(claim.down, []).append([
            claim.up, stored_type(claim), seq, ended(dead), claim.at, int(claim.method),
            pack(claim.said) if claim.said else None, pack(claim.detail) if claim.detail else None,
        ])  # fmt: skip

    def rows(self, touched: Iterable[DerivedRow]) -> None:
        """Derived rows that are new or end."""
        for row in touched:
            self.derived[id(row)] = row

    # --- writing

    def flush(self, statements: Statements, head: Mapping[str, Any]) -> None:
        """Write what waits, and what changes of the head."""

        def write(query: str, rows: Iterable[Any]) -> None:
            listed = list(rows)
            if listed:
                statements.write(query, rows=listed)

        shown, anew = self._states()
        common = {
            "entries": self.entries, "nodes": list(self.nodes.values()),
            "versions": list(self.versions.values()),
            "edges": [[down, edges] for down, edges in self.edges.items()],
            "terms": self.terms, "kinds": list(map(list, self.kinds)), "shown": shown,
        }  # fmt: skip
        if head or any(common.values()):
            statements.write(_COMMON, head=dict(head), **common)
        write(_SAID_ANEW, anew)
        self._flush_derived(write)
        write(_OBJECTS, map(list, self.objects))
        write(_SAID_SAME, map(list, self.said_same))
        write(_COMMITS, self.commits)
        self.clear()

    def _states(self) -> tuple[list[list[Any]], list[list[Any]]]:
        """What subjects show, and have to say: rows of those that are there, and of rewritten ones.

        New ones take theirs along.
        """
        shown, anew = [], []
        for node, subject in self.subjects.items():
            waiting, subject.waiting = subject.waiting, []
            said = [dump_said(waiting)] if waiting else []
            new = self.nodes.get(node) or self.versions.get(node)
            if new is not None:
                new += [dump_shown(subject) if subject.rewritten else None, *said]
                subject.rewritten = False
                continue
            if subject.rewritten:
                every = ((k, s) for k, key in subject.keys.items() for s in key.said or ())
                anew.append([node, dump_said(every)])
                subject.rewritten, said = False, []
            shown.append([node, dump_shown(subject), said])
        return shown, anew

    def _flush_derived(self, write: Any) -> None:
        new: list[list[Any]] = []
        closed: dict[str, list[list[Any]]] = defaultdict(list)
        for row in self.derived.values():
            edge = row.edge
            kind = "RESOLVED_USE" if edge.type is EdgeType.USED else edge.type.name
            plain = [
                edge.up, edge.down, row.rf, ended(row.rt), edge.since, ended(edge.until),
                int(edge.method), edge.used or None, pack(edge.said) if edge.said else None, kind,
            ]  # fmt: skip
            if row.stored:
                closed[kind].append(plain)
            elif row.rt > row.rf:
                new.append(plain)
                row.stored = True
        for kind, rows in closed.items():
            write(_CLOSE.format(type=kind), rows)
        write(_DERIVED, new)

    def clear(self) -> None:
        """Nothing waits."""
        fresh = Pending()
        for name in self.__slots__:
            setattr(self, name, getattr(fresh, name))
