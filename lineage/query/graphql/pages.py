"""Relay connections over keyset cursors.

``totalCount`` is null where counting would cost a scan.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import strawberry

from lineage.query.cursors import Key
from lineage.query.graphql.completeness import Completeness
from lineage.query.graphql.context import Paging
from lineage.query.graphql.describing import described

__all__ = ["Connection", "Edge", "PageInfo", "connect"]

T = TypeVar("T")
S = TypeVar("S")


@described
class PageInfo:
    """Where a page is in the whole list."""

    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str | None


@described
class Edge(Generic[T]):
    """One item of a list."""

    cursor: str
    node: T


@described
class Connection(Generic[T]):
    """One page of a list."""

    edges: list[Edge[T]]
    page_info: PageInfo
    total_count: int | None = strawberry.field(
        default=None, description="Length of the whole list, where that is known."
    )
    completeness: Completeness = strawberry.field(description="What this page may lack.")


def page_info(paging: Paging, cursors: Sequence[str], *, more: bool) -> PageInfo:
    """The page info of a page with these cursors."""
    return PageInfo(
        has_next_page=more,
        has_previous_page=paging.after is not None,
        start_cursor=cursors[0] if cursors else None,
        end_cursor=cursors[-1] if cursors else None,
    )


def connect(
    paging: Paging,
    items: Sequence[S],
    key: Callable[[S], Key],
    node: Callable[[S], T],
    completeness: Callable[[bool], Completeness],
    *,
    total: int | None = None,
) -> Connection[T]:
    """The connection of a page; ``items`` has one more than the page where more follow."""
    more = len(items) > paging.first
    shown = items[: paging.first]
    edges = [Edge(cursor=paging.cursor(key(item)), node=node(item)) for item in shown]
    return Connection(
        edges=edges,
        page_info=page_info(paging, [edge.cursor for edge in edges], more=more),
        total_count=total,
        completeness=completeness(more),
    )
