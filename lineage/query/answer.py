"""The answer to "where does this come from" (or "what came of it"), and how complete it is."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from lineage.errors import UnknownNameError
from lineage.model.canonical import iso
from lineage.model.claims import EdgeType, StateType
from lineage.model.ids import RUN, SERVICE, artifact_of, class_of, job_of_run, parse_id
from lineage.ownership.kinds import known_since, not_yet
from lineage.ownership.origins import unknown_origins
from lineage.store.contract import (
    Direction,
    Edge,
    Evidence,
    History,
    StateValue,
    Store,
    View,
    Walk,
)

__all__ = [
    "DEPTH",
    "LIMIT",
    "MOST_NODES",
    "PAGE",
    "Answer",
    "Completeness",
    "Gap",
    "ask",
    "evidence_of",
    "gaps_in",
    "gaps_of",
    "must_exist",
    "shown_type",
]

MOST_NODES = 100_000
"""Nodes that one walk may reach; a wider answer says that it was cut."""

_MOST_SERVICES = 1_000
_COMMITTING = (EdgeType.CARRIES, EdgeType.REVISION_OF, EdgeType.GENERATED)

DEPTH, LIMIT, PAGE = "DEPTH", "LIMIT", "PAGE"
"""Why an answer is truncated: the depth asked for, the widest walk, more pages follow."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch that may have been lost, and the node it touches."""

    node: str
    key: str
    facts: dict[str, Any]

    @property
    def reason(self) -> str:
        """Why something may be missing."""
        return str(self.facts.get("reason", ""))


@dataclass(frozen=True, slots=True)
class Completeness:
    """What an answer may lack. ``unresolved`` are uses (run, artifact) without a version.

    ``unknown_origins`` are versions of what is made (tables, models) that nothing recorded made.
    ``hidden`` counts nodes that this reader may not see.
    """

    view: View
    truncated_by: tuple[str, ...] = ()
    unresolved: tuple[tuple[str, str], ...] = ()
    gaps: tuple[Gap, ...] = ()
    hidden: int = 0
    unknown_origins: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether nothing is known to be missing."""
        return not (
            self.truncated_by or self.unresolved or self.gaps or self.hidden or self.unknown_origins
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """Nodes with their depth in order of (depth, id), the edges among them, and completeness."""

    nodes: tuple[tuple[str, int], ...]
    edges: tuple[Edge, ...]
    completeness: Completeness


def ask(
    store: Store,
    starts: Sequence[str],
    direction: Direction,
    view: View,
    *,
    depth: int | None = None,
    history: History = History.CONTRIBUTING,
) -> Answer:
    """Everything up or down of ``starts``, and what may be missing from it.

    Raises ``UnknownNameError`` for a start that did not exist yet at the view's valid time.
    """
    for start in starts:
        must_exist(store, start, view)
    walk = store.walk(starts, direction, view, depth=depth, history=history, limit=MOST_NODES)
    cut = () if not walk.truncated else (LIMIT,) if len(walk.nodes) >= MOST_NODES else (DEPTH,)
    origins: tuple[str, ...] = ()
    if direction is Direction.UPSTREAM:
        origins = unknown_origins(store, (node for node, _ in walk.nodes), view, walk.edges)
    return Answer(
        tuple(walk.nodes),
        tuple(walk.edges),
        Completeness(
            view,
            cut,
            tuple(sorted(walk.unresolved())),
            _gaps_of_walk(store, walk, view),
            unknown_origins=origins,
        ),
    )


def must_exist(store: Store, node: str, view: View) -> None:
    """Raise ``UnknownNameError`` where all that is known of a node came after the valid time."""
    if not_yet(store, [node], view):
        since = known_since(store, node, view.position)
        raise UnknownNameError(
            f"{node} was not there yet at {iso(view.as_of)}",
            pointer="/asOf",
            hint="" if since is None else f"the first that is known of it is of {iso(since)}",
        )


def _gaps_of_walk(store: Store, walk: Walk, view: View) -> tuple[Gap, ...]:
    """Gaps that touch a node of the walk, the job of a run, or a source that says an edge of it."""
    nodes = [node for node, _ in walk.nodes]
    jobs = [job_of_run(node) for node in nodes if class_of(node) == RUN]
    found = gaps_of(store, [*nodes, *jobs], view)
    services = store.page(view, classes=[SERVICE], limit=_MOST_SERVICES)
    elsewhere = gaps_of(store, services, view)
    if elsewhere:
        sources = {
            claim.source
            for edge in walk.edges
            for claim in store.evidence(edge.type, edge.up, edge.down, view)
        }
        found += tuple(gap for gap in elsewhere if parse_id(gap.node).texts[-1] in sources)
    return found


def gaps_of(store: Store, nodes: Iterable[str], view: View) -> tuple[Gap, ...]:
    """Open gaps that touch any of ``nodes``, or the artifact one is a version of."""
    touched = {name for node in nodes for name in (node, artifact_of(node))}
    return gaps_in(store.states(view, subjects=sorted(touched), types=[StateType.GAP]))


def gaps_in(states: Iterable[StateValue]) -> tuple[Gap, ...]:
    """The open gaps among ``states``."""
    return tuple(
        Gap(state.subject, state.object, _facts(state.value))
        for state in states
        if state.type is StateType.GAP and state.value != "off"
    )


def _facts(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        value = text
    return value if isinstance(value, dict) else {"reason": str(value)}


def evidence_of(store: Store, edge: Edge, view: View) -> list[Evidence]:
    """The claims behind an edge.

    That a version contains an earlier commit of its table may follow from the files of both, with
    no claim of its own: then it is the claims on how each of the two commits came to be.
    """
    found = store.evidence(edge.type, edge.up, edge.down, view)
    if found or edge.type is not EdgeType.CARRIES:
        return found
    steps = store.edges([edge.up, edge.down], Direction.UPSTREAM, view, _COMMITTING)
    claims = [c for step in steps for c in store.evidence(step.type, step.up, step.down, view)]
    return sorted(set(claims), key=lambda claim: (claim.seq, claim.at, claim.detail))


def shown_type(edge: Edge) -> tuple[str, bool]:
    """An edge's type in the words of the field, and whether it carries.

    A version that contains what was in an earlier one is a revision of it: it carries.
    """
    if edge.type is EdgeType.CARRIES:
        return EdgeType.REVISION_OF.name, True
    return edge.type.name, False
