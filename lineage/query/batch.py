"""Nodes that are answered together: what one of them needs is read for all of them at once.

The items of a list share a batch, and so do all the nodes that any of them leads to. A field that
is asked for on a thousand rows is one read of the store, on every level of a query.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from lineage.model.claims import EdgeType, StateType
from lineage.model.ids import ARTIFACT, JOB, RUN, artifact_of, class_of, token_of
from lineage.ownership.claims import ownership_of
from lineage.ownership.origins import unknown_origins
from lineage.ownership.precedence import Ownership
from lineage.query.facts import artifacts_of, kind_of, name_of
from lineage.store.contract import Attribute, Direction, Edge, Node, StateValue, Store, View

__all__ = ["Batch", "Linked", "present"]

_OWNED = (ARTIFACT, RUN, JOB)
_MAKING = (EdgeType.GENERATED, EdgeType.CARRIES, EdgeType.REVISION_OF)


def present() -> int:
    """Now, in microseconds."""
    return time.time_ns() // 1000


@dataclass(frozen=True, slots=True)
class Linked:
    """A page of a node's edges, and the batch of what is at their other ends."""

    edges: Sequence[Edge]
    more: bool
    ends: Batch


class Batch:
    """Known nodes at one view, read together and when needed."""

    def __init__(
        self, store: Store, view: View, ids: Iterable[str], clock: Callable[[], int] = present
    ) -> None:
        self.store = store
        self.view = view
        self.clock = clock
        self.ids = tuple(dict.fromkeys(ids))
        self._links: dict[tuple[Direction, EdgeType], dict[str, list[Edge]]] = {}
        self._pages: dict[tuple[Direction, EdgeType, int, str], dict[str, Linked]] = {}
        self._others: dict[str, Batch] = {}

    @cached_property
    def nodes(self) -> dict[str, Node]:
        """The nodes of the batch and the artifacts of its versions, by id."""
        ids = dict.fromkeys([*self.ids, *map(artifact_of, self.ids)])
        return {node.id: node for node in self.store.nodes(list(ids), self.view)}

    @cached_property
    def states(self) -> dict[str, list[StateValue]]:
        """States but for attributes, by subject: of the nodes and the artifacts of versions."""
        kinds = [kind for kind in StateType if kind is not StateType.ATTRIBUTE]
        found = self.store.states(self.view, subjects=list(self.nodes), types=kinds)
        by_subject: dict[str, list[StateValue]] = defaultdict(list)
        for state in found:
            by_subject[state.subject].append(state)
        return by_subject

    def attributes(self, node: str) -> dict[str, Attribute]:
        """What shows of a node's attributes."""
        return self.nodes[node].attributes if node in self.nodes else {}

    def kind(self, node: str) -> str:
        """The kind of a node: its artifact's where it is a version."""
        return kind_of(node, artifacts_of(self.nodes, node))

    def name(self, node: str, kind: str = "") -> str:
        """The name people see; ``kind`` is the node's, where that is known."""
        return name_of(node, kind or self.kind(node), self.attributes(node))

    @cached_property
    def ownership(self) -> dict[str, Ownership]:
        """Who answers for the artifacts, versions, runs and jobs of the batch.

        Where no valid time was asked for it is the present: an ownership may end later.
        """
        view = View(self.view.position, min(self.view.as_of, self.clock()))
        return ownership_of(self.store, [n for n in self.ids if class_of(n) in _OWNED], view)

    @cached_property
    def unknown_origins(self) -> frozenset[str]:
        """The versions of the batch, of kinds that are made, that nothing recorded made."""
        return frozenset(unknown_origins(self.store, self.ids, self.view))

    # --- edges

    def links(self, direction: Direction, kind: EdgeType) -> dict[str, list[Edge]]:
        """Direct edges of one type by the node of this batch, ordered by the other end."""
        asked = (direction, kind)
        if asked not in self._links:
            by_node: dict[str, list[Edge]] = defaultdict(list)
            for edge in self.store.edges(self.ids, direction, self.view, [kind]):
                by_node[_near(edge, direction)].append(edge)
            self._links[asked] = by_node
        return self._links[asked]

    def linked(
        self, node: str, direction: Direction, kind: EdgeType, *, first: int, after: str
    ) -> Linked:
        """A page of a node's edges after the other end ``after``; its siblings' come along."""
        asked = (direction, kind, first, after)
        if asked not in self._pages:
            pages: dict[str, list[Edge]] = {}
            for near, edges in self.links(direction, kind).items():
                pages[near] = [e for e in edges if _far(e, direction) > after][: first + 1]
            shown = (e for edges in pages.values() for e in edges[:first])
            ends = self.other(f"{asked}", (_far(e, direction) for e in shown))
            self._pages[asked] = {
                near: Linked(edges[:first], len(edges) > first, ends)
                for near, edges in pages.items()
            }
        return self._pages[asked].get(node) or Linked((), more=False, ends=self)

    def other(self, name: str, ids: Iterable[str]) -> Batch:
        """The batch of what all nodes here lead to by the field ``name``, made once."""
        if name not in self._others:
            self._others[name] = Batch(self.store, self.view, ids, self.clock)
        return self._others[name]

    def at(self, view: View, node: str) -> Batch:
        """This batch, or where a cursor stands at another view ``node`` alone at that."""
        return self if view == self.view else Batch(self.store, view, [node], self.clock)

    # --- versions

    @cached_property
    def makers(self) -> dict[str, list[Edge]]:
        """The GENERATED edges of each version, those of its other names included."""
        same = self.links(Direction.UPSTREAM, EdgeType.SAME_AS)
        names = {edge.up for edges in same.values() for edge in edges}
        edges = self.store.edges(
            list({*self.ids, *names}), Direction.UPSTREAM, self.view, [EdgeType.GENERATED]
        )
        made: dict[str, list[Edge]] = defaultdict(list)
        for edge in edges:
            made[edge.down].append(edge)
        return {
            node: made[node] + [e for link in same.get(node, ()) for e in made[link.up]]
            for node in self.ids
        }

    @cached_property
    def runs(self) -> Batch:
        """The runs that made versions of this batch."""
        return self.other("runs", (edge.up for edges in self.makers.values() for edge in edges))

    def made_at(self, version: str) -> int | None:
        """When a version was made (microseconds), or None where nobody saw it made."""
        times = [
            edge.at
            for kind in _MAKING
            for edge in self.links(Direction.UPSTREAM, kind).get(version, ())
        ]
        return min(times) if times else self._made.get(version)

    @cached_property
    def _made(self) -> dict[str, int | None]:
        """Every version of artifacts of this batch, with when it was made."""
        return dict(each for known in self.artifacts.versions.values() for each in known)

    @cached_property
    def versions(self) -> dict[str, list[tuple[str, int | None]]]:
        """Known versions of the artifacts of this batch, oldest first, with when they were made."""
        return self.store.versions_of(
            [node for node in self.ids if class_of(node) == ARTIFACT and not token_of(node)],
            self.view,
        )

    def page_of_versions(self, artifact: str, first: int, after: str) -> tuple[list[str], Batch]:
        """Up to ``first`` + 1 versions behind ``after``; the batch of the first of every artifact.

        Pages that begin at the beginning share it: a page behind a cursor is asked for by itself.
        """
        pages = {
            one: self._behind(one, after)[: first + 1]
            for one in (self.ids if not after else [artifact])
        }
        shown = (version for page in pages.values() for version in page[:first])
        return pages.get(artifact, []), self.other(f"versions {first} {after}", shown)

    def _behind(self, artifact: str, after: str) -> list[str]:
        ids = [version for version, _ in self.versions.get(artifact, ())]
        return ids[ids.index(after) + 1 :] if after else ids

    @cached_property
    def latest(self) -> Batch:
        """The version made last of every artifact of this batch."""
        return self.other("latest", (known[-1][0] for known in self.versions.values()))

    @cached_property
    def artifacts(self) -> Batch:
        """The artifacts that versions of this batch are versions of."""
        return self.other("artifacts", (artifact_of(n) for n in self.ids if token_of(n)))


def _near(edge: Edge, direction: Direction) -> str:
    return edge.down if direction is Direction.UPSTREAM else edge.up


def _far(edge: Edge, direction: Direction) -> str:
    return edge.up if direction is Direction.UPSTREAM else edge.down
