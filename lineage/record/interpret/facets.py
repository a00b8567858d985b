"""What facets of OpenLineage say: one reader a facet, for datasets, jobs and runs.

A facet of an unexpected shape says nothing; it never breaks the event. A facet without a reader is
kept with the body for later interpreters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lineage.model.claims import Method, StateOp, StateType
from lineage.model.ids import artifact_id, team_id
from lineage.model.naming import normalise
from lineage.record.interpret.claiming import attributes, state

__all__ = [
    "dataset_facets",
    "is_person",
    "job_facets",
    "mapping",
    "run_facets",
    "sequence",
    "text",
]

_DECLARED = Method.DECLARED
_PERSONAL = ("user:", "person:", "email:", "mailto:")
"""Owners who are people: a person may be a contact, only a team is accountable."""

Reader = Callable[[str, dict[str, Any], int], list[StateOp]]
"""Takes the id the facet is about, the facet, and the event time."""


def mapping(value: Any) -> dict[str, Any]:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def sequence(value: Any) -> list[Any]:
    """The value if it is an array, else an empty one."""
    return value if isinstance(value, list) else []


def text(value: Any) -> str:
    """The value if it is text, else the empty one."""
    return value if isinstance(value, str) else ""


def is_person(owner: str) -> bool:
    """Whether the owner that a facet names is a person."""
    return owner.lower().startswith(_PERSONAL) or "@" in owner


def dataset_facets(node: str, dataset: dict[str, Any], at: int) -> list[StateOp]:
    """All that the facets of a dataset say of it."""
    return _read(_DATASET, node, dataset, at)


def job_facets(node: str, job: dict[str, Any], at: int) -> list[StateOp]:
    """All that the facets of a job say of it."""
    return _read(_JOB, node, job, at)


def run_facets(node: str, run: dict[str, Any], at: int) -> list[StateOp]:
    """All that the facets of a run say of it."""
    return _read(_RUN, node, run, at)


def _read(
    readers: Mapping[str, Reader], node: str, owner: dict[str, Any], at: int
) -> list[StateOp]:
    states: list[StateOp] = []
    for name, facet in mapping(owner.get("facets")).items():
        reader = readers.get(name)
        if reader is not None and isinstance(facet, dict):
            states += reader(node, facet, at)
    return states


def _attribute(name: str, field: str) -> Reader:
    """A reader that takes one text field of a facet for an attribute."""
    return lambda node, facet, at: attributes(node, {name: text(facet.get(field))}, at, _DECLARED)


def _schema(node: str, facet: dict[str, Any], at: int) -> list[StateOp]:
    fields = [field for field in sequence(facet.get("fields")) if isinstance(field, dict)]
    return attributes(node, {"schema": fields}, at, _DECLARED)


def _symlinks(node: str, facet: dict[str, Any], at: int) -> list[StateOp]:
    states: list[StateOp] = []
    for link in map(mapping, sequence(facet.get("identifiers"))):
        namespace, name = text(link.get("namespace")), text(link.get("name"))
        if namespace and name:
            low, high = sorted((node, artifact_id(*normalise(namespace, name))))
            if low != high:
                states.append(state(low, StateType.SAME_AS, high, "on", at))
    return states


def _lifecycle(node: str, facet: dict[str, Any], at: int) -> list[StateOp]:
    change = text(facet.get("lifecycleStateChange")).upper()
    if not change:
        return []
    return [state(node, StateType.EXISTS, "", "off" if change == "DROP" else "on", at)]


def _owners(node: str, facet: dict[str, Any], at: int) -> list[StateOp]:
    """Owners who are teams claim ownership (source ``catalog``); people are contacts."""
    states: list[StateOp] = []
    contacts: set[str] = set()
    for owner in map(mapping, sequence(facet.get("owners"))):
        name = text(owner.get("name"))
        if not name:
            continue
        if is_person(name):
            contacts.add(name)
            continue
        team = name.partition(":")[2] if name.startswith(("team:", "group:")) else name
        key = f"{team_id(team or name)}|catalog:openlineage"
        states.append(state(node, StateType.OWNED_BY, key, "claimed", at))
    return states + attributes(node, {"contacts": sorted(contacts)}, at, _DECLARED)


def _source_code(node: str, facet: dict[str, Any], at: int) -> list[StateOp]:
    names = ("type", "url", "repoUrl", "path", "version", "tag", "branch")
    code = {name: text(facet.get(name)) for name in names if text(facet.get(name))}
    return attributes(node, {"source_code": code}, at, _DECLARED)


def _job_type(node: str, facet: dict[str, Any], at: int) -> list[StateOp]:
    values = {
        "job_type": text(facet.get("jobType")),
        "integration": text(facet.get("integration")),
    }
    return attributes(node, values, at, _DECLARED)


def _engine(node: str, facet: dict[str, Any], at: int) -> list[StateOp]:
    parts = (text(facet.get("name")), text(facet.get("version")))
    return attributes(node, {"engine": " ".join(filter(None, parts))}, at, _DECLARED)


_DATASET: dict[str, Reader] = {
    "schema": _schema,
    "documentation": _attribute("description", "description"),
    "dataSource": _attribute("source", "uri"),
    "symlinks": _symlinks,
    "lifecycleStateChange": _lifecycle,
    "ownership": _owners,
}
_JOB: dict[str, Reader] = {
    "sourceCodeLocation": _source_code,
    "documentation": _attribute("description", "description"),
    "jobType": _job_type,
    "ownership": _owners,
}
_RUN: dict[str, Reader] = {
    "errorMessage": _attribute("error", "message"),
    "processing_engine": _engine,
}
