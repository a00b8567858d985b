"""Walks: what can be reached is fetched, then walked by the definition.

Everything that a walk may touch comes in one statement where it starts at few nodes, level by level
where it starts at many or goes a few steps only. Versions that are walked by the files of their
table's log bring the commits of that log along.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from lineage.model.canonical import FOREVER
from lineage.model.claims import TableCommit
from lineage.model.ids import ARTIFACT, class_of, token_of
from lineage.store.contract import Direction, History, Walk
from lineage.store.neo4j.commits import commit_of
from lineage.store.neo4j.edges import joined
from lineage.store.neo4j.nodes import made_by
from lineage.store.neo4j.reading import HOLDS, KNOWN, WALKED, WALKED_CHAINLESS, Reading
from lineage.store.walking import State, Walker, walk_among

__all__ = ["closure_query", "walk"]

_FEW = 8
_BATCH = 5_000
_NEAR_UP = f"""UNWIND $ids AS id MATCH (n:Node {{{{id: id}}}})<-[r:{{types}}]-(o) WHERE {HOLDS}
RETURN collect([type(r), o.id, id, r.vf, r.method])"""
_NEAR_DOWN = f"""UNWIND $ids AS id MATCH (n:Node {{{{id: id}}}})-[r:{{types}}]->(o) WHERE {HOLDS}
RETURN collect([type(r), id, o.id, r.vf, r.method])"""
_REACH = f"""MATCH (s:Node) WHERE s.id IN $ids AND s.first <= $P
MATCH (s) (()<back>-[r:{{types}} WHERE {HOLDS}]-<on>())* (n) WITH DISTINCT n WITH collect(n) AS ns
RETURN [n IN ns | n.id],
  COLLECT {{{{ UNWIND range(0, size(ns) - 1) AS i WITH i, ns[i] AS n
    MATCH (n)<back>-[r:{{types}}]-<on>(o) WHERE {HOLDS}
    RETURN [type(r), o.id, i, r.vf, r.method] }}}},
  COLLECT {{{{ UNWIND ns AS n MATCH (n)-[r:COMMIT_OF]->(l)
    WHERE {KNOWN} AND r.vf <= $T AND r.known
    WITH l.key AS key, min(r.number) AS least, max(r.number) AS most
    RETURN [key, least, most] }}}}"""
_REACH_UP = _REACH.replace("<back>", "<").replace("<on>", "")
_REACH_DOWN = _REACH.replace("<back>", "").replace("<on>", ">")
_LOGS = f"""UNWIND $ids AS id MATCH (:Node {{id: id}})-[r:COMMIT_OF]->(l)
WHERE {KNOWN} AND r.vf <= $T AND r.known RETURN l.key, min(r.number), max(r.number)"""
_COMMITS = f"""MATCH (l:Log {{key: $key}})<-[r:COMMIT_OF]-(v)
WHERE {KNOWN} AND r.vf <= $T AND r.number <= $most
RETURN l.table, l.log, v.id, r.vf, r.number, r.known, r.carries, r.files"""


def closure_query(direction: Direction, history: History) -> str:
    """The statement that fetches everything reachable: ids, edges, and logs with commits there.

    Ends that edges have in common with what they were found from are places among the ids.
    """
    types = WALKED_CHAINLESS if history is History.NONE else WALKED
    query = _REACH_UP if direction is Direction.UPSTREAM else _REACH_DOWN
    return query.format(types=types)


class _Fetched:
    """The part of the graph that a walk may touch."""

    def __init__(self, reading: Reading, direction: Direction, history: History) -> None:
        self._reading = reading
        self._direction = direction
        self._other = 1 if direction is Direction.UPSTREAM else 2
        self._history = history
        self.nodes: set[str] = set()
        self.edges: list[Sequence[Any]] = []
        self.commits: dict[str, list[TableCommit]] = {}
        self._spans: dict[str, tuple[int, int]] = {}
        self._asked: set[str] = set()
        self._met: list[Sequence[Any]] = []
        """Logs of nodes that were asked about: key, least and greatest number of a commit."""

    def fetch(self, starts: Iterable[str], depth: int | None) -> None:
        """Fetch what can be reached, as far as ``depth``."""
        new = set(starts) - self.nodes
        if depth is None and len(new) <= _FEW:
            self._reach(new)
            return
        while new:
            self.nodes |= new
            following: set[str] = set()
            for edges in self._near(new):
                self.edges += edges
                following |= {edge[self._other] for edge in edges} - self.nodes
                if depth == 0 and following:
                    return  # something lies beyond: that is all that is asked of the last level
            depth = None if depth is None else depth - 1
            new = set() if depth == -1 else following

    def _reach(self, starts: Iterable[str]) -> None:
        query = closure_query(self._direction, self._history)
        up = self._direction is Direction.UPSTREAM
        asked = [start for start in starts if start.isascii()]
        for ids, edges, logs in self._reading.rows(query, ids=asked):
            self.nodes.update(ids)
            self._asked.update(ids)
            self._met += logs
            self.edges += [
                (kind, other, ids[n], at, how) if up else (kind, ids[n], other, at, how)
                for kind, other, n, at, how in edges
            ]

    def _near(self, ids: Iterable[str]) -> Iterator[list[Sequence[Any]]]:
        types = WALKED_CHAINLESS if self._history is History.NONE else WALKED
        query = _NEAR_UP if self._direction is Direction.UPSTREAM else _NEAR_DOWN
        asked = list(ids)
        for start in range(0, len(asked), _BATCH):
            some = asked[start : start + _BATCH]
            ((edges,),) = self._reading.rows(query.format(types=types), ids=some)
            yield edges

    def fetch_logs(self) -> bool:
        """Fetch the logs of tables that are walked by their files; whether there are new ones."""
        versions = [node for node in self.nodes - self._asked if token_of(node)]
        self._asked |= self.nodes
        met, self._met = self._met, []
        met += self._reading.rows(_LOGS, ids=versions) if versions else ()
        new = False
        for key, least, most in met:
            had = self._spans.get(key)
            span = (least, most) if had is None else (min(least, had[0]), max(most, had[1]))
            if span != had:
                self._spans[key] = span
                self.commits[key] = self._commits(key, *span)
                new = True
        return new

    def _commits(self, key: str, least: int, most: int) -> list[TableCommit]:
        down = self._direction is Direction.DOWNSTREAM
        rows = self._reading.rows(_COMMITS, key=key, most=FOREVER if down else most)
        found = [commit_of(row) for row in rows]
        if down:
            # What is read later may come from a commit here, whatever the chain says.
            self.fetch({commit.version for commit in found if commit.number >= least}, None)
        return found

    def walker(self) -> Walker:
        """The walk's definition over what was fetched."""
        commits = [commit for of_log in self.commits.values() for commit in of_log]
        return Walker(joined(self.edges), commits, self._history)


