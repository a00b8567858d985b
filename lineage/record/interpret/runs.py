"""What the changes of a run mean: its state, what it used and what it made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lineage.model.canonical import canonical
from lineage.model.changes import Output, RunAbandoned, RunFinished, RunStarted, Use, kind_of
from lineage.model.claims import Claims, EdgeType, Method, Occurrence, StateOp, StateType
from lineage.model.ids import job_of_run, run_token, with_version
from lineage.record.interpret.claiming import (
    METHODS,
    artifact,
    attribute,
    attributes,
    run_of_ref,
    state,
)

_RUN_STATE = StateType.RUN_STATE


def started(body: Any) -> Claims:
    """``run.started``: the run exists, what it was asked to do, and by whom."""
    change = RunStarted.model_validate(body)
    run, at = run_of_ref(change.run), change.event_at
    occurrences: list[Occurrence] = []
    if change.parent is not None:
        parent = run_of_ref(change.parent)
        occurrences.append(Occurrence(EdgeType.TRIGGERED_BY, parent, run, at, Method.OBSERVED))
    states = [state(run, _RUN_STATE, "", "START", at, method=Method.OBSERVED)]
    if change.user is not None:
        person = change.user.person
        occurrences.append(Occurrence(EdgeType.ATTRIBUTED_TO, person, run, at, Method.OBSERVED))
        states += attributes(person, {"name": change.user.name}, at, Method.OBSERVED)
    facts: dict[str, Any] = {
        "command": change.command,
        "cwd": change.cwd,
        "host": change.host,
        "parameters": change.parameters,
        "variables": change.variables,
        "hardware": change.hardware,
        "started_at": at,
    }
    if change.code is not None:
        facts["code"] = change.code.model_dump(mode="json", exclude_defaults=True)
    states += attributes(run, facts, at, Method.OBSERVED)
    return Claims(tuple(occurrences), tuple(states), mentions=(run, job_of_run(run)))


def finished(body: Any) -> Claims:
    """``run.finished``: how it ended, what it used, what it made, and what may have been missed."""
    change = RunFinished.model_validate(body)
    run, at = run_of_ref(change.run), change.event_at
    states = [state(run, _RUN_STATE, "", change.state, at, method=Method.OBSERVED)]
    facts: dict[str, Any] = {
        "exit_code": change.exit_code,
        "signal": change.signal,
        "started_at": change.started_at,
        "ended_at": at,
        "capture": change.capture,
        "temporary": sorted(o.name for o in change.outputs if o.operation == "TMP"),
    }
    for name, part in (("environment", change.environment), ("code", change.code)):
        if part is not None:
            facts[name] = part.model_dump(mode="json", exclude_defaults=True)
    states += attributes(run, facts, change.started_at or at, Method.OBSERVED)
    occurrences: list[Occurrence] = []
    for use in change.uses:
        occurrences.append(_used(run, use))
        states += _kind(use.namespace, use.name, use.artifact_kind, use.at)
    for output in change.outputs:
        edges, ops = _made(run, output, change.state)
        occurrences += edges
        states += ops
    for n, gap in enumerate(change.gaps):
        value = canonical({"reason": gap.reason, "detail": gap.detail}).decode()
        states.append(state(run, StateType.GAP, f"{gap.reason}#{n}", value, at))
    return Claims(tuple(dict.fromkeys(occurrences)), tuple(states), mentions=(run, job_of_run(run)))


def _used(run: str, use: Use) -> Occurrence:
    detail = {
        key: value
        for key, value in (
            ("role", use.role),
            ("hook", use.hook),
            ("size", use.size),
            ("candidates", use.candidates),
            ("files", use.files),
        )
        if value not in (None, "", [])
    }
    return Occurrence(
        EdgeType.USED,
        artifact(use.namespace, use.name, use.version),
        run,
        use.at,
        METHODS[use.method],
        said=use.said,
        detail=canonical(detail).decode() if detail else "",
    )


def _made(run: str, output: Output, run_state: str) -> tuple[list[Occurrence], list[StateOp]]:
    """ADDED and MODIFIED are versions; REMOVED ends the artifact; TMP is in the footprint only."""
    thing = artifact(output.namespace, output.name)
    method = METHODS[output.method]
    if output.operation == "TMP":
        return [], []
    if output.operation == "REMOVED":
        gone = Occurrence(EdgeType.INVALIDATED, run, thing, output.at, method)
        return [gone], [state(thing, StateType.EXISTS, "", "off", output.at, method=method)]
    version = with_version(thing, output.version or run_token(run))
    detail = {"operation": output.operation, "size": output.size, "hook": output.hook}
    text = canonical({k: v for k, v in detail.items() if v not in (None, "")}).decode()
    edges = [Occurrence(EdgeType.GENERATED, run, version, output.at, method, detail=text)]
    states = [
        state(thing, StateType.EXISTS, "", "on", output.at, method=method),
        *_kind(output.namespace, output.name, output.artifact_kind, output.at),
    ]
    if output.renamed_from:
        states.append(attribute(version, "renamed_from", output.renamed_from, output.at, method))
    if run_state != "COMPLETE":
        states.append(attribute(version, "incomplete_run", run_state, output.at, method))
    return edges, states


def _kind(namespace: str, name: str, kind: str, at: int) -> list[StateOp]:
    # That it is a file is what a hook sees of everything with a path: no more than a guess at what
    # it is, which somebody who says so may know better.
    method = Method.INFERRED if kind == "file" else Method.OBSERVED
    return attributes(artifact(namespace, name), {"kind": kind}, at, method)


def abandoned(body: Any) -> Claims:
    """``run.abandoned``: nothing was heard of it for too long."""
    change = RunAbandoned.model_validate(body)
    run = run_of_ref(change.run)
    op = state(run, _RUN_STATE, "", "ABANDONED", change.event_at, method=Method.INFERRED)
    return Claims(states=(op,), mentions=(run, job_of_run(run)))


KINDS: dict[tuple[str, int], Callable[[Any], Claims]] = {
    (kind_of(RunStarted), 1): started,
    (kind_of(RunFinished), 1): finished,
    (kind_of(RunAbandoned), 1): abandoned,
}
