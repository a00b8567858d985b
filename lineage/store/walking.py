"""The definition of a walk: reachability over states of nodes.

A table version is reached in one of two roles. *As read* it expands to the commits whose files live
at it; *as a commit* only to its job and to what it rewrote. A run reached through a commit of a
table does not walk its own read of that table, where the removed files are known. Whatever can be
reached from a version as a commit can be reached from it as read.

Everything here is pure: it is given the edges and the commits that show at a view, of a whole graph
or of a part of it that nothing leads out of.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from lineage.model.claims import LAST_WALKED, EdgeType, Method, TableCommit
from lineage.model.ids import artifact_of
from lineage.store.contract import Direction, Edge, History, Walk

__all__ = ["State", "Walker", "is_walked", "walk_among"]


def is_walked(edge: Edge) -> bool:
    """Whether lineage follows an edge."""
    return edge.type <= LAST_WALKED


class Role(Enum):
    """How a node was reached."""

    READ = "read"
    COMMIT = "commit"


@dataclass(frozen=True, slots=True)
class State:
    """A node as it was reached; ``via`` is the table whose commit led to a run, or empty."""

    node: str
    role: Role = Role.READ
    via: str = ""


Steps = Mapping[State, Sequence[tuple[State, Edge]]]


@dataclass(slots=True)
class TableLog:
    """The commits of one table's log that are visible, with what they added and removed."""

    commits: dict[int, TableCommit]

    def known_to(self, number: int) -> bool:
        """Whether all commits from 0 to ``number`` are recorded with their files."""
        return all(n in self.commits and self.commits[n].files_known for n in range(number + 1))

    def read(self, number: int) -> set[int]:
        """Commits that what was read at ``number`` comes from: the adders of its live files.

        A file that was removed and restored comes from its first adder and its restorer.
        """
        adders: dict[str, set[int]] = defaultdict(set)
        live: set[str] = set()
        for n in range(number + 1):
            live -= set(self.commits[n].removed)
            for path in self.commits[n].added:
                live.add(path)
                adders[path].add(n)
        found = {n for path in live for n in adders[path]}
        return found | self.rewritten(number) if number in found else found

    def rewritten(self, number: int) -> set[int]:
        """Earlier commits that had added what commit ``number`` removed, and carried on."""
        if not self.commits[number].carries:
            return set()
        removed = set(self.commits[number].removed)
        return {n for n in range(number) if removed & set(self.commits[n].added)}


class Walker:
    """The steps of the state graph at one valid time, towards sources."""

    def __init__(
        self, edges: Iterable[Edge], commits: Iterable[TableCommit], history: History
    ) -> None:
        self.history = history
        self.edges: dict[str, list[Edge]] = defaultdict(list)
        for edge in edges:
            if is_walked(edge) and not (history is History.NONE and edge.type is EdgeType.CARRIES):
                self.edges[edge.down].append(edge)
        self.logs: dict[tuple[str, str], TableLog] = {}
        self.commit_of: dict[str, TableCommit] = {}
        for commit in commits:
            log = self.logs.setdefault((commit.table, commit.log), TableLog({}))
            merged = _merged(log.commits.get(commit.number), commit)
            log.commits[commit.number] = self.commit_of[commit.version] = merged

    def pruned(self, node: str) -> TableLog | None:
        """The log of a version that is walked by its files, or None: then its chain is walked."""
        commit = self.commit_of.get(node)
        if commit is None or self.history is not History.CONTRIBUTING:
            return None
        log = self.logs[commit.table, commit.log]
        return log if log.known_to(commit.number) else None

    def steps(self, state: State) -> Iterable[tuple[State, Edge]]:
        """The states directly up of a state, each with the edge that leads there."""
        log = self.pruned(state.node)
        for edge in self.edges.get(state.node, ()):
            if edge.type is EdgeType.SAME_AS:
                yield State(edge.up, state.role, state.via), edge
            elif edge.type is EdgeType.GENERATED:
                yield State(edge.up, via=artifact_of(state.node) if log else ""), edge
            elif edge.type is EdgeType.USED:
                if not state.via or artifact_of(edge.up) != state.via:
                    yield State(edge.up), edge
            elif edge.type is not EdgeType.CARRIES or log is None:
                yield State(edge.up), edge
        if log is not None:
            commit = self.commit_of[state.node]
            reached = log.read if state.role is Role.READ else log.rewritten
            for number in sorted(reached(commit.number) - {commit.number}):
                up = log.commits[number].version
                edge = Edge(EdgeType.CARRIES, up, state.node, commit.at, Method.OBSERVED)
                yield State(up, Role.COMMIT), edge

    def closure(self, starts: Iterable[State]) -> dict[State, list[tuple[State, Edge]]]:
        """The steps of every state reachable from ``starts``."""
        steps: dict[State, list[tuple[State, Edge]]] = {}
        todo = list(starts)
        while todo:
            state = todo.pop()
            if state not in steps:
                steps[state] = list(self.steps(state))
                todo += [above for above, _ in steps[state]]
        return steps


def _merged(had: TableCommit | None, commit: TableCommit) -> TableCommit:
    """One commit told by several entries: its files are those that any of them names."""
    if had is None:
        return commit
    return TableCommit(
        commit.table, commit.version, commit.number, commit.log, min(had.at, commit.at),
        tuple(sorted({*had.added, *commit.added})), tuple(sorted({*had.removed, *commit.removed})),
        had.files_known or commit.files_known, had.carries or commit.carries,
    )  # fmt: skip


def walk_among(
    walker: Walker,
    members: Collection[str],
    direction: Direction,
    everything: Iterable[str],
    *,
    depth: int | None,
    limit: int | None,
) -> Walk:
    """Breadth-first from ``members``; see the contract.

    ``everything`` are the nodes that a walk downstream may reach: nothing leads out of them.
    """
    if direction is Direction.UPSTREAM:
        first = [State(member) for member in members]
        return _breadth_first(first, walker.closure(first), depth, limit)
    every = walker.closure(State(node) for node in everything)
    below: dict[State, list[tuple[State, Edge]]] = defaultdict(list)
    for state, steps in every.items():
        for above, edge in steps:
            below[above].append((state, edge))
    first = [state for state in every if state.node in members]
    return _breadth_first(first, below, depth, limit)


def _breadth_first(
    first: Sequence[State], steps: Steps, depth: int | None, limit: int | None
) -> Walk:
    """Level by level; a node counts when it is reached as a start would be (as read, by itself).

    Upstream every state's node counts; downstream a state that is none of those has a twin that is.
    """
    depths: dict[str, int] = {}
    edges: dict[tuple[EdgeType, str, str], Edge] = {}
    level, seen, at, truncated = list(first), set(first), 0, False
    while level:
        new = sorted({state.node for state in level} - depths.keys())
        if limit is not None and len(depths) + len(new) > limit:
            new, truncated = new[: max(limit - len(depths), 0)], True
        depths.update(dict.fromkeys(new, at))
        if truncated or (depth is not None and at >= depth):
            truncated = truncated or any(
                above not in seen for state in level for above, _ in steps.get(state, ())
            )
            break
        following: dict[State, None] = {}
        for state in level:
            for above, edge in steps.get(state, ()):
                edges[edge.type, edge.up, edge.down] = edge
                if above not in seen:
                    following[above] = None
        seen.update(following)
        level, at = list(following), at + 1
    kept = [e for e in edges.values() if e.up in depths and e.down in depths]
    return Walk(
        sorted(depths.items(), key=lambda item: (item[1], item[0])),
        sorted(kept, key=lambda e: (e.type, e.up, e.down)),
        truncated,
    )
