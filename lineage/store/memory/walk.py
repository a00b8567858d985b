"""A walk over everything that a graph shows."""

from __future__ import annotations

from collections.abc import Sequence

from lineage.model.ids import ARTIFACT, artifact_of, class_of, token_of
from lineage.store.contract import Direction, History, Walk
from lineage.store.memory.graph import Graph
from lineage.store.walking import Walker, walk_among


def walk(
    graph: Graph,
    starts: Sequence[str],
    direction: Direction,
    as_of: int,
    *,
    depth: int | None,
    history: History,
    limit: int | None,
) -> Walk:
    """Breadth-first over the state graph; see the contract."""
    commits = [commit for _, commit in graph.commits if commit.at <= as_of]
    walker = Walker(graph.edges_at(as_of), commits, history)
    members = _members(graph, starts, as_of)
    return walk_among(walker, members, direction, graph.first_seq, depth=depth, limit=limit)


def _members(graph: Graph, starts: Sequence[str], as_of: int) -> set[str]:
    members = {start for start in starts if start in graph.first_seq}
    bare = {m for m in members if class_of(m) == ARTIFACT and not token_of(m)}
    for version in graph.versions():
        if artifact_of(version.id) in bare and (
            version.made_at is None or version.made_at <= as_of
        ):
            members.add(version.id)
    return members
