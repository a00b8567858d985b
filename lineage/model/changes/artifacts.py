"""Changes of artifacts: what they are, what they are called, what they serve as."""

from __future__ import annotations

from typing import Any, Literal

from lineage.model.changes.values import ArtifactRef, Change, Name, NodeId, RunRef, Text, Time

__all__ = [
    "AliasDeclared",
    "AliasWithdrawn",
    "ArtifactDescribed",
    "ArtifactInvalidated",
    "ArtifactRenamed",
    "DeploymentEnded",
    "DeploymentStarted",
    "TagAdded",
    "TagRemoved",
]


class ArtifactDescribed(Change):
    """Attributes of an artifact or of one of its versions."""

    kind: Literal["artifact.described"] = "artifact.described"
    namespace: Name
    name: Name
    version: Text = ""
    artifact_kind: Text = ""
    attributes: dict[str, Any] = {}


class ArtifactInvalidated(Change):
    """An artifact was deleted, by a run where that is known. Its versions stay."""

    kind: Literal["artifact.invalidated"] = "artifact.invalidated"
    namespace: Name
    name: Name
    run: RunRef | None = None


class ArtifactRenamed(Change):
    """An artifact was renamed: the same content under another name."""

    kind: Literal["artifact.renamed"] = "artifact.renamed"
    before: ArtifactRef
    after: ArtifactRef
    version: Text = ""
    run: RunRef | None = None


class AliasDeclared(Change):
    """Two ids name one thing, from ``since`` on. An inferred one needs confirmation."""

    kind: Literal["alias.declared"] = "alias.declared"
    a: NodeId
    b: NodeId
    since: Time | None = None
    until: Time | None = None
    inferred: bool = False


class AliasWithdrawn(Change):
    """Two ids name one thing no longer, from ``since`` on."""

    kind: Literal["alias.withdrawn"] = "alias.withdrawn"
    a: NodeId
    b: NodeId
    since: Time | None = None
    until: Time | None = None


class TagAdded(Change):
    """A tag on an artifact."""

    kind: Literal["tag.added"] = "tag.added"
    target: NodeId
    tag: Name
    value: Text = "on"
    since: Time | None = None
    until: Time | None = None


class TagRemoved(Change):
    """A tag taken off an artifact."""

    kind: Literal["tag.removed"] = "tag.removed"
    target: NodeId
    tag: Name
    since: Time | None = None


class DeploymentStarted(Change):
    """A version serves as a deployment (an artifact of kind ``deployment``)."""

    kind: Literal["deployment.started"] = "deployment.started"
    target: NodeId
    deployment: NodeId
    environment: Text = "production"
    since: Time | None = None


class DeploymentEnded(Change):
    """A version serves no longer."""

    kind: Literal["deployment.ended"] = "deployment.ended"
    target: NodeId
    deployment: NodeId
    since: Time | None = None
