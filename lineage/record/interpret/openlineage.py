"""What OpenLineage events mean: runs, jobs and datasets, and the facets that are read now.

Read now: schema, version, ownership, parent, sourceCodeLocation, symlinks, lifecycleStateChange,
errorMessage, documentation, jobType. Others are kept with the body for later interpreters. A facet
of an unexpected shape says nothing; it never breaks the event.

Uses and outputs are *declared*. An output names its version only on COMPLETE (a START names the
version before it); an input version equal to an output version of the same artifact is ignored
(Spark's MERGE says the new version as input).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from lineage.model.canonical import micros
from lineage.model.claims import Claims, EdgeType, Method, Occurrence, StateOp, StateType
from lineage.model.ids import (
    is_bare_number,
    job_id,
    job_of_run,
    run_id,
    run_token,
    team_id,
    with_version,
)
from lineage.model.naming import normalise
from lineage.record.interpret.claiming import artifact, attribute, attributes, state

_DECLARED = Method.DECLARED
_KNOWN_TYPES = frozenset({"START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"})
_PERSONAL = ("user:", "person:", "email:", "mailto:")
"""Owners who are people: a person may be a contact, only a team is accountable."""


def run_event(event: Any) -> Claims:
    """A run event: state, parent, uses, outputs and facets."""
    at = micros(event["eventTime"])
    job = _job(event["job"])
    run = run_id(*_names(event["job"]), event["run"]["runId"])
    said = event.get("eventType")
    event_type = said.upper() if isinstance(said, str) else "OTHER"
    if event_type not in _KNOWN_TYPES:
        event_type = "OTHER"
    facets = _dict(event["run"].get("facets"))
    occurrences = list(_parent(facets, run, at))
    states = [state(run, StateType.RUN_STATE, "", event_type, at)]
    states += _run_attributes(facets, run, at)
    states += _times(event_type, run, at)
    states += _job_facets(event["job"], job, at)
    outputs = _datasets(event.get("outputs"))
    made = {_key(d): _version(d) for d in outputs} if event_type == "COMPLETE" else {}
    for dataset in _datasets(event.get("inputs")):
        version = _version(dataset)
        if version and made.get(_key(dataset)) == version:
            version = ""
        occurrences.append(_use(dataset, version, run, at))
        states += _dataset_facets(dataset, at)
    for dataset in outputs:
        edges, ops = _output(dataset, made.get(_key(dataset), ""), run, at)
        occurrences += edges
        states += ops + _dataset_facets(dataset, at)
    return Claims(tuple(dict.fromkeys(occurrences)), tuple(states), mentions=(run, job_of_run(run)))


def job_event(event: Any) -> Claims:
    """A job event: what a job reads and writes by design, without a run."""
    at = micros(event["eventTime"])
    job = _job(event["job"])
    occurrences: list[Occurrence] = []
    states = _job_facets(event["job"], job, at)
    for dataset in _datasets(event.get("inputs")):
        up = artifact(*_key(dataset))
        occurrences.append(Occurrence(EdgeType.USED, up, job, at, _DECLARED))
        states += _dataset_facets(dataset, at)
    for dataset in _datasets(event.get("outputs")):
        down = artifact(*_key(dataset))
        occurrences.append(Occurrence(EdgeType.GENERATED, job, down, at, _DECLARED))
        states += _dataset_facets(dataset, at)
    return Claims(tuple(dict.fromkeys(occurrences)), tuple(states), mentions=(job,))


def dataset_event(event: Any) -> Claims:
    """A dataset event: what is known of a dataset outside of any run."""
    at = micros(event["eventTime"])
    dataset = event["dataset"]
    thing = artifact(*_key(dataset))
    return Claims(states=tuple(_dataset_facets(dataset, at)), mentions=(thing,))


# --- runs and jobs --------------------------------------------------------------------------------


def _parent(facets: dict[str, Any], run: str, at: int) -> Iterator[Occurrence]:
    parent = _dict(facets.get("parent"))
    job, parent_run = _dict(parent.get("job")), _dict(parent.get("run"))
    parent_id = _text(parent_run.get("runId"))
    if parent_id and _text(job.get("namespace")) and _text(job.get("name")):
        up = run_id(*_names(job), parent_id)
        if up != run:
            yield Occurrence(EdgeType.TRIGGERED_BY, up, run, at, _DECLARED)


def _run_attributes(facets: dict[str, Any], run: str, at: int) -> list[StateOp]:
    error = _dict(facets.get("errorMessage"))
    engine = _dict(facets.get("processing_engine"))
    values = {
        "error": _text(error.get("message")),
        "engine": " ".join(
            part for part in (_text(engine.get("name")), _text(engine.get("version"))) if part
        ),
    }
    return attributes(run, values, at, _DECLARED)


def _times(event_type: str, run: str, at: int) -> list[StateOp]:
    if event_type == "START":
        return [attribute(run, "started_at", at, at, _DECLARED)]
    if event_type in ("COMPLETE", "FAIL", "ABORT"):
        return [attribute(run, "ended_at", at, at, _DECLARED)]
    return []


def _job(job: dict[str, Any]) -> str:
    return job_id(*_names(job))


def _job_facets(job: dict[str, Any], node: str, at: int) -> list[StateOp]:
    facets = _dict(job.get("facets"))
    location = _dict(facets.get("sourceCodeLocation"))
    job_type = _dict(facets.get("jobType"))
    code = {
        field: _text(location.get(field))
        for field in ("type", "url", "repoUrl", "path", "version", "tag", "branch")
        if _text(location.get(field))
    }
    values = {
        "source_code": code,
        "description": _text(_dict(facets.get("documentation")).get("description")),
        "job_type": _text(job_type.get("jobType")),
        "integration": _text(job_type.get("integration")),
    }
    return attributes(node, values, at, _DECLARED) + _owners(facets, node, at)


# --- datasets -------------------------------------------------------------------------------------


def _use(dataset: dict[str, Any], version: str, run: str, at: int) -> Occurrence:
    thing = artifact(*_key(dataset))
    if version and not is_bare_number(version):
        up, said = with_version(thing, version), ""
    else:
        up, said = thing, version
    return Occurrence(EdgeType.USED, up, run, at, _DECLARED, said=said)


def _output(
    dataset: dict[str, Any], version: str, run: str, at: int
) -> tuple[list[Occurrence], list[StateOp]]:
    """A GENERATED version, or for a dataset that the run dropped an INVALIDATED artifact."""
    thing = artifact(*_key(dataset))
    change = _text(_lifecycle(dataset).get("lifecycleStateChange")).upper()
    if change == "DROP":
        return [Occurrence(EdgeType.INVALIDATED, run, thing, at, _DECLARED)], []
    if version and not is_bare_number(version):
        down, said = with_version(thing, version), ""
    else:
        down, said = with_version(thing, run_token(run)), version
    edges = [Occurrence(EdgeType.GENERATED, run, down, at, _DECLARED, said=said)]
    states: list[StateOp] = []
    if change == "RENAME":
        previous = _dict(_lifecycle(dataset).get("previousIdentifier"))
        if _text(previous.get("namespace")) and _text(previous.get("name")):
            before = artifact(previous["namespace"], previous["name"])
            edges.append(Occurrence(EdgeType.INVALIDATED, run, before, at, _DECLARED))
            # Which version had the old name is for resolution to find, so it is a use as well.
            edges.append(Occurrence(EdgeType.USED, before, run, at, _DECLARED))
            edges.append(
                Occurrence(
                    EdgeType.DERIVED_FROM, before, down, at, _DECLARED, detail='{"role":"rename"}'
                )
            )
            states.append(state(before, StateType.EXISTS, "", "off", at))
    return edges, states


def _dataset_facets(dataset: dict[str, Any], at: int) -> list[StateOp]:
    thing = artifact(*_key(dataset))
    facets = _dict(dataset.get("facets"))
    schema = _list(_dict(facets.get("schema")).get("fields"))
    values: dict[str, Any] = {
        "schema": [field for field in schema if isinstance(field, dict)],
        "description": _text(_dict(facets.get("documentation")).get("description")),
        "source": _text(_dict(facets.get("dataSource")).get("uri")),
    }
    states = attributes(thing, values, at, _DECLARED)
    states += _owners(facets, thing, at)
    for link in _list(_dict(facets.get("symlinks")).get("identifiers")):
        name = _dict(link)
        if _text(name.get("namespace")) and _text(name.get("name")):
            other = artifact(name["namespace"], name["name"])
            if other != thing:
                low, high = sorted((thing, other))
                states.append(state(low, StateType.SAME_AS, high, "on", at))
    change = _text(_lifecycle(dataset).get("lifecycleStateChange")).upper()
    if change:
        shown = "off" if change == "DROP" else "on"
        states.append(state(thing, StateType.EXISTS, "", shown, at))
    return states


def _owners(facets: dict[str, Any], node: str, at: int) -> list[StateOp]:
    """Owners who are teams claim ownership (source ``catalog``); people are contacts."""
    states: list[StateOp] = []
    contacts: list[str] = []
    for owner in _list(_dict(facets.get("ownership")).get("owners")):
        name = _text(_dict(owner).get("name"))
        if not name:
            continue
        if name.lower().startswith(_PERSONAL) or "@" in name:
            contacts.append(name)
            continue
        team = name.partition(":")[2] if name.startswith(("team:", "group:")) else name
        key = f"{team_id(team or name)}|catalog:openlineage"
        states.append(state(node, StateType.OWNED_BY, key, "claimed", at))
    return states + attributes(node, {"contacts": sorted(set(contacts))}, at, _DECLARED)


def _lifecycle(dataset: dict[str, Any]) -> dict[str, Any]:
    return _dict(_dict(dataset.get("facets")).get("lifecycleStateChange"))


def _version(dataset: dict[str, Any]) -> str:
    said = _dict(_dict(dataset.get("facets")).get("version")).get("datasetVersion")
    if isinstance(said, int) and not isinstance(said, bool):
        return str(said)
    return _text(said)[:1024]


def _key(dataset: dict[str, Any]) -> tuple[str, str]:
    return normalise(dataset["namespace"], dataset["name"])


def _names(named: dict[str, Any]) -> tuple[str, str]:
    return normalise(named["namespace"], named["name"])


def _datasets(value: Any) -> list[dict[str, Any]]:
    return [item for item in _list(value) if isinstance(item, dict)]


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


KINDS: dict[tuple[str, int], Callable[[Any], Claims]] = {
    ("openlineage.run", 1): run_event,
    ("openlineage.job", 1): job_event,
    ("openlineage.dataset", 1): dataset_event,
}
