"""`lineage`: everything up or down of something, as flat nodes and edges, a page at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import strawberry

from lineage.query import answer
from lineage.query.batch import Batch
from lineage.query.graphql.completeness import Completeness
from lineage.query.graphql.context import Paging
from lineage.query.graphql.describing import described, field
from lineage.query.graphql.links import Evidence, Relation, relation
from lineage.query.graphql.nodes import Node, as_node
from lineage.query.graphql.pages import PageInfo, page_info
from lineage.query.graphql.scalars import Time, shown_time
from lineage.store.contract import Direction, History
from lineage.store.contract import Edge as StoredEdge

__all__ = ["Lineage", "answer_page", "of_kinds"]

_CHUNK = 1_000

strawberry.enum(Direction, description="UPSTREAM is towards sources.")
strawberry.enum(
    History,
    description="How far a table version reaches into what was appended before it: the commits "
    "whose data it still holds, none, or all.",
)


@described
class LineageNode:
    """A node of the answer, with the fewest steps from where it started."""

    cursor: str
    depth: int
    node: Node


@described
class LineageEdge:
    """An edge of the answer. `up` is towards sources; data flows from `up` to `down`."""

    up: strawberry.ID
    down: strawberry.ID
    type: Relation
    carries: bool = strawberry.field(
        description="Of a revision: whether it contains what was in the version before it."
    )
    at: Time | None
    method: str = strawberry.field(description="OBSERVED, DECLARED or INFERRED: the strongest.")
    batch: strawberry.Private[Batch]
    stored: strawberry.Private[StoredEdge]

    @field
    def evidence(self) -> list[Evidence]:
        """Every claim behind it, with its entry of the ledger."""
        found = answer.evidence_of(self.batch.store, self.stored, self.batch.view)
        return [Evidence.of(self.batch, claim) for claim in found]


@described
class Lineage:
    """One page of everything up or down of something, in order of (depth, id).

    An edge is on the page where the later of its two ends is.
    """

    start: strawberry.ID = strawberry.field(description="The id that was asked about.")
    nodes: list[LineageNode]
    edges: list[LineageEdge]
    page_info: PageInfo
    total_count: int = strawberry.field(description="Nodes of the whole answer.")
    completeness: Completeness


def of_kinds(found: answer.Answer, kinds: Sequence[str], batch: Batch) -> answer.Answer:
    """An answer with only its nodes of some kinds and the edges among those.

    What it may lack is that of the whole: the walk went everywhere. ``batch`` is as for a page.
    """
    wanted, shown = frozenset(kinds), set()
    for start in range(0, len(found.nodes), _CHUNK):
        some = [node for node, _ in found.nodes[start : start + _CHUNK]]
        read = Batch(batch.store, batch.view, some, batch.clock)
        shown |= {node for node in some if read.kind(node) in wanted}
    return replace(
        found,
        nodes=tuple(each for each in found.nodes if each[0] in shown),
        edges=tuple(edge for edge in found.edges if edge.up in shown and edge.down in shown),
    )


def answer_page(start: str, found: answer.Answer, batch: Batch, paging: Paging) -> Lineage:
    """One page of an answer. ``batch`` is of any nodes at its view."""
    order = {node: n for n, (node, _) in enumerate(found.nodes)}
    begin = _after(found, paging)
    page = found.nodes[begin : begin + paging.first]
    end = begin + len(page)
    more = end < len(found.nodes)
    shown = Batch(batch.store, paging.view, [node for node, _ in page], batch.clock)
    nodes = [
        LineageNode(cursor=paging.cursor((depth, node)), depth=depth, node=as_node(shown, node))
        for node, depth in page
    ]
    edges = [
        _edge(shown, edge)
        for edge in found.edges
        if begin <= max(order[edge.up], order[edge.down]) < end
    ]
    completeness = found.completeness
    if more:
        cut = (*completeness.truncated_by, answer.PAGE)
        completeness = replace(completeness, truncated_by=cut)
    return Lineage(
        start=strawberry.ID(start),
        nodes=nodes,
        edges=edges,
        page_info=page_info(paging, [node.cursor for node in nodes], more=more),
        total_count=len(found.nodes),
        completeness=Completeness(store=batch.store, find=lambda: completeness),
    )


def _after(found: answer.Answer, paging: Paging) -> int:
    """How many nodes come before this page."""
    if paging.after is None:
        return 0
    depth, node = int(paging.after[0]), str(paging.after[1])
    return sum(1 for other, at in found.nodes if (at, other) <= (depth, node))


def _edge(batch: Batch, edge: StoredEdge) -> LineageEdge:
    type_, carries = relation(edge)
    return LineageEdge(
        up=strawberry.ID(edge.up),
        down=strawberry.ID(edge.down),
        type=type_,
        carries=carries,
        at=shown_time(edge.at),
        method=edge.method.name,
        batch=batch,
        stored=edge,
    )
