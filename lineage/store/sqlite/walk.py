"""Walks: breadth-first over the states of nodes; see the contract."""

from __future__ import annotations

from collections.abc import Sequence

from lineage.model.ids import ARTIFACT
from lineage.store.contract import Direction, History, Walk
from lineage.store.sqlite.closure import closure, edge_of
from lineage.store.sqlite.nodes import made_by
from lineage.store.sqlite.reading import Reading
from lineage.store.sqlite.walker import READ, EdgeKey, State, Walker

__all__ = ["walk"]

_SOME = 1_000
"""States of a last level that are looked beyond together."""


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
    levels: list[set[int]] = []
    found: set[int] = set()
    edges: set[EdgeKey] = set()
    level, seen, truncated = list(first), set(first), False
    while level:
        new = {state[0] for state in level} - found
        if limit is not None and len(found) + len(new) > limit:
            kept = sorted(new, key=walker.urns.__getitem__)[: max(limit - len(found), 0)]
            new, truncated = set(kept), True
        levels.append(new)
        found |= new
        if truncated:
            break
        if depth is not None and len(levels) > depth:
            truncated = _leads_beyond(walker, level, seen)
            break
        states, keys = walker.expand(level)
        edges.update(keys)
        level = list(dict.fromkeys([state for state in states if state not in seen]))
        seen.update(level)
    return _answer(walker, levels, found, edges, truncated=truncated)


def _leads_beyond(walker: Walker, level: Sequence[State], seen: set[State]) -> bool:
    """Whether a level goes on; of a wide one it is known after a few."""
    return any(
        not seen.issuperset(walker.expand(level[start : start + _SOME])[0])
        for start in range(0, len(level), _SOME)
    )


def _answer(
    walker: Walker,
    levels: Sequence[set[int]],
    found: set[int],
    edges: set[EdgeKey],
    *,
    truncated: bool,
) -> Walk:
    urns = walker.urns
    nodes = [
        (urn, depth)
        for depth, level in enumerate(levels)
        for urn in sorted([urns[number] for number in level])
    ]
    kept = [
        edge_of(kind, urns[up], urns[down], *walker.facts[kind, up, down])
        for kind, up, down in edges
        if up in found and down in found
    ]
    kept.sort()
    return Walk(nodes, kept, truncated)
