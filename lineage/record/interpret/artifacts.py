"""What is said of artifacts themselves: attributes, names, ends, tags, deployments, pins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lineage.model.canonical import canonical
from lineage.model.changes import (
    AliasDeclared,
    AliasWithdrawn,
    ArtifactDescribed,
    ArtifactInvalidated,
    ArtifactRenamed,
    DeploymentEnded,
    DeploymentStarted,
    GapRecorded,
    PinCreated,
    PinRemoved,
    TagAdded,
    TagRemoved,
    kind_of,
)
from lineage.model.claims import Claims, EdgeType, Method, Occurrence, StateOp, StateType
from lineage.model.ids import service_id, with_version
from lineage.record.interpret.claiming import (
    artifact,
    artifact_of_ref,
    attributes,
    run_of_ref,
    state,
)

_DECLARED = Method.DECLARED


def described(body: Any) -> Claims:
    """``artifact.described``."""
    change = ArtifactDescribed.model_validate(body)
    thing = artifact(change.namespace, change.name)
    subject = artifact(change.namespace, change.name, change.version)
    states = attributes(thing, {"kind": change.artifact_kind}, change.event_at, _DECLARED)
    states += attributes(subject, change.attributes, change.event_at, _DECLARED)
    return Claims(states=tuple(states), mentions=(subject,))


def invalidated(body: Any) -> Claims:
    """``artifact.invalidated``: existence ends, versions stay."""
    change = ArtifactInvalidated.model_validate(body)
    thing, at = artifact(change.namespace, change.name), change.event_at
    edges: tuple[Occurrence, ...] = ()
    if change.run is not None:
        run = run_of_ref(change.run)
        edges = (Occurrence(EdgeType.INVALIDATED, run, thing, at, Method.OBSERVED),)
    gone = state(thing, StateType.EXISTS, "", "off", at, method=Method.OBSERVED)
    return Claims(edges, (gone,), mentions=(thing,))


def renamed(body: Any) -> Claims:
    """``artifact.renamed``: the old name ends, the new one is derived from it, same content."""
    change = ArtifactRenamed.model_validate(body)
    at, seen = change.event_at, Method.OBSERVED
    before, after = artifact_of_ref(change.before), artifact_of_ref(change.after)
    source, product = before, after
    if change.version:
        source = with_version(before, change.version)
        product = with_version(after, change.version)
    detail = canonical({"role": "rename"}).decode()
    edges = [Occurrence(EdgeType.DERIVED_FROM, source, product, at, seen, detail=detail)]
    if change.run is not None:
        run = run_of_ref(change.run)
        edges.append(Occurrence(EdgeType.INVALIDATED, run, before, at, seen))
        edges.append(Occurrence(EdgeType.GENERATED, run, product, at, seen))
    states = (
        state(before, StateType.EXISTS, "", "off", at, method=seen),
        state(after, StateType.EXISTS, "", "on", at, method=seen),
    )
    return Claims(tuple(edges), states)


def aliased(body: Any) -> Claims:
    """``alias.declared``: two ids name one thing."""
    change = AliasDeclared.model_validate(body)
    method = Method.INFERRED if change.inferred else _DECLARED
    low, high = sorted((change.a, change.b))
    op = state(
        low,
        StateType.SAME_AS,
        high,
        "on",
        change.event_at,
        since=change.since,
        until=change.until,
        method=method,
    )
    return Claims(states=(op,))


def unaliased(body: Any) -> Claims:
    """``alias.withdrawn``."""
    change = AliasWithdrawn.model_validate(body)
    low, high = sorted((change.a, change.b))
    op = state(
        low,
        StateType.SAME_AS,
        high,
        "off",
        change.event_at,
        since=change.since,
        until=change.until,
    )
    return Claims(states=(op,))


def _tag(change: TagAdded | TagRemoved, value: str, until: int | None) -> Claims:
    op = state(
        change.target,
        StateType.TAGGED,
        change.tag,
        value,
        change.event_at,
        since=change.since,
        until=until,
    )
    return Claims(states=(op,))


def tagged(body: Any) -> Claims:
    """``tag.added``."""
    change = TagAdded.model_validate(body)
    return _tag(change, change.value, change.until)


def untagged(body: Any) -> Claims:
    """``tag.removed``."""
    return _tag(TagRemoved.model_validate(body), "off", None)


def deployed(body: Any) -> Claims:
    """``deployment.started``: DEPLOYED_AS holds, and the deployment is an artifact."""
    change = DeploymentStarted.model_validate(body)
    at = change.event_at
    states: list[StateOp] = [
        state(
            change.target,
            StateType.DEPLOYED_AS,
            change.deployment,
            change.environment,
            at,
            since=change.since,
        ),
        *attributes(change.deployment, {"kind": "deployment"}, at, _DECLARED),
    ]
    return Claims(states=tuple(states))


def undeployed(body: Any) -> Claims:
    """``deployment.ended``."""
    change = DeploymentEnded.model_validate(body)
    op = state(
        change.target,
        StateType.DEPLOYED_AS,
        change.deployment,
        "off",
        change.event_at,
        since=change.since,
    )
    return Claims(states=(op,))


def pinned(body: Any) -> Claims:
    """``pin.created``: PINNED_BY holds at a location."""
    change = PinCreated.model_validate(body)
    facts = change.model_dump(mode="json", include={"method", "files", "bytes", "reason"})
    value = canonical(facts).decode()
    op = state(
        change.target,
        StateType.PINNED_BY,
        change.location,
        value,
        change.event_at,
        method=Method.OBSERVED,
    )
    return Claims(states=(op,))


def unpinned(body: Any) -> Claims:
    """``pin.removed``."""
    change = PinRemoved.model_validate(body)
    op = state(change.target, StateType.PINNED_BY, change.location, "off", change.event_at)
    return Claims(states=(op,))


def gap(body: Any) -> Claims:
    """``gap.recorded``: a stretch of a source may be lost; it touches ids, or its whole source."""
    change = GapRecorded.model_validate(body)
    facts = change.model_dump(
        mode="json", include={"gap_source", "from_position", "to_position", "reason"}
    )
    value = canonical(facts).decode()
    key = f"{change.gap_source}#{change.from_position}-{change.to_position}"
    touched = change.touches or [service_id("lineage", change.gap_source)]
    # A gap is about what is known, not about when: it touches every valid time.
    return Claims(
        states=tuple(
            state(node, StateType.GAP, key, value, change.event_at, since=-(10**17))
            for node in touched
        )
    )


KINDS: dict[tuple[str, int], Callable[[Any], Claims]] = {
    (kind_of(ArtifactDescribed), 1): described,
    (kind_of(ArtifactInvalidated), 1): invalidated,
    (kind_of(ArtifactRenamed), 1): renamed,
    (kind_of(AliasDeclared), 1): aliased,
    (kind_of(AliasWithdrawn), 1): unaliased,
    (kind_of(TagAdded), 1): tagged,
    (kind_of(TagRemoved), 1): untagged,
    (kind_of(DeploymentStarted), 1): deployed,
    (kind_of(DeploymentEnded), 1): undeployed,
    (kind_of(PinCreated), 1): pinned,
    (kind_of(PinRemoved), 1): unpinned,
    (kind_of(GapRecorded), 1): gap,
}
