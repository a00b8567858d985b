"""Walks, level by level: each step reads the edges of a whole level at once.

The states of the walk, and why there are roles, are those of :mod:`lineage.store.memory.walk`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from lineage.model.claims import LAST_WALKED, EdgeType, Method
from lineage.model.ids import ARTIFACT
from lineage.store.contract import Direction, Edge, History, Walk
from lineage.store.sqlite.edges import HOLDS
from lineage.store.sqlite.logs import Logs
from lineage.store.sqlite.nodes import made_by
from lineage.store.sqlite.reading import Reading

__all__ = ["walk"]

READ, COMMIT = 0, 1
State = tuple[int, int, int]
"""(node, role, the table whose commit led to a run, or 0)."""
EdgeKey = tuple[int, int, int]
"""(type, up, down)."""
Steps = dict[State, list[tuple[State, EdgeKey]]]


@dataclass(frozen=True, slots=True)
class Near:
    """An edge at a node of the level, with the node at its other end."""

    type: int
    other: int


class Walker:
    """What is known so far of the graph around one walk."""

    def __init__(self, reading: Reading, direction: Direction, history: History) -> None:
        self._reading = reading
        self._up = direction is Direction.UPSTREAM
        self._pruning = history is History.CONTRIBUTING
        self._logs = Logs(reading)
        self.facts: dict[EdgeKey, tuple[int, int]] = {}
        """Edges that were met: their least time and strongest method."""
        self.urns: dict[int, str] = {}
        self._artifact: dict[int, int] = {}
        types = [int(kind) for kind in EdgeType if kind <= LAST_WALKED]
        if history is History.NONE:
            types.remove(EdgeType.CARRIES)
        self._types = ", ".join(map(str, [0, *types]))

    # --- reading

    def learn(self, numbers: Iterable[int]) -> None:
        """Read ids and artifacts of nodes."""
        missing = [number for number in numbers if number not in self.urns]
        sql = """SELECT n.id, n.urn, n.parent FROM json_each(:ids) j
            CROSS JOIN node n ON n.id = j.value"""
        for number, urn, parent in self._reading.query(sql, ids=str(missing)):
            self.urns[number], self._artifact[number] = urn, parent or number

    def _near(self, numbers: Iterable[int], *, up: bool, types: str = "") -> dict[int, list[Near]]:
        """Edges of each node towards sources or products, each once."""
        side, other = ("dn", "up") if up else ("up", "dn")
        sql = f"""SELECT max(e.type, 1), e.{side}, e.{other}, min(e.vf), min(e.method)
            FROM json_each(:ids) j CROSS JOIN edge e
            ON e.{side} = j.value AND e.type IN ({types or self._types})
            WHERE {HOLDS} GROUP BY 1, 2, 3"""
        found: dict[int, list[Near]] = defaultdict(list)
        for kind, one, two, at, method in self._reading.query(sql, ids=str(list(numbers))):
            found[one].append(Near(kind, two))
            key = (kind, two, one) if up else (kind, one, two)
            self.facts[key] = (at, method)
        self.learn({near.other for nears in found.values() for near in nears})
        return found

    # --- upstream

    def expand(self, level: Sequence[State]) -> Steps:
        """The next states of each state, with the edges that lead there."""
        return self._sources(level) if self._up else self._products(level)

    def _sources(self, level: Sequence[State]) -> Steps:
        numbers = {state[0] for state in level}
        near = self._near(numbers, up=True)
        places = self._logs.places(numbers) if self._pruning else {}
        steps: Steps = {}
        for state in level:
            node, role, _ = state
            place = places.get(node)
            found = steps[state] = [
                (above, (edge.type, edge.other, node))
                for edge in near.get(node, ())
                if (above := self._source(state, edge, pruned=place is not None)) is not None
            ]
            if place is not None:
                log, number = place
                reached = log.read(number) if role == READ else log.rewritten(number)
                for n in reached:
                    commit = log.commits[n]
                    key = (int(EdgeType.CARRIES), commit.version, node)
                    self.facts[key] = (log.commits[number].at, int(Method.OBSERVED))
                    found.append(((commit.version, COMMIT, 0), key))
                self.learn(log.commits[n].version for n in reached)
        return steps

    def _source(self, state: State, edge: Near, *, pruned: bool) -> State | None:
        node, role, via = state
        if edge.type == EdgeType.SAME_AS:
            return edge.other, role, via
        if edge.type == EdgeType.GENERATED:
            return edge.other, READ, self._artifact[node] if pruned else 0
        if edge.type == EdgeType.USED and via and self._artifact[edge.other] == via:
            return None
        if edge.type == EdgeType.CARRIES and pruned:
            return None
        return edge.other, READ, 0

    # --- downstream: the same steps backwards

    def _products(self, level: Sequence[State]) -> Steps:
        numbers = {state[0] for state in level}
        near = self._near(numbers, up=False)
        below = {edge.other for edges in near.values() for edge in edges}
        places = self._logs.places(numbers | below) if self._pruning else {}
        states = self.states_of(below)
        steps: Steps = {}
        for state in level:
            found = steps[state] = []
            for edge in near.get(state[0], ()):
                key = (edge.type, state[0], edge.other)
                found += [
                    (product, key)
                    for product in self._product(state, edge, states, pruned=edge.other in places)
                ]
            if state[1] == COMMIT and state[0] in places:
                found += self._rewrites(state[0])
        return steps

    def _product(
        self, state: State, edge: Near, states: dict[int, list[State]], *, pruned: bool
    ) -> Iterator[State]:
        node, role, via = state
        if edge.type == EdgeType.SAME_AS:
            yield edge.other, role, via
        elif role == COMMIT:
            return
        elif edge.type == EdgeType.GENERATED:
            if via == (self._artifact[edge.other] if pruned else 0):
                yield from states[edge.other]
        elif via or (edge.type == EdgeType.CARRIES and pruned):
            return
        elif edge.type == EdgeType.USED:
            own = self._artifact[node]
            yield from (product for product in states[edge.other] if product[2] != own)
        else:
            yield from states[edge.other]

    def _rewrites(self, node: int) -> Iterator[tuple[State, EdgeKey]]:
        """Versions that come from a commit: as read, and as commits that are read themselves."""
        log, number = self._logs.places([node])[node]
        readers, rewriters = log.readers(number), log.rewriters(number)
        self.learn(log.commits[n].version for n in readers | rewriters)
        roles = self.states_of(log.commits[n].version for n in rewriters)
        for n in readers | rewriters:
            commit = log.commits[n]
            key = (int(EdgeType.CARRIES), node, commit.version)
            self.facts[key] = (commit.at, int(Method.OBSERVED))
            if n in readers:
                yield (commit.version, READ, 0), key
            if n in rewriters and (commit.version, COMMIT, 0) in roles[commit.version]:
                yield (commit.version, COMMIT, 0), key

    def states_of(self, numbers: Iterable[int]) -> dict[int, list[State]]:
        """Every state that each node can be reached in, from anything that is read."""
        states: dict[int, list[State]] = {number: [(number, READ, 0)] for number in numbers}
        if not self._pruning:
            return states
        classes = self._classes(states)
        every = {member for members in classes.values() for member in members}
        generated = self._near(every, up=False, types=str(int(EdgeType.GENERATED)))
        products = {edge.other for edges in generated.values() for edge in edges}
        places = self._logs.places(every | products)
        vias = {
            member: {
                self._artifact[edge.other]
                for edge in generated.get(member, ()) if edge.other in places
            }
            for member in every
        }  # fmt: skip
        read = {
            member for member, (log, number) in places.items()
            if member in every and log.readers(number)
        }  # fmt: skip
        for number, found in states.items():
            members = classes[number]
            found += [(number, READ, via) for via in set().union(*(vias[m] for m in members))]
            if members & read:
                found.append((number, COMMIT, 0))
        return states

    def _classes(self, numbers: Iterable[int]) -> dict[int, set[int]]:
        """Each node with all that are the same at this view."""
        classes: dict[int, set[int]] = {number: {number} for number in numbers}
        todo = set(classes)
        while todo:
            same = self._near(todo, up=True, types=str(int(EdgeType.SAME_AS)))
            todo = set()
            for one, edges in same.items():
                for edge in edges:
                    if edge.other not in classes:
                        classes[edge.other] = {edge.other}
                        todo.add(edge.other)
                    merged = classes[one]
                    if edge.other not in merged:
                        merged |= classes[edge.other]
                        for member in merged:
                            classes[member] = merged
        return classes


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
    walker = Walker(reading, direction, history)
    members = _members(reading, starts)
    walker.learn(members)
    if direction is Direction.UPSTREAM:
        first = [(member, READ, 0) for member in members]
    else:
        first = [state for found in walker.states_of(members).values() for state in found]
    return _breadth_first(walker, first, depth, limit)


def _members(reading: Reading, starts: Sequence[str]) -> set[int]:
    numbers = reading.numbers(starts)
    bare = [
        number for urn, number in numbers.items()
        if urn.startswith(f"{ARTIFACT}:") and "@" not in urn
    ]  # fmt: skip
    members = set(numbers.values())
    if bare:
        members |= {number for _, number, _ in made_by(reading, bare)}
    return members


def _breadth_first(
    walker: Walker, first: Sequence[State], depth: int | None, limit: int | None
) -> Walk:
    depths: dict[int, int] = {}
    edges: set[EdgeKey] = set()
    level, seen, at, truncated = list(first), set(first), 0, False
    while level:
        new = {state[0] for state in level} - depths.keys()
        if limit is not None and len(depths) + len(new) > limit:
            kept = sorted(new, key=walker.urns.__getitem__)[: max(limit - len(depths), 0)]
            new, truncated = set(kept), True
        depths.update(dict.fromkeys(new, at))
        steps = walker.expand(level)
        if truncated or (depth is not None and at >= depth):
            truncated = truncated or any(
                state not in seen for found in steps.values() for state, _ in found
            )
            break
        following: dict[State, None] = {}
        for found in steps.values():
            for state, key in found:
                edges.add(key)
                if state not in seen:
                    following[state] = None
        seen.update(following)
        level, at = list(following), at + 1
    return _answer(walker, depths, edges, truncated=truncated)


def _answer(
    walker: Walker, depths: dict[int, int], edges: set[EdgeKey], *, truncated: bool
) -> Walk:
    urns = walker.urns
    nodes = sorted(((urns[node], at) for node, at in depths.items()), key=lambda n: (n[1], n[0]))
    kept = sorted(
        (kind, urns[up], urns[down], *walker.facts[kind, up, down])
        for kind, up, down in edges
        if up in depths and down in depths
    )
    found = [
        Edge(EdgeType(kind), up, down, at, Method(method)) for kind, up, down, at, method in kept
    ]
    return Walk(nodes, found, truncated)
