"""What a list of entries says at one position: the definition of every read.

Nothing here is incremental. A :class:`Graph` is built from the entries up to a position; reads at
a valid time filter it. Slow on purpose, and short enough to be checked by eye.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from lineage.model.claims import (
    Claims,
    EdgeType,
    EntryRef,
    Method,
    Occurrence,
    StateType,
    TableCommit,
)
from lineage.model.fold import Interval, Op, fold
from lineage.model.ids import artifact_of, class_of, token_of
from lineage.model.resolution import DerivedEdge, Output, Use, Version, components, derive
from lineage.store.contract import Edge, Evidence, StoredEntry

StateKey = tuple[str, StateType, str, str]
"""(subject, type, object, source): the source is empty but for attributes."""


@dataclass(frozen=True, slots=True)
class Said:
    """A claim that is an occurrence, with the entry that makes it."""

    seq: int
    source: str
    claim: Occurrence


@dataclass(slots=True)
class Graph:
    """Everything visible at a position."""

    first_seq: dict[str, int] = field(default_factory=dict)
    said: list[Said] = field(default_factory=list)
    ops: dict[StateKey, list[tuple[Op, int]]] = field(default_factory=lambda: defaultdict(list))
    commits: list[tuple[str, TableCommit]] = field(default_factory=list)
    _derived: frozenset[DerivedEdge] | None = None

    @classmethod
    def of(cls, entries: Sequence[StoredEntry], claims_of: Sequence[Claims]) -> Graph:
        """The graph that these entries say, each with its claims."""
        graph = cls()
        retracted = {ref for claims in claims_of for ref in claims.retracts}
        for entry, claims in zip(entries, claims_of, strict=True):
            for node in claims.nodes():
                graph._know(node, entry.seq)
            if EntryRef(entry.source, entry.event_id) not in retracted:
                graph._add(entry, claims)
        for ops in graph.ops.values():
            ops.sort(key=lambda pair: pair[0])
        return graph

    def _know(self, node: str, seq: int) -> None:
        self.first_seq.setdefault(node, seq)
        self.first_seq.setdefault(artifact_of(node), seq)

    def _add(self, entry: StoredEntry, claims: Claims) -> None:
        distinct = dict.fromkeys(claims.occurrences)
        self.said += [Said(entry.seq, entry.source, claim) for claim in distinct]
        self.commits += [(entry.source, commit) for commit in claims.commits]
        for n, op in enumerate(claims.states):
            source = entry.source if op.type is StateType.ATTRIBUTE else ""
            key = (op.subject, op.type, op.object, source)
            ordered = Op(
                op.at, entry.source, entry.event_id, n, op.value, op.since, op.until, op.method
            )
            self.ops[key].append((ordered, entry.seq))

    # --- states

    def intervals(self, key: StateKey) -> list[Interval]:
        """What a key shows over valid time."""
        return fold(key[1], [op for op, _ in self.ops.get(key, ())])

    # --- edges

    @property
    def derived(self) -> frozenset[DerivedEdge]:
        """Derived edges of every artifact."""
        if self._derived is None:
            self._derived = self._derive()
        return self._derived

    def _derive(self) -> frozenset[DerivedEdge]:
        keys = [key for key in self.ops if is_alias(key)]
        aliases = [
            (key[0], key[2], interval.since, interval.until)
            for key in keys for interval in self.intervals(key) if interval.value == "on"
        ]  # fmt: skip
        component = components((key[0], key[2]) for key in keys)
        groups: dict[str, set[str]] = defaultdict(set)
        for node in self.first_seq:
            if artifact_of(node) == node:
                groups[component.get(node, node)].add(node)
        versions = self.versions()
        uses, outputs = self._uses(), self._outputs()
        edges: set[DerivedEdge] = set()
        for group in groups.values():
            edges |= derive(
                sorted(group),
                [alias for alias in aliases if alias[0] in group],
                [v for v in versions if artifact_of(v.id) in group],
                [u for u in uses if u.artifact in group],
                [o for o in outputs if artifact_of(o.version) in group],
            )
        return frozenset(edges)

    def versions(self) -> list[Version]:
        """Every known version, with the least event time of what made it."""
        made: dict[str, int] = {}
        for said in self.said:
            if said.claim.type is EdgeType.GENERATED and token_of(said.claim.down):
                _least(made, said.claim.down, said.claim.at)
        for _, commit in self.commits:
            _least(made, commit.version, commit.at)
        return [Version(node, made.get(node)) for node in self.first_seq if token_of(node)]

    def _uses(self) -> list[Use]:
        least: dict[tuple[str, str, str], tuple[int, Method]] = {}
        for said in self.said:
            claim = said.claim
            if is_open_use(claim):
                key = (claim.down, claim.up, claim.said)
                at, method = least.get(key, (claim.at, claim.method))
                least[key] = (min(at, claim.at), min(method, claim.method))
        return [
            Use(run, artifact, text, at, method)
            for (run, artifact, text), (at, method) in least.items()
        ]

    def _outputs(self) -> list[Output]:
        return [
            Output(said.claim.up, said.claim.down, said.claim.said, said.claim.at)
            for said in self.said
            if said.claim.type is EdgeType.GENERATED and token_of(said.claim.down)
        ]

    def edges_at(self, as_of: int) -> list[Edge]:
        """Every edge that shows at a valid time, each once."""
        shown: dict[tuple[EdgeType, str, str], Edge] = {}
        for said in self.said:
            claim = said.claim
            if claim.at <= as_of and not is_open_use(claim):
                _show(shown, Edge(claim.type, claim.up, claim.down, claim.at, claim.method))
        for d in self.derived:
            if d.since <= as_of < d.until:
                _show(shown, Edge(d.type, d.up, d.down, d.since, d.method))
        return sorted(shown.values(), key=lambda e: (e.type, e.up, e.down))

    def evidence(self, kind: EdgeType, up: str, down: str, as_of: int) -> list[Evidence]:
        """Claims behind an edge; those of the open uses that resolve to it at ``as_of``."""
        uses = {
            d.use for d in self.derived
            if (d.type, d.up, d.down) == (kind, up, down) and d.since <= as_of < d.until
        }  # fmt: skip
        found = {
            Evidence(s.seq, s.source, s.claim.method, s.claim.at, s.claim.said, s.claim.detail)
            for s in self.said
            if ((s.claim.up, s.claim.said) in uses if is_open_use(s.claim) else s.claim.up == up)
            and (s.claim.type, s.claim.down) == (kind, down)
            and s.claim.at <= as_of
        }
        return sorted(found, key=lambda e: (e.seq, e.at, e.method, e.said, e.detail))


def is_open_use(claim: Occurrence) -> bool:
    """A use by a run of an artifact without a version: it shows as what it resolves to."""
    return (
        claim.type is EdgeType.USED
        and class_of(claim.up) == "artifact"
        and class_of(claim.down) == "run"
        and not token_of(claim.up)
    )


def is_alias(key: StateKey) -> bool:
    """Whether a state makes two things one: only ids without a version have aliases."""
    return key[1] is StateType.SAME_AS and not token_of(key[0]) and not token_of(key[2])


def _least(times: dict[str, int], key: str, at: int) -> None:
    times[key] = min(at, times.get(key, at))


def _show(shown: dict[tuple[EdgeType, str, str], Edge], edge: Edge) -> None:
    key = (edge.type, edge.up, edge.down)
    had = shown.get(key)
    if had is None:
        shown[key] = edge
    else:
        shown[key] = Edge(*key, min(had.at, edge.at), min(had.method, edge.method))
