"""The Node interface: what every node answers, and how ids become nodes."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial

import strawberry

from lineage.errors import UnknownNameError
from lineage.model.claims import EdgeType, StateType
from lineage.model.ids import ARTIFACT, artifact_of, class_of, token_of
from lineage.query import answer
from lineage.query.batch import Batch
from lineage.query.graphql.completeness import Completeness
from lineage.query.graphql.describing import described, field, interface
from lineage.query.graphql.scalars import JSON, Seq, Time, shown_time
from lineage.store.contract import Attribute as StoredAttribute
from lineage.store.contract import Direction, StateValue

__all__ = ["Attribute", "Node", "State", "as_node", "node_class"]

strawberry.enum(
    StateType, name="StateType", description="What kind of thing held over a stretch of time."
)


@described
class Attribute:
    """One fact about a node: the strongest claim's value, and whose it is."""

    name: str
    value: JSON
    method: str = strawberry.field(description="OBSERVED, DECLARED or INFERRED.")
    source: str
    since: Time | None

    @classmethod
    def of(cls, name: str, shown: StoredAttribute) -> Attribute:
        """An attribute as it shows."""
        return cls(
            name=name, value=JSON(json.loads(shown.value)), method=shown.method.name,
            source=shown.source, since=shown_time(shown.since),
        )  # fmt: skip


@described
class State:
    """Something that held over a stretch of time: half-open, `until` null is without end."""

    type: StateType
    object: str = strawberry.field(description="An id, or a key within the type.")
    value: str
    since: Time | None
    until: Time | None
    method: str

    @classmethod
    def of(cls, state: StateValue) -> State:
        """A state of the store."""
        return cls(
            type=state.type, object=state.object, value=state.value, method=state.method.name,
            since=shown_time(state.since), until=shown_time(state.until),
        )  # fmt: skip


@interface
class Node:
    """Something with an id: an artifact, one of its versions, a run, a job, an agent."""

    id: strawberry.ID = strawberry.field(description="Readable, canonical, and stable for good.")
    display_name: str = strawberry.field(description="What people call it; not unique.")
    kind: str = strawberry.field(description="table, model, file, run, job, team ...")
    batch: strawberry.Private[Batch]

    @field
    def attributes(self) -> list[Attribute]:
        """Everything said of it, by name."""
        shown = self.batch.attributes(self.id)
        return [Attribute.of(name, shown[name]) for name in sorted(shown)]

    @field
    def attribute(self, name: str) -> Attribute | None:
        """One thing said of it."""
        shown = self.batch.attributes(self.id).get(name)
        return None if shown is None else Attribute.of(name, shown)

    @field
    def states(self, types: list[StateType] | None = None) -> list[State]:
        """What holds of it, but for attributes."""
        found = self.batch.states.get(self.id, ())
        return [State.of(state) for state in found if not types or state.type in types]

    @field
    def history(self, type: StateType) -> list[State]:  # noqa: A002 - the name in the schema
        """All that held of it over time, as known at the position of the answer."""
        found = self.batch.store.history(self.id, type, self.batch.view.position)
        return [State.of(state) for state in found]

    @field
    def first_seq(self) -> Seq:
        """The entry that first mentioned it."""
        return Seq(self.batch.nodes[self.id].first_seq)

    @field
    def completeness(self) -> Completeness:
        """What may be missing about this node."""
        return Completeness(store=self.batch.store, find=self._completeness)

    def _completeness(self) -> answer.Completeness:
        unresolved = [
            (edge.down, edge.up)
            for edge in self.batch.links(Direction.UPSTREAM, EdgeType.USED).get(self.id, ())
            if class_of(edge.up) == ARTIFACT and not token_of(edge.up)
        ]
        gaps = answer.gaps_in(
            state
            for subject in dict.fromkeys((self.id, artifact_of(self.id)))
            for state in self.batch.states.get(subject, ())
        )
        origins = tuple({str(self.id)} & self.batch.unknown_origins)
        return answer.Completeness(
            self.batch.view, unresolved=tuple(unresolved), gaps=gaps, unknown_origins=origins
        )

    def said(self, name: str) -> object:
        """The plain value of an attribute, or None."""
        shown = self.batch.attributes(self.id).get(name)
        return None if shown is None else json.loads(shown.value)


NodeMaker = Callable[..., Node]
_MAKERS: dict[str, NodeMaker] = {}


def node_class(name: str) -> Callable[[type], type]:
    """Register the type of a class of ids (``version`` for versions of artifacts)."""

    def register(cls: type) -> type:
        _MAKERS[name] = cls
        return cls

    return register


def as_node(batch: Batch, node: str) -> Node:
    """A node of a batch. Raises ``UnknownNameError`` where it is not known there."""
    if node not in batch.nodes:
        raise UnknownNameError(
            f"nothing is known by {node!r:.200}",
            hint="it may be known later: look at knownAt",
        )
    name = "version" if token_of(node) else class_of(node)
    kind = batch.kind(node)
    return _MAKERS[name](
        id=strawberry.ID(node), display_name=batch.name(node, kind), kind=kind, batch=batch
    )


def page_completeness(batch: Batch, ids: Sequence[str], *, more: bool) -> Completeness:
    """Completeness of a page of nodes."""
    return Completeness(store=batch.store, find=partial(_page, batch, tuple(ids), more))


def _page(batch: Batch, ids: tuple[str, ...], more: bool) -> answer.Completeness:
    return answer.Completeness(
        batch.view,
        truncated_by=(answer.PAGE,) if more else (),
        gaps=answer.gaps_of(batch.store, ids, batch.view),
    )
