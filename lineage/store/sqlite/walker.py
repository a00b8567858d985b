"""The states of a walk: what leads from one level to the next, read for a whole level at once.

The states, and why there are roles, are those of :mod:`lineage.store.memory.walk`. Downstream the
same steps are taken backwards, between states that something that is read can reach.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from lineage.model.claims import EdgeType
from lineage.store.contract import Direction, History
from lineage.store.sqlite.closure import walked
from lineage.store.sqlite.edges import HOLDS
from lineage.store.sqlite.logs import Logs, Place
from lineage.store.sqlite.reading import Reading

__all__ = ["READ", "EdgeKey", "State", "Walker"]

READ, COMMIT = 0, 1
_USED, _GENERATED = int(EdgeType.USED), int(EdgeType.GENERATED)
_CARRIES, _SAME_AS = int(EdgeType.CARRIES), int(EdgeType.SAME_AS)

State = tuple[int, int, int]
"""(node, role, the table whose commit led to a run, or 0)."""
EdgeKey = tuple[int, int, int]
"""(type, up, down)."""
Steps = tuple[list[State], list[EdgeKey]]
"""The next states, and beside each the edge that leads there."""
Near = dict[int, list[EdgeKey]]


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
        if missing:
            sql = """SELECT n.id, n.urn, n.parent FROM json_each(:ids) j
                CROSS JOIN node n ON n.id = j.value"""
            for number, urn, parent in self._reading.query(sql, ids=str(missing)):
                self.urns[number], self._artifact[number] = urn, parent or number

    def _near(self, numbers: Iterable[int], *, up: bool, only: str = "") -> Near:
        """Edges of each node towards sources or products."""
        side, other = ("dn", "up") if up else ("up", "dn")
        sql = f"""SELECT e.type, e.{side}, n.id, e.vf, e.method, n.urn, n.parent
            FROM json_each(:ids) j CROSS JOIN edge e
            ON e.{side} = j.value AND {only or self._walked}
            CROSS JOIN node n ON n.id = e.{other} WHERE {HOLDS}"""
        found: Near = defaultdict(list)
        facts, urns, artifacts = self.facts, self.urns, self._artifact
        for stored, one, two, at, method, urn, parent in self._reading.query(
            sql, ids=str(list(numbers))
        ):
            kind = stored or 1
            key = (kind, two, one) if up else (kind, one, two)
            had = facts.get(key)
            if had is not None:
                facts[key] = (min(at, had[0]), min(method, had[1]))
            else:
                facts[key] = (at, method)
                urns[two] = urn
                artifacts[two] = parent or two
            found[one].append(key)
        return found

    def _places(self, numbers: Iterable[int]) -> dict[int, Place]:
        """Those versions that are walked by the files of their table."""
        if not self._pruning:
            return {}
        return self._logs.places(n for n in numbers if self._artifact[n] != n)

    # --- upstream

    def expand(self, level: Sequence[State]) -> Steps:
        """The next states of a level, with the edges that lead there."""
        return self._sources(level) if self._up else self._products(level)

    def _sources(self, level: Sequence[State]) -> Steps:
        numbers = {state[0] for state in level}
        near = self._near(numbers, up=True)
        places = self._places(numbers)
        states: list[State] = []
        edges: list[EdgeKey] = []
        for state in level:
            pruned = state[0] in places
            for key in near.get(state[0], ()):
                above = self._source(state, key[0], key[1], pruned=pruned)
                if above is not None:
                    states.append(above)
                    edges.append(key)
        for role, contents in ((READ, self._logs.contents), (COMMIT, self._logs.rewritten)):
            asked = {node for node, as_what, _ in level if as_what == role and node in places}
            for version, commits in contents(asked).items():
                fact = (places[version].at, 0)
                for commit in commits:
                    edges.append(key := (_CARRIES, commit, version))
                    states.append((commit, COMMIT, 0))
                    self.facts[key] = fact
        self.learn({state[0] for state in states})
        return states, edges

    def _source(self, state: State, kind: int, other: int, *, pruned: bool) -> State | None:
        node, role, via = state
        if kind == _USED:
            return None if via and self._artifact[other] == via else (other, READ, 0)
        if kind == _GENERATED:
            return other, READ, self._artifact[node] if pruned else 0
        if kind == _SAME_AS:
            return other, role, via
        return None if kind == _CARRIES and pruned else (other, READ, 0)

    # --- downstream: the same steps backwards

    def _products(self, level: Sequence[State]) -> Steps:
        numbers = {state[0] for state in level}
        near = self._near(numbers, up=False)
        below = {key[2] for keys in near.values() for key in keys}
        places = self._places(numbers | below)
        states_of = self.states_of(below)
        states: list[State] = []
        edges: list[EdgeKey] = []
        for state in level:
            for key in near.get(state[0], ()):
                other = key[2]
                found = self._product(state, key[0], states_of[other], pruned=other in places)
                states += found
                edges += [key] * len(found)
        commits = {node for node, role, _ in level if role == COMMIT and node in places}
        for commit, product in self._containers(commits):
            states.append(product)
            edges.append((_CARRIES, commit, product[0]))
        self.learn({state[0] for state in states})
        return states, edges

    def _product(
        self, state: State, kind: int, states: list[State], *, pruned: bool
    ) -> list[State]:
        """States of a product, the first of which is as read, that lead to ``state``."""
        node, role, via = state
        product = states[0][0]
        if kind == _SAME_AS:
            return [(product, role, via)]
        if role == COMMIT:
            return []
        if kind == _GENERATED:
            return states if via == (self._artifact[product] if pruned else 0) else []
        if via or (kind == _CARRIES and pruned):
            return []
        if kind == _USED:
            own = self._artifact[node]
            return [other for other in states if other[2] != own]
        return states

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
        products = {key[2] for edges in generated.values() for key in edges}
        places = self._logs.places(every | products)
        vias = {
            member: {self._artifact[key[2]] for key in edges if key[2] in places}
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
                for _, other, _ in edges:
                    if other not in classes:
                        classes[other] = {other}
                        todo.add(other)
                    merged = classes[one]
                    if other not in merged:
                        merged |= classes[other]
                        for member in merged:
                            classes[member] = merged
        return classes
