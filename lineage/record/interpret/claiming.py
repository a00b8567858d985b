"""Small words that interpretations are written in."""

from __future__ import annotations

from typing import Any

from lineage.model.canonical import FOREVER, canonical
from lineage.model.changes import ArtifactRef, RunRef
from lineage.model.claims import Method, StateOp, StateType
from lineage.model.ids import artifact_id, run_id
from lineage.model.naming import normalise

METHODS = {"observed": Method.OBSERVED, "declared": Method.DECLARED, "inferred": Method.INFERRED}


def artifact(namespace: str, name: str, version: str = "") -> str:
    """The id of an artifact by its normalised name, or of its version."""
    return artifact_id(*normalise(namespace, name), version or None)


def artifact_of_ref(ref: ArtifactRef) -> str:
    """The id a reference means."""
    return artifact(ref.namespace, ref.name)


def run_of_ref(ref: RunRef) -> str:
    """The id of the run a reference means."""
    namespace, job = normalise(ref.namespace, ref.job)
    return run_id(namespace, job, ref.run_id)


def attribute(subject: str, name: str, value: Any, at: int, method: Method) -> StateOp:
    """``name`` of ``subject`` is ``value`` (plain data) from ``at`` on."""
    text = canonical(value).decode("ascii")
    return StateOp(subject, StateType.ATTRIBUTE, name, text, at, method, at)


def attributes(subject: str, values: dict[str, Any], at: int, method: Method) -> list[StateOp]:
    """Every set value of a mapping: an unset field never erases a set one."""
    return [
        attribute(subject, name, value, at, method)
        for name, value in values.items()
        if value or value == 0  # false and zero are set
    ]


def state(
    subject: str,
    kind: StateType,
    obj: str,
    value: str,
    at: int,
    *,
    since: int | None = None,
    until: int | None = None,
    method: Method = Method.DECLARED,
) -> StateOp:
    """A state operation over ``[since, until)``, by default from ``at`` on without end."""
    start = at if since is None else since
    return StateOp(
        subject, kind, obj, value, at, method, start, FOREVER if until is None else until
    )
