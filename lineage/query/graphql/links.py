"""Edges as GraphQL shows them, with the evidence behind each."""

from __future__ import annotations

import enum
import json
from typing import TYPE_CHECKING, Annotated

import strawberry

from lineage.model.claims import EdgeType
from lineage.model.ids import class_of
from lineage.query.answer import evidence_of, shown_type
from lineage.query.batch import Batch
from lineage.query.graphql.context import Paging
from lineage.query.graphql.describing import described, field
from lineage.query.graphql.nodes import Node, as_node
from lineage.query.graphql.pages import PageInfo, page_info
from lineage.query.graphql.scalars import JSON, Seq, Time, shown_time
from lineage.store.contract import Direction
from lineage.store.contract import Edge as StoredEdge
from lineage.store.contract import Evidence as StoredEvidence

__all__ = ["Evidence", "Link", "LinkConnection", "Relation", "link_page", "relation"]

if TYPE_CHECKING:
    from lineage.query.graphql.ledger import Entry

TheEntry = Annotated["Entry", strawberry.lazy("lineage.query.graphql.ledger")]


@strawberry.enum(description="How two nodes are related, in the words of W3C PROV.")
class Relation(enum.Enum):
    """The types of edges as people know them: what carries is a revision."""

    USED = "USED"
    GENERATED = "GENERATED"
    DERIVED_FROM = "DERIVED_FROM"
    REVISION_OF = "REVISION_OF"
    SAME_AS = "SAME_AS"
    TRIGGERED_BY = "TRIGGERED_BY"
    INVALIDATED = "INVALIDATED"
    ATTRIBUTED_TO = "ATTRIBUTED_TO"


def relation(edge: StoredEdge) -> tuple[Relation, bool]:
    """The relation that an edge shows as, and whether it carries."""
    name, carries = shown_type(edge)
    return Relation[name], carries


@described
class Evidence:
    """One claim behind an edge: who said so, how they knew, and the ledger entry that says it."""

    batch: strawberry.Private[Batch]
    seq: Seq
    source: str
    method: str = strawberry.field(description="OBSERVED, DECLARED or INFERRED.")
    at: Time | None
    said: str = strawberry.field(description="The version the producer named, where it named one.")
    detail: JSON | None = strawberry.field(description="Role, columns, hook: what else it says.")

    @classmethod
    def of(cls, batch: Batch, found: StoredEvidence) -> Evidence:
        """One claim."""
        return cls(
            batch=batch, seq=Seq(found.seq), source=found.source, method=found.method.name,
            at=shown_time(found.at), said=found.said,
            detail=JSON(json.loads(found.detail)) if found.detail else None,
        )  # fmt: skip

    @field
    def entry(self) -> TheEntry | None:
        """The entry of the ledger."""
        from lineage.query.graphql.ledger import Entry

        return Entry.at(self.batch.store, self.seq)


@described
class Link:
    """An edge from a node to another."""

    cursor: str
    node: Node
    batch: strawberry.Private[Batch]
    edge: strawberry.Private[StoredEdge]

    @field
    def type(self) -> Relation:
        """How the two are related."""
        return relation(self.edge)[0]

    @field
    def carries(self) -> bool:
        """Of a revision: whether it contains what was in the version before it."""
        return relation(self.edge)[1]

    @field
    def at(self) -> Time | None:
        """The earliest time anyone says."""
        return shown_time(self.edge.at)

    @field
    def method(self) -> str:
        """How it is known: OBSERVED, DECLARED or INFERRED, the strongest that anyone has."""
        return self.edge.method.name

    @field
    def evidence(self) -> list[Evidence]:
        """Every claim behind it."""
        found = evidence_of(self.batch.store, self.edge, self.batch.view)
        return [Evidence.of(self.batch, claim) for claim in found]


@described
class LinkConnection:
    """One page of a node's edges of a kind, in order of the other ends' ids."""

    edges: list[Link]
    page_info: PageInfo
    total_count: int | None


def link_page(
    node: Node, direction: Direction, kind: EdgeType, *, first: int, after: str | None
) -> LinkConnection:
    """A page of the edges of ``node``; read together with those of its siblings."""
    batch = node.batch
    field_name = f"{class_of(node.id)}.{direction.value}.{kind.name}"
    paging = Paging.of((field_name, {"id": node.id}), lambda: batch.view, first=first, after=after)
    batch = batch.at(paging.view, node.id)
    last = str(paging.after[0]) if paging.after else ""
    linked = batch.linked(node.id, direction, kind, first=first, after=last)
    edges = [
        Link(cursor=paging.cursor((far,)), node=as_node(linked.ends, far), batch=batch, edge=edge)
        for edge in linked.edges
        for far in (edge.up if direction is Direction.UPSTREAM else edge.down,)
    ]
    total = len(batch.links(direction, kind).get(node.id, ()))
    return LinkConnection(
        edges=edges,
        page_info=page_info(paging, [edge.cursor for edge in edges], more=linked.more),
        total_count=total,
    )