def walk(
    reading: Reading,
    starts: Sequence[str],
    direction: Direction,
    *,
    depth: int | None,
    history: History,
    limit: int | None,
) -> Walk:
    """Breadth-first; see the contract."""
    fetched = _Fetched(reading, direction, history)
    if depth is None and len(starts) <= _FEW and not _bare(starts):
        # What is reached from an unknown one is nothing: one question answers all.
        fetched.fetch(starts, None)
        members = fetched.nodes.intersection(starts)
    else:
        members = _members(reading, starts)
        fetched.fetch(members, depth)
    if members and history is History.CONTRIBUTING and fetched.fetch_logs():
        if depth is not None:
            # A step along a log's files may be many along its chain.
            fetched = _Fetched(reading, direction, history)
            fetched.fetch(members, None)
        _complete(fetched, members, direction)
    if depth is None and limit is None and not fetched.commits:
        return _everything(fetched, members, direction)
    # One step beyond the depth tells whether it cut anything.
    everything = fetched.nodes | {edge[2] for edge in fetched.edges}
    return walk_among(fetched.walker(), members, direction, everything, depth=depth, limit=limit)


def _complete(fetched: _Fetched, members: set[str], direction: Direction) -> None:
    """Fetch until nothing leads out of what was fetched."""
    while True:
        while fetched.fetch_logs():
            pass
        if direction is Direction.DOWNSTREAM:
            return
        reached = {state.node for state in fetched.walker().closure(map(State, members))}
        if reached <= fetched.nodes:
            return
        fetched.fetch(reached, None)


def _everything(fetched: _Fetched, members: set[str], direction: Direction) -> Walk:
    """The short way: what a node leads to does not depend on how it was reached, and all counts."""
    one, other = (2, 1) if direction is Direction.UPSTREAM else (1, 2)
    beyond: dict[str, list[str]] = defaultdict(list)
    for edge in fetched.edges:
        beyond[edge[one]].append(edge[other])
    depths, level, depth = dict.fromkeys(members, 0), list(members), 0
    while level:
        depth += 1
        reached = {node for start in level for node in beyond.get(start, ())}
        level = [node for node in reached if node not in depths]
        depths |= dict.fromkeys(level, depth)
    nodes = sorted(depths.items(), key=lambda item: (item[1], item[0]))
    return Walk(nodes, joined(fetched.edges))


def _members(reading: Reading, starts: Sequence[str]) -> set[str]:
    members = set(reading.known(starts))
    bare = _bare(members)
    if bare:
        members |= {version for version, _ in made_by(reading, bare)}
    return members


def _bare(ids: Iterable[str]) -> list[str]:
    """Artifacts without a version: they stand for their versions."""
    return [one for one in ids if class_of(one) == ARTIFACT and not token_of(one)]
