"""The short way of a walk: everything reachable in one statement.

It serves where what a node leads to does not depend on how it was reached: where no version is
walked by the files of its table's log, and neither depth nor limit cuts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from lineage.model.claims import EdgeType, Method
from lineage.store.contract import Direction, Edge, History, Walk
from lineage.store.sqlite.edges import HOLDS
from lineage.store.sqlite.reading import Reading

__all__ = ["closure", "edge_of", "walked"]

_TYPES = list(map(EdgeType, [1, *range(1, 6)]))
"""By stored type: 0 is a resolved use."""
_METHODS = list(Method)
_LEVELS = {True: ("dn", "up"), False: ("up", "dn")}
_MORE_THAN_EVER = 1 << 60


def walked(history: History) -> str:
    """The condition on an edge ``e`` to be walked. A range of types: a list would be probed."""
    return "e.type <= 5 AND e.type <> 3" if history is History.NONE else "e.type <= 5"


def closure(
    reading: Reading,
    members: Iterable[int],
    direction: Direction,
    *,
    history: History,
    limit: int | None,
) -> Walk | None:
    """The answer, or None where the short way does not serve."""
    side, other = _LEVELS[direction is Direction.UPSTREAM]
    types = walked(history)
    pruning = history is History.CONTRIBUTING and reading.rows("SELECT 1 FROM tlog LIMIT 1")
    logged = "EXISTS(SELECT 1 FROM tcommit t WHERE t.ver = n.id)" if pruning else "0"
    most = _MORE_THAN_EVER if limit is None else limit
    sql = f"""WITH RECURSIVE u(id) AS (SELECT value FROM json_each(:ids)
          UNION SELECT e.{other} FROM u CROSS JOIN edge e
            ON e.{side} = u.id AND {types} WHERE {HOLDS} LIMIT :most)
        SELECT n.id, n.urn, {logged} FROM u CROSS JOIN node n ON n.id = u.id"""
    first = list(members)
    urns: dict[int, str] = {}
    for number, urn, is_logged in reading.query(sql, ids=str(first), most=most + 1):
        if is_logged:
            return None
        urns[number] = urn
    if len(urns) > most:
        return None
    sql = f"""SELECT e.type, e.up, e.dn, e.vf, e.method FROM json_each(:ids) j
        CROSS JOIN edge e ON e.{side} = j.value AND {types} WHERE {HOLDS}"""
    near: dict[int, list[int]] = defaultdict(list)
    edges: list[Edge] = []
    for kind, up, down, at, method in reading.query(sql, ids=str(list(urns))):
        edges.append(edge_of(kind, urns[up], urns[down], at, method))
        if side == "dn":
            near[down].append(up)
        else:
            near[up].append(down)
    return Walk(_levels(first, near, urns), _merged(edges))


def edge_of(kind: int, up: str, down: str, at: int, method: int) -> Edge:
    """An edge of its stored type. Made like this since walks make tens of thousands."""
    return tuple.__new__(Edge, (_TYPES[kind], up, down, at, _METHODS[method]))


def _merged(edges: list[Edge]) -> list[Edge]:
    """Edges in order, several claims of one as one: the least time, the strongest method."""
    edges.sort()
    merged: list[Edge] = []
    for edge in edges:
        last = merged[-1] if merged else None
        if last is None or last.down != edge.down or last.up != edge.up or last.type != edge.type:
            merged.append(edge)
        elif edge.method < last.method:
            merged[-1] = last._replace(method=edge.method)
    return merged


def _levels(
    first: Iterable[int], near: dict[int, list[int]], urns: dict[int, str]
) -> list[tuple[str, int]]:
    nodes: list[tuple[str, int]] = []
    level = set(first)
    seen = set(level)
    depth = 0
    while level:
        nodes += [(urn, depth) for urn in sorted([urns[number] for number in level])]
        level = {other for number in level if number in near for other in near[number]} - seen
        seen |= level
        depth += 1
    return nodes
