"""Derived edges: what they follow from, and what follows from one thing now."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from lineage.model.canonical import FOREVER
from lineage.model.claims import EdgeType, Method
from lineage.model.ids import artifact_of, token_of, with_version
from lineage.model.resolution import is_placeholder
from lineage.store.neo4j.groups import Claimed, Group, UseKey

__all__ = [
    "Derived", "DerivedRow", "Owner", "Stretch", "of_placeholder", "of_token", "of_use", "owner_of",
]  # fmt: skip

Stretch = tuple[int, int, dict[str, Group]]
"""A stretch ``[since, until)`` of valid time over which the same ids are one: groups by member."""
Owner = tuple[str, ...]
"""What derived edges follow from: a use, a placeholder, or the token of versions under aliases."""
_Piece = tuple[str, Method, int, int]
"""A target over a stretch of valid time: (target, method, since, until)."""


class Derived(NamedTuple):
    """A derived edge over ``[since, until)``; ``used`` and ``said`` name the use it resolves."""

    type: EdgeType
    up: str
    down: str
    since: int
    until: int
    method: Method
    used: str = ""
    said: str = ""


@dataclass(slots=True, eq=False)
class DerivedRow:
    """A derived edge at positions ``[rf, rt)``; ``stored``: the database has it."""

    edge: Derived
    rf: int
    rt: int = FOREVER
    stored: bool = False


def owner_of(edge: Derived) -> Owner:
    """What an edge follows from."""
    if edge.type is EdgeType.USED:
        return ("use", edge.down, edge.used, edge.said)
    if edge.method is Method.INFERRED:
        return ("tie", edge.down if is_placeholder(edge.down) else edge.up)
    return ("star", token_of(edge.up))


def of_use(
    key: UseKey, claimed: Claimed, over_time: Callable[[], Sequence[Stretch]]
) -> set[Derived]:
    """What a use without a version means."""
    claims = claimed.uses.get(key)
    if not claims:
        return set()
    run, artifact, said = key
    at, method = min(claim[0] for claim in claims), min(claim[1] for claim in claims)
    if not claimed.versions:
        return {Derived(EdgeType.USED, artifact, run, at, FOREVER, method, artifact, said)}
    pieces: list[_Piece] = []
    for since, until, groups in over_time():
        start = max(since, at)
        if start < until:
            pieces.append((*groups[artifact].resolve(key, at, method), start, until))
    return {
        Derived(EdgeType.USED, target, run, since, until, how, artifact, said)
        for target, how, since, until in _joined(pieces)
    }


def of_placeholder(
    version: str, claimed: Claimed, over_time: Callable[[], Sequence[Stretch]]
) -> set[Derived]:
    """What 'what this run wrote' is the same as."""
    first = claimed.first_output(version)
    if first is None or len(claimed.versions) < 2:
        return set()  # nothing that it could stand for
    pieces: list[_Piece] = []
    for since, until, groups in over_time():
        start = max(since, first)
        twin = groups[artifact_of(version)].twin(version)
        if twin is not None and start < until:
            pieces.append((twin, Method.INFERRED, start, until))
    return {edge for piece in _joined(pieces) for edge in _both(version, piece)}


def of_token(
    token: str, members: Collection[str], claimed: Claimed, over_time: Sequence[Stretch]
) -> set[Derived]:
    """One version under several names: each tied to the smallest. Without a token the ids."""
    named = {member: with_version(member, token) if token else member for member in members}
    known = {m: v for m, v in named.items() if v == m or v in claimed.versions}
    pieces: dict[str, list[_Piece]] = defaultdict(list)
    for since, until, groups in over_time:
        for member, version in known.items():
            least = min(known[m] for m in groups[member].members if m in known)
            if least != version:
                pieces[version].append((least, Method.DECLARED, since, until))
    return {
        edge
        for version, of_one in pieces.items()
        for piece in _joined(of_one)
        for edge in _both(version, piece)
    }


def _both(one: str, piece: _Piece) -> list[Derived]:
    other, method, since, until = piece
    return [
        Derived(EdgeType.SAME_AS, up, down, since, until, method)
        for up, down in ((one, other), (other, one))
    ]


def _joined(pieces: Iterable[_Piece]) -> list[_Piece]:
    """Pieces in order of time, those of one target that follow each other made one."""
    out: list[_Piece] = []
    for target, method, since, until in pieces:
        if out and out[-1][:2] == (target, method) and out[-1][3] == since:
            out[-1] = (target, method, out[-1][2], until)
        else:
            out.append((target, method, since, until))
    return out
