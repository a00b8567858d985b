"""Which kinds of artifacts need an owner, which are made, and of which kind an artifact is.

One definition for all who ask: gates, lists of owners, and answers about what may be missing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from lineage.model.claims import EdgeType, StateType
from lineage.model.ids import ARTIFACT, artifact_of, parse_id, token_of
from lineage.model.naming import UNKNOWN_KIND, kind_of_path
from lineage.ownership.claims import Owners
from lineage.ownership.precedence import Ownership
from lineage.store.contract import LATEST, Direction, Store, View

__all__ = [
    "MADE",
    "NEED_OWNER",
    "UNDESCRIBED",
    "Listed",
    "kinds_of",
    "known_since",
    "not_yet",
    "scan_owned",
]

UNDESCRIBED = UNKNOWN_KIND
"""Kind of an artifact whose kind nobody has said: it may be a table."""

NEED_OWNER: tuple[str, ...] = (
    UNDESCRIBED, "deployment", "feature_view", "model", "table", "training_dataset",
)  # fmt: skip
"""Kinds that must have an owner of their own; the rest get one from scopes, or none."""

MADE = frozenset({"feature_view", "model", "table", "training_dataset"})
"""Kinds that somebody or something made: where nothing says what, that is missing."""

_CHUNK = 500
"""Ids per read: backends bind each one."""

_EVENTS = tuple(kind for kind in EdgeType if kind is not EdgeType.SAME_AS)


def kinds_of(store: Store, artifacts: Iterable[str], position: int) -> dict[str, set[str]]:
    """Every kind that some source says of each artifact: a weak hint of ``table`` is enough.

    What a thing is does not depend on the time that is asked about: whatever is known counts.
    """
    found: dict[str, set[str]] = {artifact_of(node): set() for node in artifacts}
    for some in _chunks(sorted(found)):
        said = store.states(
            View(position), subjects=some, types=[StateType.ATTRIBUTE], objects=["kind"]
        )
        for state in said:
            kind = json.loads(state.value)
            if isinstance(kind, str):
                found[state.subject].add(kind)
    for node, kinds in found.items():
        if not kinds:
            kinds.add(kind_of_path(parse_id(node).texts[-1]) or UNDESCRIBED)
    return found


# --- existence ------------------------------------------------------------------------------------


def not_yet(store: Store, ids: Iterable[str], view: View) -> set[str]:
    """Those of ``ids`` of which all that holds or happened came after the view's valid time.

    What is known without any time (somebody only named it) is not among them.
    """
    if view.as_of >= LATEST:
        return set()
    asked = set(ids)
    missing = asked - _there(store, asked, view)
    return _there(store, missing, View(view.position)) if missing else set()


def _there(store: Store, ids: Iterable[str], view: View) -> set[str]:
    """Those of which something holds, or has happened, by the view's valid time."""
    asked = list(dict.fromkeys(ids))
    found: set[str] = set()
    for some in _chunks(asked):
        found |= {state.subject for state in store.states(view, subjects=some)}
    versions = _each_version(store, [node for node in asked if node not in found], view)
    for some in _chunks(sorted(versions)):
        happened = {end for edge in _edges(store, some, view) for end in (edge[0], edge[1])}
        found |= {versions[version] for version in some if version in happened}
    left = [node for node in asked if node not in found]
    artifacts = {node: artifact_of(node) for node in left if _is_artifact(node)}
    made = store.versions_of(list(dict.fromkeys(artifacts.values())), view)
    for node, artifact in artifacts.items():
        times = dict(made.get(artifact, ()))
        own = [times.get(node)] if token_of(node) else times.values()
        if any(time is not None for time in own):
            found.add(node)
    return found


def known_since(store: Store, node: str, position: int) -> int | None:
    """The earliest time (microseconds) at which something holds of it or happened to it."""
    view = View(position)
    names = list(_each_version(store, [node], view))
    times = [edge[2] for edge in _edges(store, names, view)]
    if _is_artifact(node):
        made = dict(store.versions(artifact_of(node), view))
        own = [made.get(node)] if token_of(node) else list(made.values())
        times += [time for time in own if time is not None]
    times += [
        state.since
        for kind in StateType
        for state in store.history(node, kind, position)
        if kind is not StateType.SAME_AS
    ]
    return min(times, default=None)


def _each_version(store: Store, nodes: Sequence[str], view: View) -> dict[str, str]:
    """These nodes, and the versions of those that are artifacts, with the node they are of."""
    bare = [node for node in nodes if _is_artifact(node) and not token_of(node)]
    known = store.versions_of(bare, view)
    versions = {version: node for node in bare for version, _ in known.get(node, ())}
    return {**{node: node for node in nodes}, **versions}


def _is_artifact(node: str) -> bool:
    return node.startswith(f"{ARTIFACT}:")


def _edges(store: Store, ids: Sequence[str], view: View) -> list[tuple[str, str, int]]:
    return [
        (edge.up, edge.down, edge.at)
        for some in _chunks(ids)
        for direction in Direction
        for edge in store.edges(some, direction, view, _EVENTS)
    ]


# --- lists ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Listed:
    """An artifact on a list of owners: ``kinds`` are all that any source says of it."""

    node: str
    kinds: frozenset[str]
    ownership: Ownership


def scan_owned(
    store: Store, view: View, kinds: Iterable[str] = NEED_OWNER, *, after: str = ""
) -> Iterator[tuple[list[str], list[Listed]]]:
    """Who answers for the artifacts of ``kinds`` that exist at ``view``, in order of ids.

    A few hundred artifacts at a time, after the id ``after``: all that were looked at, and those
    of them that are listed.
    """
    wanted, owners = frozenset(kinds), Owners(store, view)
    while ids := store.page(view, classes=[ARTIFACT], after=after, limit=_CHUNK):
        said = kinds_of(store, ids, view.position)
        chosen = [node for node in ids if not wanted.isdisjoint(said[node])]
        later = not_yet(store, chosen, view)
        found = owners.of(node for node in chosen if node not in later)
        yield (
            ids,
            [Listed(node, frozenset(said[node]), found[node]) for node in ids if node in found],
        )
        after = ids[-1]


def _chunks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), _CHUNK):
        yield ids[start : start + _CHUNK]
