"""Artifacts and their versions."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Annotated, cast

import strawberry

from lineage.model.claims import EdgeType, StateType
from lineage.model.ids import artifact_of, number_of_token, parse_id
from lineage.query.batch import Batch
from lineage.query.graphql.context import Paging
from lineage.query.graphql.describing import After, First, described, field
from lineage.query.graphql.links import LinkConnection, link_page
from lineage.query.graphql.nodes import Node, as_node, node_class, page_completeness
from lineage.query.graphql.pages import Connection, connect
from lineage.query.graphql.scalars import JSON, Time, shown_time
from lineage.store.contract import Direction, View

__all__ = ["Artifact", "ArtifactVersion", "TheOwnership"]

if TYPE_CHECKING:
    from lineage.query.graphql.owners import Ownership
    from lineage.query.graphql.runs import Run

TheRun = Annotated["Run", strawberry.lazy("lineage.query.graphql.runs")]
TheOwnership = Annotated["Ownership", strawberry.lazy("lineage.query.graphql.owners")]

_UP, _DOWN = Direction.UPSTREAM, Direction.DOWNSTREAM


@node_class("artifact")
@described
class Artifact(Node):
    """What has a name: a table, a model, a file. It changes; its versions do not."""

    @field
    def namespace(self) -> str:
        """Where the name is: `file`, `s3://bucket`, `postgres://host`."""
        return parse_id(self.id).texts[0]

    @field
    def name(self) -> str:
        """The name within the namespace."""
        return parse_id(self.id).texts[1]

    @field
    def exists(self) -> bool | None:
        """Whether it exists at the time asked about; null where nobody said."""
        said = [s for s in self.batch.states.get(self.id, ()) if s.type is StateType.EXISTS]
        return None if not said else said[0].value != "off"

    @field
    def description(self) -> str | None:
        """What a producer says of it."""
        said = self.said("description")
        return said if isinstance(said, str) else None

    @field
    def schema(self) -> JSON | None:
        """Its columns at the time asked about, as last said."""
        return _schema(self.batch, self.id)

    @field
    def versions(self, first: First = 50, after: After = None) -> Connection[ArtifactVersion]:
        """Known versions, the oldest first; those whose making nobody saw come before all."""
        paging = Paging.of(
            ("versions", {"id": self.id}), lambda: self.batch.view, first=first, after=after
        )
        batch = self.batch.at(paging.view, self.id)
        behind = str(paging.after[0]) if paging.after else ""
        items, shown = batch.page_of_versions(self.id, first, behind)
        return connect(
            paging,
            items,
            lambda node: (node,),
            lambda node: _version(shown, node),
            lambda more: page_completeness(shown, items[:first], more=more),
            total=len(batch.versions.get(self.id, ())),
        )

    @field
    def latest_version(self) -> ArtifactVersion | None:
        """The version made last up to the time asked about."""
        known = self.batch.versions.get(self.id)
        return _version(self.batch.latest, known[-1][0]) if known else None

    @field
    def aliases(self, first: First = 50, after: After = None) -> LinkConnection:
        """Other names of the same thing."""
        return link_page(self, _UP, EdgeType.SAME_AS, first=first, after=after)

    @field
    def owners(self) -> TheOwnership:
        """Who answers for it."""
        return _ownership(self)


@node_class("version")
@described
class ArtifactVersion(Node):
    """An artifact as it was at one time, with an identity of its own. It never changes."""

    @field
    def artifact(self) -> Artifact:
        """What it is a version of."""
        node = as_node(self.batch.artifacts, artifact_of(self.id))
        assert isinstance(node, Artifact)  # noqa: S101 - an id without its version
        return node

    @field
    def version(self) -> str:
        """The version token: `12.1f3a9c2e`, `sha256.<hex>`, `run.<hex>`."""
        version = parse_id(self.id).version
        return version.text if version else ""

    @field
    def number(self) -> str | None:
        """The number people know it by, where it has one."""
        version = parse_id(self.id).version
        return number_of_token(version.text) if version else None

    @field
    def made_at(self) -> Time | None:
        """When it was made, as far as anyone says."""
        return shown_time(self.batch.made_at(self.id))

    @field
    def generated_by(self) -> list[TheRun]:
        """The runs that made it: one, unless producers differ."""
        made = self.batch.makers.get(self.id, ())
        return [cast("Run", as_node(self.batch.runs, edge.up)) for edge in made]

    @field
    def operation(self) -> str | None:
        """Of a commit of a table: what it did (WRITE, MERGE, DELETE ...)."""
        said = self.said("operation")
        return said if isinstance(said, str) else None

    @field
    def schema(self) -> JSON | None:
        """Its columns: what is said of the version, else of its artifact when it was made."""
        own = _schema(self.batch, self.id)
        made_at = self.batch.made_at(self.id)
        if own is not None or made_at is None:
            return own
        then = View(self.batch.view.position, min(made_at, self.batch.view.as_of))
        artifact = artifact_of(self.id)
        return _schema(Batch(self.batch.store, then, [artifact], self.batch.clock), artifact)

    @field
    def revision_of(self, first: First = 10, after: After = None) -> LinkConnection:
        """The version it replaced without keeping anything of it."""
        return link_page(self, _UP, EdgeType.REVISION_OF, first=first, after=after)

    @field
    def carries(self, first: First = 10, after: After = None) -> LinkConnection:
        """The version before it, whose contents it contains."""
        return link_page(self, _UP, EdgeType.CARRIES, first=first, after=after)

    @field
    def derived_from(self, first: First = 50, after: After = None) -> LinkConnection:
        """What it was made of, where that is said of versions rather than of a run."""
        return link_page(self, _UP, EdgeType.DERIVED_FROM, first=first, after=after)

    @field
    def used_by(self, first: First = 50, after: After = None) -> LinkConnection:
        """Runs that used it."""
        return link_page(self, _DOWN, EdgeType.USED, first=first, after=after)

    @field
    def owners(self) -> TheOwnership:
        """Who answers for its artifact."""
        return _ownership(self)


def _version(batch: Batch, node: str) -> ArtifactVersion:
    found = as_node(batch, node)
    assert isinstance(found, ArtifactVersion)  # noqa: S101 - the store says it is a version
    return found


def _schema(batch: Batch, node: str) -> JSON | None:
    shown = batch.attributes(node).get("schema")
    if shown is None:
        return None
    value = json.loads(shown.value)
    # Table logs keep their schema as JSON text.
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            value = json.loads(value)
    return JSON(value)


def _ownership(node: Node) -> Ownership:
    from lineage.query.graphql.owners import Ownership as Shown

    return Shown.of(node.batch, node.id)
