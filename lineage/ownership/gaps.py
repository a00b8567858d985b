"""Gaps that touch a walk: stretches of a source that may have been lost."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from lineage.model.claims import StateType
from lineage.model.ids import RUN, SERVICE, artifact_of, class_of, job_of_run, parse_id
from lineage.ownership.claims import aliases_of
from lineage.store.contract import LATEST, StateValue, Store, View, Walk

__all__ = ["GapSeen", "gaps_touching"]

_CHUNK = 500


@dataclass(frozen=True, slots=True)
class GapSeen:
    """A stretch that may have been lost, at a node of the walk or in a source of what it says."""

    node: str
    name: str
    key: str
    reason: str


def gaps_touching(
    store: Store, walk: Walk, owned: Collection[str], view: View
) -> tuple[GapSeen, ...]:
    """Open gaps at the nodes of a walk, at their artifacts and jobs, and in sources. Sorted.

    ``owned`` is what claims of ownership count on: the artifacts under all names, and scopes.
    """
    nodes = [node for node, _ in walk.nodes]
    jobs = {job_of_run(node) for node in nodes if class_of(node) == RUN}
    named = {name for names in aliases_of(store, jobs, view).values() for name in names}
    touched = {*nodes, *map(artifact_of, nodes), *owned, *named}
    found = [*_open(store, touched, view), *_of_sources(store, walk, touched, view)]
    gaps = {
        GapSeen(state.subject, parse_id(state.subject).texts[-1], state.object, _reason(state))
        for state in found
    }
    return tuple(sorted(gaps, key=lambda gap: (gap.node, gap.key)))


def _open(store: Store, subjects: Collection[str], view: View) -> list[StateValue]:
    return [s for s in _states(store, subjects, StateType.GAP, view) if s.value != "off"]


def _reason(state: StateValue) -> str:
    try:
        value = json.loads(state.value)
    except ValueError:
        return state.value
    said = value.get("reason") if isinstance(value, dict) else None
    return said if isinstance(said, str) else state.value


# --- gaps of whole sources ------------------------------------------------------------------------


def _of_sources(store: Store, walk: Walk, touched: Collection[str], view: View) -> list[StateValue]:
    """Gaps of those sources that said anything of this walk: they may have had more to say."""
    found = _open(store, list(_services(store, view)), view)
    if not found:
        return []
    sources = set(_sources(store, walk, touched, view.position))
    return [gap for gap in found if parse_id(gap.subject).texts[-1] in sources]


def _sources(store: Store, walk: Walk, touched: Collection[str], position: int) -> Iterator[str]:
    """Who said where something came from, what it is, how a run ended, or who answers for it.

    Edges are not enough: that a version contains an earlier one may follow from the files of both,
    with no claim of its own, and a first commit has no edge at all.
    """
    whenever = View(position, LATEST)
    for edge in walk.edges:
        for claim in store.evidence(edge.type, edge.up, edge.down, whenever):
            yield claim.source
    for state in _states(store, touched, StateType.ATTRIBUTE, whenever):
        yield state.source
    for kind in (StateType.RUN_STATE, StateType.OWNED_BY):
        for state in _states(store, touched, kind, whenever):
            for act in store.state_evidence(state.subject, kind, state.object, position):
                yield act.source


def _services(store: Store, view: View) -> Iterator[str]:
    after = ""
    while page := store.page(view, classes=[SERVICE], after=after, limit=_CHUNK):
        yield from page
        after = page[-1]


def _states(
    store: Store, subjects: Iterable[str], kind: StateType, view: View
) -> Iterator[StateValue]:
    """States of many subjects, a few hundred at a time: backends bind each."""
    ordered: Sequence[str] = sorted(set(subjects))
    for start in range(0, len(ordered), _CHUNK):
        some = ordered[start : start + _CHUNK]
        yield from store.states(view, subjects=some, types=[kind])
