"""What OpenLineage events mean: runs, jobs and datasets (their facets: :mod:`.facets`).

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
    artifact_id,
    is_bare_number,
    job_id,
    job_of_run,
    run_id,
    run_token,
    with_version,
)
from lineage.model.naming import normalise
from lineage.record.interpret.claiming import attribute, state
from lineage.record.interpret.facets import (
    dataset_facets,
    job_facets,
    mapping,
    run_facets,
    sequence,
    text,
)

_DECLARED = Method.DECLARED
_KNOWN_TYPES = frozenset({"START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"})
_MAX_VERSION = 1024


def run_event(event: Any) -> Claims:
    """A run event: state, parent, uses, outputs and facets."""
    at = micros(event["eventTime"])
    names = _names(event["job"])
    run = run_id(*names, event["run"]["runId"])
    event_type = _event_type(event)
    occurrences = list(_parent(event["run"], run, at))
    states = [state(run, StateType.RUN_STATE, "", event_type, at)]
    states += run_facets(run, event["run"], at)
    states += _times(event_type, run, at)
    states += job_facets(job_id(*names), event["job"], at)
    outputs = _datasets(event.get("outputs"))
    made = {node: _version(d) for node, d in outputs} if event_type == "COMPLETE" else {}
    for node, dataset in _datasets(event.get("inputs")):
        version = _version(dataset)
        if version and made.get(node) == version:
            version = ""
        occurrences.append(_use(node, version, run, at))
        states += dataset_facets(node, dataset, at)
    for node, dataset in outputs:
        edges, ops = _output(node, dataset, made.get(node, ""), run, at)
        occurrences += edges
        states += ops
        states += dataset_facets(node, dataset, at)
    return Claims(tuple(dict.fromkeys(occurrences)), tuple(states), mentions=(run, job_of_run(run)))


def job_event(event: Any) -> Claims:
    """A job event: what a job reads and writes by design, without a run."""
    at = micros(event["eventTime"])
    job = job_id(*_names(event["job"]))
    occurrences: list[Occurrence] = []
    states = job_facets(job, event["job"], at)
    for node, dataset in _datasets(event.get("inputs")):
        occurrences.append(Occurrence(EdgeType.USED, node, job, at, _DECLARED))
        states += dataset_facets(node, dataset, at)
    for node, dataset in _datasets(event.get("outputs")):
        occurrences.append(Occurrence(EdgeType.GENERATED, job, node, at, _DECLARED))
        states += dataset_facets(node, dataset, at)
    return Claims(tuple(dict.fromkeys(occurrences)), tuple(states), mentions=(job,))


def dataset_event(event: Any) -> Claims:
    """A dataset event: what is known of a dataset outside of any run."""
    at = micros(event["eventTime"])
    node = artifact_id(*_names(event["dataset"]))
    return Claims(states=tuple(dataset_facets(node, event["dataset"], at)), mentions=(node,))


def _event_type(event: dict[str, Any]) -> str:
    said = text(event.get("eventType")).upper()
    return said if said in _KNOWN_TYPES else "OTHER"


def _parent(run_fields: dict[str, Any], run: str, at: int) -> Iterator[Occurrence]:
    parent = mapping(mapping(run_fields.get("facets")).get("parent"))
    job = mapping(parent.get("job"))
    parent_id = text(mapping(parent.get("run")).get("runId"))
    if parent_id and text(job.get("namespace")) and text(job.get("name")):
        up = run_id(*_names(job), parent_id)
        if up != run:
            yield Occurrence(EdgeType.TRIGGERED_BY, up, run, at, _DECLARED)


def _times(event_type: str, run: str, at: int) -> list[StateOp]:
    if event_type == "START":
        return [attribute(run, "started_at", at, at, _DECLARED)]
    if event_type in ("COMPLETE", "FAIL", "ABORT"):
        return [attribute(run, "ended_at", at, at, _DECLARED)]
    return []


def _use(node: str, version: str, run: str, at: int) -> Occurrence:
    if version and not is_bare_number(version):
        return Occurrence(EdgeType.USED, with_version(node, version), run, at, _DECLARED)
    return Occurrence(EdgeType.USED, node, run, at, _DECLARED, said=version)


def _output(
    node: str, dataset: dict[str, Any], version: str, run: str, at: int
) -> tuple[list[Occurrence], list[StateOp]]:
    """A GENERATED version, or for a dataset that the run dropped an INVALIDATED artifact."""
    facet = mapping(mapping(dataset.get("facets")).get("lifecycleStateChange"))
    change = text(facet.get("lifecycleStateChange")).upper()
    if change == "DROP":
        return [Occurrence(EdgeType.INVALIDATED, run, node, at, _DECLARED)], []
    if version and not is_bare_number(version):
        down, said = with_version(node, version), ""
    else:
        down, said = with_version(node, run_token(run)), version
    edges = [Occurrence(EdgeType.GENERATED, run, down, at, _DECLARED, said=said)]
    previous = mapping(facet.get("previousIdentifier")) if change == "RENAME" else {}
    if not text(previous.get("namespace")) or not text(previous.get("name")):
        return edges, []
    before = artifact_id(*_names(previous))
    role = '{"role":"rename"}'
    edges += [
        Occurrence(EdgeType.INVALIDATED, run, before, at, _DECLARED),
        # Which version had the old name is for resolution to find, so it is a use as well.
        Occurrence(EdgeType.USED, before, run, at, _DECLARED),
        Occurrence(EdgeType.DERIVED_FROM, before, down, at, _DECLARED, detail=role),
    ]
    return edges, [state(before, StateType.EXISTS, "", "off", at)]


def _version(dataset: dict[str, Any]) -> str:
    said = mapping(mapping(dataset.get("facets")).get("version")).get("datasetVersion")
    if isinstance(said, int) and not isinstance(said, bool):
        return str(said)
    return text(said)[:_MAX_VERSION]


def _names(named: dict[str, Any]) -> tuple[str, str]:
    return normalise(named["namespace"], named["name"])


def _datasets(value: Any) -> list[tuple[str, dict[str, Any]]]:
    return [(artifact_id(*_names(d)), d) for d in sequence(value) if isinstance(d, dict)]


KINDS: dict[tuple[str, int], Callable[[Any], Claims]] = {
    ("openlineage.run", 1): run_event,
    ("openlineage.job", 1): job_event,
    ("openlineage.dataset", 1): dataset_event,
}
