"""Walks, level by level: each step reads the edges of a whole level at once.

The states of the walk, and why there are roles, are those of :mod:`lineage.store.memory.walk`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from lineage.model.claims import EdgeType, Method
from lineage.model.ids import ARTIFACT
from lineage.store.contract import Direction, Edge, History, Walk
from lineage.store.sqlite.closure import closure, walked
from lineage.store.sqlite.edges import HOLDS
from lineage.store.sqlite.logs import Logs
from lineage.store.sqlite.nodes import made_by
from lineage.store.sqlite.reading import Reading

__all__ = ["walk"]

READ, COMMIT = 0, 1
_CARRIES = int(EdgeType.CARRIES)
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
        self._walked = walked(history)

    # --- reading

    def learn(self, numbers: Iterable[int]) -> None:
        """Read ids and artifacts of nodes."""
        missing = [number for number in numbers if number not in self.urns]
        sql = """SELECT n.id, n.urn, n.parent FROM json_each(:ids) j
            CROSS JOIN node n ON n.id = j.value"""
        for number, urn, parent in self._reading.query(sql, ids=str(missing)):
            self.urns[number], self._artifact[number] = urn, parent or number

    def _near(self, numbers: Iterable[int], *, up: bool, only: str = "") -> dict[int, list[Near]]:
        """Edges of each node towards sources or products, each once."""
        side, other = ("dn", "up") if up else ("up", "dn")
        sql = f"""SELECT max(e.type, 1), e.{side}, e.{other}, min(e.vf), min(e.method)
            FROM json_each(:ids) j CROSS JOIN edge e
            ON e.{side} = j.value AND {only or self._walked}
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
        steps: Steps = {
            state: [
                (above, (edge.type, edge.other, state[0]))
                for edge in near.get(state[0], ())
                if (above := self._source(state, edge, pruned=state[0] in places)) is not None
            ]
            for state in level
        }
        for role, contents in ((READ, self._logs.contents), (COMMIT, self._logs.rewritten)):
            asked = {node for node, as_what, _ in level if as_what == role and node in places}
            for node, commits in contents(asked).items():
                steps[node, role, 0] += self._contained(commits, node, places[node].at)
        self.learn({state[0] for found in steps.values() for state, _ in found})
        return steps

    def _contained(
        self, commits: Iterable[int], version: int, at: int
    ) -> Iterator[tuple[State, EdgeKey]]:
        for commit in commits:
            key = (_CARRIES, commit, version)
            self.facts[key] = (at, 0)
            yield (commit, COMMIT, 0), key

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
        commits = {node for node, role, _ in level if role == COMMIT and node in places}
        for node, product in self._containers(commits):
            key = (_CARRIES, node, product[0])
            steps[node, COMMIT, 0].append((product, key))
        self.learn({state[0] for found in steps.values() for state, _ in found})
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

    def _containers(self, commits: set[int]) -> Iterator[tuple[int, State]]:
        """Versions that come from commits: as read, and as commits that are read themselves."""
        if not commits:
            return
        readers, rewriters = self._logs.readers(commits), self._logs.rewriters(commits)
        later = set().union(*readers.values(), *rewriters.values())
        places = self._logs.places(later)
        read = self._read(set().union(*rewriters.values()))
        for role, found in ((READ, readers), (COMMIT, rewriters)):
            for commit, versions in found.items():
                for version in versions if role == READ else versions & read:
                    self.facts[_CARRIES, commit, version] = (places[version].at, 0)
                    yield commit, (version, role, 0)

    def _read(self, numbers: set[int]) -> set[int]:
        """Those nodes that are read as a commit, under any of their names."""
        if not numbers:
            return set()
        classes = self._classes(numbers)
        places = self._logs.places({member for of_one in classes.values() for member in of_one})
        read = self._logs.read(places)
        return {number for number in numbers if classes[number] & read}

    def states_of(self, numbers: Iterable[int]) -> dict[int, list[State]]:
        """Every state that each node can be reached in, from anything that is read."""
        states: dict[int, list[State]] = {number: [(number, READ, 0)] for number in numbers}
        if not self._pruning or not states:
            return states
        classes = self._classes(states)
        every = {member for members in classes.values() for member in members}
        generated = self._near(every, up=False, only="e.type = 2")
        products = {edge.other for edges in generated.values() for edge in edges}
        places = self._logs.places(every | products)
        vias = {
            member: {self._artifact[edge.other] for edge in edges if edge.other in places}
            for member, edges in generated.items()
        }
        read = self._logs.read(every & places.keys())
        for number, found in states.items():
            members = classes[number]
            through = set().union(*(vias.get(member, ()) for member in members))
            found += [(number, READ, via) for via in through]
            if members & read:
                found.append((number, COMMIT, 0))
        return states

    def _classes(self, numbers: Iterable[int]) -> dict[int, set[int]]:
        """Each node with all that are the same at this view."""
        classes: dict[int, set[int]] = {number: {number} for number in numbers}
        todo = set(classes)
        while todo:
            same = self._near(todo, up=True, only="e.type = 5")
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
    members = _members(reading, starts)
    if depth is None:
        short = closure(reading, members, direction, history=history, limit=limit)
        if short is not None:
            return short
    walker = Walker(reading, direction, history)
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
