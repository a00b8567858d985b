"""Stores that answer every read from one reading: a snapshot, or a session, at a view."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from typing_extensions import override

from lineage.errors import StoreBusyError
from lineage.model.claims import EdgeType, StateType
from lineage.store.contract import (
    Direction,
    Edge,
    Evidence,
    Head,
    History,
    Hit,
    Node,
    StateValue,
    Store,
    View,
    Walk,
)

__all__ = ["ReadingStore", "Reads", "batches"]

_DIGESTS = 5
"""How often a digest is taken until nothing was appended meanwhile."""


def batches(limit: int | None, most: int) -> Iterator[int]:
    """How many to read next, until ``limit`` is reached; without one for ever."""
    left = limit
    while left is None or left > 0:
        wanted = most if left is None else min(most, left)
        yield wanted
        left = None if left is None else left - wanted


class Reads(Protocol):
    """What a backend's ``reads`` module holds: the contract's reads, of a reading of its own."""

    known: Any
    nodes: Any
    page: Any
    search: Any
    versions: Any
    edges: Any
    evidence: Any
    walk: Any
    states: Any
    history: Any
    state_evidence: Any


class ReadingStore(Store):
    """Opens a reading for every read and asks the functions of its backend."""

    _reads: Reads

    @abstractmethod
    def _reading(self, view: View) -> AbstractContextManager[Any]:
        """A reading at a view, for as long as the context lasts."""

    # --- graph

    @override
    def known(self, ids: Iterable[str], view: View) -> set[str]:
        with self._reading(view) as reading:
            found: set[str] = set(self._reads.known(reading, ids))
            return found

    @override
    def nodes(self, ids: Sequence[str], view: View) -> list[Node]:
        with self._reading(view) as reading:
            found: list[Node] = self._reads.nodes(reading, ids)
            return found

    @override
    def page(
        self,
        view: View,
        *,
        classes: Sequence[str] = (),
        kinds: Sequence[str] = (),
        versions: bool = False,
        after: str = "",
        limit: int = 100,
    ) -> list[str]:
        with self._reading(view) as reading:
            found: list[str] = self._reads.page(
                reading, classes=classes, kinds=kinds, versions=versions, after=after, limit=limit
            )
            return found

    @override
    def search(
        self,
        text: str,
        view: View,
        *,
        classes: Sequence[str] = (),
        after: Hit | None = None,
        limit: int = 50,
    ) -> list[Hit]:
        with self._reading(view) as reading:
            found: list[Hit] = self._reads.search(
                reading, text, classes=classes, after=after, limit=limit
            )
            return found

    @override
    def versions(self, artifact: str, view: View) -> list[tuple[str, int | None]]:
        with self._reading(view) as reading:
            found: list[tuple[str, int | None]] = self._reads.versions(reading, [artifact]).get(
                artifact, []
            )
            return found

    @override
    def versions_of(
        self, artifacts: Sequence[str], view: View
    ) -> dict[str, list[tuple[str, int | None]]]:
        with self._reading(view) as reading:
            found: dict[str, list[tuple[str, int | None]]] = self._reads.versions(
                reading, artifacts
            )
            return found

    @override
    def edges(
        self,
        ids: Sequence[str],
        direction: Direction,
        view: View,
        types: Sequence[EdgeType] = (),
    ) -> list[Edge]:
        with self._reading(view) as reading:
            found: list[Edge] = self._reads.edges(reading, ids, direction, types)
            return found

    @override
    def evidence(self, edge_type: EdgeType, up: str, down: str, view: View) -> list[Evidence]:
        with self._reading(view) as reading:
            found: list[Evidence] = self._reads.evidence(reading, edge_type, up, down)
            return found

    @override
    def walk(
        self,
        starts: Sequence[str],
        direction: Direction,
        view: View,
        *,
        depth: int | None = None,
        history: History = History.CONTRIBUTING,
        limit: int | None = None,
    ) -> Walk:
        with self._reading(view) as reading:
            found: Walk = self._reads.walk(
                reading, starts, direction, depth=depth, history=history, limit=limit
            )
            return found

    # --- states

    @override
    def states(
        self,
        view: View,
        *,
        subjects: Sequence[str] | None = None,
        types: Sequence[StateType] = (),
        objects: Sequence[str] | None = None,
    ) -> list[StateValue]:
        with self._reading(view) as reading:
            found: list[StateValue] = self._reads.states(
                reading, subjects=subjects, types=types, objects=objects
            )
            return found

    @override
    def history(self, subject: str, kind: StateType, position: int) -> list[StateValue]:
        with self._reading(View(position)) as reading:
            found: list[StateValue] = self._reads.history(reading, subject, kind)
            return found

    @override
    def state_evidence(
        self, subject: str, kind: StateType, obj: str, position: int
    ) -> list[Evidence]:
        with self._reading(View(position)) as reading:
            found: list[Evidence] = self._reads.state_evidence(reading, subject, kind, obj)
            return found

    # --- whole

    @override
    def digest_at_head(self, *, recorded: bool = True) -> tuple[Head, str]:
        for _ in range(_DIGESTS):
            head, digest = self.head(), self.digest(recorded=recorded)
            if self.head() == head:
                return head, digest
        raise StoreBusyError(
            "something was recorded each time that the graph was read",
            hint="try again when less is; `lineage ledger verify --ledger-only` reads no graph",
        )
