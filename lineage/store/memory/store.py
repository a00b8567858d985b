"""The memory store: entries in a list, reads over :class:`~lineage.store.memory.graph.Graph`."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from typing_extensions import override

from lineage.model.claims import Claims, EdgeType, EntryRef, StateType
from lineage.model.envelope import SALT_BYTES, Envelope, commitment_of
from lineage.model.ids import artifact_of, class_of, parse_id, token_of
from lineage.model.merkle import Frontier
from lineage.model.resolution import by_artifact
from lineage.model.tiles import tiles_of
from lineage.store.contract import (
    Attribute,
    Direction,
    Edge,
    Evidence,
    Guard,
    Head,
    History,
    Hit,
    Interpreter,
    NewEntry,
    Node,
    Receipt,
    StateValue,
    Store,
    StoredCheckpoint,
    StoredEntry,
    View,
    Walk,
)
from lineage.store.digest import digest_of
from lineage.store.memory.graph import Graph, StateKey
from lineage.store.memory.walk import walk
from lineage.store.redaction import check_stub, claims_of_stub
from lineage.store.search import rank_of
from lineage.store.sizes import require_sizes


def _now() -> int:
    return time.time_ns() // 1000


class MemoryStore(Store):
    """The definition of a store. Not for production: every read starts from the entries."""

    def __init__(self, interpret: Interpreter, *, clock: Callable[[], int] = _now) -> None:
        self._interpret = interpret
        self._clock = clock
        self._entries: list[StoredEntry] = []
        self._claims: list[Claims] = []
        self._seq_of: dict[EntryRef, int] = {}
        self._stubs: dict[EntryRef, dict[tuple[str, str], bytes]] = {}
        self._graphs: dict[int, Graph] = {}
        self._checkpoints: dict[int, StoredCheckpoint] = {}
        self._check: Guard = lambda _: None

    # --- ledger

    @override
    def append(self, entries: Sequence[NewEntry]) -> list[Receipt]:
        self._check(self.head())
        stubs = {target: dict(of) for target, of in self._stubs.items()}
        kept = (self._entries[:], self._claims[:], dict(self._seq_of), stubs)
        try:
            return [self._append(entry) for entry in entries]
        except BaseException:
            self._entries, self._claims, self._seq_of, self._stubs = kept
            raise
        finally:
            self._graphs.clear()

    def _append(self, entry: NewEntry) -> Receipt:
        ref = EntryRef(entry.source, entry.event_id)
        if ref in self._seq_of:
            return Receipt(self._seq_of[ref], new=False)
        seq = len(self._entries) + 1
        previous = self._entries[-1].recorded_at if self._entries else 0
        recorded_at = entry.recorded_at
        if recorded_at is None:
            recorded_at = max(self._clock(), previous)
        salt = entry.salt
        if entry.commitment is None:
            salt = secrets.token_bytes(SALT_BYTES)
        commitment = entry.commitment or commitment_of(salt or b"", entry.body)
        body, claims = entry.body, entry.claims
        if ref in self._stubs:
            body, salt = self._stub_of(ref), None
            claims = claims_of_stub(self._interpret, entry.kind, entry.v, body)
        for node in claims.nodes():
            parse_id(node)
        leaf = Envelope(
            seq,
            recorded_at,
            entry.kind,
            entry.v,
            entry.source,
            entry.event_id,
            entry.actor,
            commitment,
        ).leaf()
        self._entries.append(StoredEntry(
            seq, recorded_at, entry.kind, entry.v, entry.source, entry.event_id, entry.actor,
            salt, body, commitment, leaf,
        ))  # fmt: skip
        self._claims.append(claims)
        self._seq_of[ref] = seq
        self._redact(ref, claims)
        return Receipt(seq, new=True)

    def _redact(self, by: EntryRef, claims: Claims) -> None:
        """Of several redactions of one entry the last in the order of (event id, source) stands."""
        for redaction in claims.redacts:
            of_target = self._stubs.setdefault(redaction.target, {})
            of_target[by.event_id, by.source] = redaction.stub
        for target in dict.fromkeys(redaction.target for redaction in claims.redacts):
            self._erase(target)

    def _stub_of(self, target: EntryRef) -> bytes:
        return max(self._stubs[target].items())[1]

    def _erase(self, target: EntryRef) -> None:
        seq = self._seq_of.get(target)
        if seq is None:
            return
        entry, stub = self._entries[seq - 1], self._stub_of(target)
        if entry.salt is None and entry.body == stub:
            return
        claims = self._interpret(entry.kind, entry.v, stub)
        check_stub(self._claims[seq - 1], claims)
        self._entries[seq - 1] = replace(entry, body=stub, salt=None)
        self._claims[seq - 1] = claims
        self._redact(target, claims)

    @override
    def head(self) -> Head:
        frontier = Frontier.empty()
        for entry in self._entries:
            frontier.push(entry.leaf)
        last = self._entries[-1].recorded_at if self._entries else 0
        return Head(len(self._entries), last, frontier)

    @override
    def position_at(self, recorded_at: int) -> int:
        return sum(1 for entry in self._entries if entry.recorded_at <= recorded_at)

    @override
    def entries(self, after: int = 0, limit: int | None = None) -> Iterator[StoredEntry]:
        end = None if limit is None else after + limit
        yield from self._entries[after:end]

    @override
    def find(self, source: str, event_id: str) -> int | None:
        return self._seq_of.get(EntryRef(source, event_id))

    # --- seal

    @override
    def guard(self, check: Guard) -> None:
        self._check = check

    @override
    def seal(self, sign: Callable[[Head], bytes]) -> StoredCheckpoint:
        head = self.head()
        self._check(head)
        if head.seq not in self._checkpoints:
            note, sealed_at = sign(head), max(self._clock(), head.recorded_at)
            self._checkpoints[head.seq] = StoredCheckpoint(head.seq, sealed_at, note)
        return self._checkpoints[head.seq]

    @override
    def adopt(self, checkpoints: Sequence[StoredCheckpoint]) -> None:
        require_sizes(checkpoints, len(self._entries))
        self._checkpoints = {c.size: c for c in checkpoints} | self._checkpoints

    @override
    def checkpoints(self, after: int = 0, limit: int | None = None) -> Iterator[StoredCheckpoint]:
        sizes = [size for size in sorted(self._checkpoints) if size > after]
        yield from (self._checkpoints[size] for size in sizes[:limit])

    @override
    def last_checkpoint(self) -> StoredCheckpoint | None:
        return self._checkpoints[max(self._checkpoints)] if self._checkpoints else None

    @override
    def leaves(self, start: int, end: int) -> list[bytes]:
        return [entry.leaf for entry in self._entries[start:end]]

    @override
    def tiles(self, level: int, start: int, end: int) -> dict[int, bytes]:
        return {
            tile.number: tile.root
            for tile in tiles_of(entry.leaf for entry in self._entries)
            if tile.level == level and start <= tile.number < end
        }

    # --- graph

    def _graph(self, view: View) -> Graph:
        position = min(view.position, len(self._entries))
        if position not in self._graphs:
            self._graphs[position] = Graph.of(self._entries[:position], self._claims[:position])
        return self._graphs[position]

    @override
    def known(self, ids: Iterable[str], view: View) -> set[str]:
        return set(ids) & self._graph(view).first_seq.keys()

    @override
    def nodes(self, ids: Sequence[str], view: View) -> list[Node]:
        graph = self._graph(view)
        shown: dict[str, dict[str, Attribute]] = {}
        for state in self.states(view, subjects=ids, types=[StateType.ATTRIBUTE]):
            attribute = Attribute(state.value, state.method, state.source, state.since)
            of_node = shown.setdefault(state.subject, {})
            had = of_node.get(state.object)
            if had is None or _strength(attribute) < _strength(had):
                of_node[state.object] = attribute
        return [
            Node(node, graph.first_seq[node], shown.get(node, {}))
            for node in ids if node in graph.first_seq
        ]  # fmt: skip

    @override
    def page(
        self,
        view: View,
        *,
        classes: Sequence[str] = (),
        kinds: Sequence[str] = (),
        versions: bool = False,
        after: str = "",
        limit: int = 100,
    ) -> list[str]:
        ids = [
            node for node in sorted(self._graph(view).first_seq)
            if node > after
            and (not classes or class_of(node) in classes)
            and (versions or not token_of(node))
        ]  # fmt: skip
        if kinds:
            wanted = {f'"{kind}"' for kind in kinds}
            ids = [
                node for node in ids
                if any(
                    (kind := shown.attributes.get("kind")) and kind.value in wanted
                    for shown in self.nodes([artifact_of(node)], view)
                )
            ]  # fmt: skip
        return ids[:limit]

    @override
    def search(
        self,
        text: str,
        view: View,
        *,
        classes: Sequence[str] = (),
        after: Hit | None = None,
        limit: int = 50,
    ) -> list[Hit]:
        wanted = text.casefold()
        hits = [
            Hit(node, rank)
            for node in self._graph(view).first_seq
            if wanted and not token_of(node) and (not classes or class_of(node) in classes)
            and (rank := rank_of(node, wanted)) is not None
        ]  # fmt: skip
        hits.sort(key=lambda hit: (hit.rank, hit.id))
        if after is not None:
            hits = [hit for hit in hits if (hit.rank, hit.id) > (after.rank, after.id)]
        return hits[:limit]

    @override
    def versions(self, artifact: str, view: View) -> list[tuple[str, int | None]]:
        return self.versions_of([artifact], view).get(artifact, [])

    @override
    def versions_of(
        self, artifacts: Sequence[str], view: View
    ) -> dict[str, list[tuple[str, int | None]]]:
        return by_artifact(
            version for version in self._graph(view).versions()
            if artifact_of(version.id) in artifacts
            and (version.made_at is None or version.made_at <= view.as_of)
        )  # fmt: skip

    @override
    def edges(
        self,
        ids: Sequence[str],
        direction: Direction,
        view: View,
        types: Sequence[EdgeType] = (),
    ) -> list[Edge]:
        wanted = set(ids)
        up = direction is Direction.UPSTREAM
        return [
            edge for edge in self._graph(view).edges_at(view.as_of)
            if (edge.down if up else edge.up) in wanted and (not types or edge.type in types)
        ]  # fmt: skip

    @override
    def evidence(self, edge_type: EdgeType, up: str, down: str, view: View) -> list[Evidence]:
        return self._graph(view).evidence(edge_type, up, down, view.as_of)

    @override
    def walk(
        self,
        starts: Sequence[str],
        direction: Direction,
        view: View,
        *,
        depth: int | None = None,
        history: History = History.CONTRIBUTING,
        limit: int | None = None,
    ) -> Walk:
        graph = self._graph(view)
        return walk(graph, starts, direction, view.as_of, depth=depth, history=history, limit=limit)

    # --- states

    @override
    def states(
        self,
        view: View,
        *,
        subjects: Sequence[str] | None = None,
        types: Sequence[StateType] = (),
        objects: Sequence[str] | None = None,
    ) -> list[StateValue]:
        graph = self._graph(view)
        return [
            value
            for key in sorted(graph.ops)
            if (subjects is None or key[0] in subjects)
            and (not types or key[1] in types)
            and (objects is None or key[2] in objects)
            for value in _values(graph, key)
            if value.since <= view.as_of < value.until
        ]

    @override
    def history(self, subject: str, kind: StateType, position: int) -> list[StateValue]:
        graph = self._graph(View(position))
        return [
            value
            for key in sorted(graph.ops)
            if key[:2] == (subject, kind)
            for value in _values(graph, key)
        ]

    @override
    def state_evidence(
        self, subject: str, kind: StateType, obj: str, position: int
    ) -> list[Evidence]:
        graph = self._graph(View(position))
        found = [
            Evidence(seq, op.source, op.method, op.at, detail=op.value)
            for key, ops in graph.ops.items()
            if key[:3] == (subject, kind, obj)
            for op, seq in ops
        ]
        return sorted(found, key=lambda e: (e.seq, e.at, e.detail, e.method))

    # --- whole

    @override
    def digest(self, *, recorded: bool = True) -> str:
        graph = self._graph(View(len(self._entries)))
        parts: dict[str, list[tuple[object, ...]]] = {
            "nodes": [(node,) for node in graph.first_seq],
            "claims": [
                (c.type, c.up, c.down, c.at, c.method, c.said, c.detail, said.source)
                for said in graph.said for c in [said.claim]
            ],
            "derived": [
                (d.type, d.up, d.down, d.since, d.until, d.method) for d in graph.derived
            ],
            "states": [
                (*key, i.since, i.until, i.value, i.method)
                for key in graph.ops for i in graph.intervals(key)
            ],
            "commits": [
                (c.version, source, c.files_known, c.carries, sorted(c.added), sorted(c.removed))
                for source, c in graph.commits
            ],
        }  # fmt: skip
        if recorded:
            parts["entries"] = [
                (e.seq, e.recorded_at, e.body.hex(), e.leaf.hex()) for e in self._entries
            ]
        return digest_of(**parts)

    @override
    def digest_at_head(self, *, recorded: bool = True) -> tuple[Head, str]:
        return self.head(), self.digest(recorded=recorded)

    @override
    def counts(self) -> dict[str, int]:
        graph = self._graph(View(len(self._entries)))
        return {
            "entries": len(self._entries),
            "nodes": len(graph.first_seq),
            "edges": len(graph.said),
            "states": len(graph.ops),
        }

    @override
    def close(self) -> None:
        self._graphs.clear()


def _strength(attribute: Attribute) -> tuple[int, int, str]:
    return (attribute.method, -attribute.since, attribute.source)


def _values(graph: Graph, key: StateKey) -> list[StateValue]:
    subject, kind, obj, source = key
    return [
        StateValue(subject, kind, obj, i.value, i.since, i.until, i.method, source)
        for i in graph.intervals(key)
    ]
