"""The story of a thing as plain data: what `lineage show` prints and renders.

The same walk as GraphQL's ``lineage``, with the facts that people ask for beside every node.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lineage.model.canonical import iso
from lineage.model.claims import EdgeType, StateType
from lineage.model.ids import ARTIFACT, RUN, artifact_of, class_of, parse_id, token_of
from lineage.ownership.kinds import kinds_of
from lineage.ownership.origins import record_its_making
from lineage.query.answer import Answer, ask, must_exist, shown_type
from lineage.query.batch import Batch
from lineage.query.facts import value_of
from lineage.query.views import shown_time
from lineage.store.contract import Direction, Edge, History, Store, View

__all__ = ["Asked", "tell"]

_RUN_FACTS = (
    "command", "parameters", "cwd", "host", "exit_code", "signal", "error", "code", "environment",
)  # fmt: skip
_VERSION_FACTS = ("operation", "engine", "incomplete_run", "renamed_from")


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be told: everything up or down of ``node``, how deep, how much history."""

    node: str
    direction: Direction = Direction.UPSTREAM
    depth: int | None = None
    history: History = History.CONTRIBUTING
    every_version: bool = False


def tell(store: Store, asked: Asked, view: View) -> dict[str, Any]:
    """Nodes with facts, edges, owners and completeness, as plain data.

    Of an artifact without a version it is the story of its latest, unless ``every_version``.
    """
    start, versions = asked.node, None
    if class_of(start) == ARTIFACT and not token_of(start):
        must_exist(store, start, view)
        known = store.versions(start, view)
        versions = len(known)
        if known and not asked.every_version:
            start = known[-1][0]
    answer = ask(store, [start], asked.direction, view, depth=asked.depth, history=asked.history)
    batch = Batch(store, view, [node for node, _ in answer.nodes])
    about: dict[str, Any] = {"id": start, "name": batch.name(start), "kind": batch.kind(start)}
    if versions is not None:
        about |= {"artifact": artifact_of(start), "versions": versions}
    return {
        **about,
        "direction": asked.direction.value,
        "nodes": [_node(batch, node, depth) for node, depth in answer.nodes],
        "edges": [_edge(edge) for edge in answer.edges],
        "completeness": _completeness(store, answer),
    }


def _node(batch: Batch, node: str, depth: int) -> dict[str, Any]:
    shown = {"id": node, "name": batch.name(node), "kind": batch.kind(node), "depth": depth}
    if class_of(node) == RUN:
        shown |= _run(batch, node)
    elif class_of(node) == ARTIFACT:
        if token_of(node):
            shown |= _version(batch, node)
        standing = batch.ownership[node]
        shown["owner"] = {"status": standing.status.value, "team": standing.team}
    return shown


def _run(batch: Batch, node: str) -> dict[str, Any]:
    attributes = batch.attributes(node)
    states = batch.states.get(node, ())
    people = batch.links(Direction.UPSTREAM, EdgeType.ATTRIBUTED_TO).get(node, ())
    facts = {
        "state": next((s.value for s in states if s.type is StateType.RUN_STATE), None),
        "user": _person(batch, people[0].up) if people else None,
        "started_at": _time(value_of(attributes, "started_at")),
        "ended_at": _time(value_of(attributes, "ended_at")),
        **{name: value_of(attributes, name) for name in _RUN_FACTS},
    }
    return {name: value for name, value in facts.items() if value is not None}


def _person(batch: Batch, person: str) -> dict[str, str]:
    edges = batch.links(Direction.UPSTREAM, EdgeType.ATTRIBUTED_TO).values()
    people = batch.other("people", (edge.up for each in edges for edge in each))
    return {"id": person, "name": people.name(person)}


def _version(batch: Batch, node: str) -> dict[str, Any]:
    version = parse_id(node).version
    attributes = batch.attributes(node)
    pins = [
        state.object for state in batch.states.get(node, ()) if state.type is StateType.PINNED_BY
    ]
    facts = {
        "version": version.text if version else "",
        "made_at": shown_time(batch.made_at(node)),
        "pinned": pins or None,
        **{name: value_of(attributes, name) for name in _VERSION_FACTS},
    }
    return {name: value for name, value in facts.items() if value is not None}


def _time(value: Any) -> str | None:
    return iso(value) if isinstance(value, int) else None


def _edge(edge: Edge) -> dict[str, Any]:
    type_, carries = shown_type(edge)
    shown: dict[str, Any] = {"up": edge.up, "down": edge.down, "type": type_}
    if carries:
        shown["carries"] = True
    return {**shown, "at": iso(edge.at), "method": edge.method.name}


def _completeness(store: Store, answer: Answer) -> dict[str, Any]:
    found = answer.completeness
    position = found.view.position
    last = next(store.entries(position - 1, 1), None) if position else None
    batch = Batch(store, found.view, found.unknown_origins)
    kinds = kinds_of(store, found.unknown_origins, position)
    return {
        "complete": found.complete,
        "truncated_by": list(found.truncated_by),
        "hidden": found.hidden,
        "unresolved": [{"run": run, "artifact": node} for run, node in found.unresolved],
        "unknown_origins": [
            {
                "id": node,
                "name": batch.name(node),
                "advice": record_its_making(node, kinds[artifact_of(node)]),
            }
            for node in found.unknown_origins
        ],
        "gaps": [
            {"node": gap.node, "reason": gap.reason, "facts": gap.facts} for gap in found.gaps
        ],
        "position": position,
        "known_at": None if last is None else iso(last.recorded_at),
        "as_of": shown_time(found.view.as_of),
    }
