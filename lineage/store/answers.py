"""Where a read of a store stands, and what it answers."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import NamedTuple

from lineage.model.canonical import FOREVER
from lineage.model.claims import EdgeType, Method, StateType
from lineage.model.ids import ARTIFACT, RUN, class_of, token_of

__all__ = [
    "LATEST", "Attribute", "Direction", "Edge", "Evidence", "History", "Hit", "Node", "StateValue",
    "View", "Walk",
]  # fmt: skip

LATEST = FOREVER - 1
"""The latest valid time: the default of *asOf*."""


@dataclass(frozen=True, slots=True)
class View:
    """Where a read stands: known at ``position``, as it was at ``as_of`` (microseconds)."""

    position: int
    as_of: int = LATEST


class Direction(enum.Enum):
    """Upstream is towards sources."""

    UPSTREAM = "UPSTREAM"
    DOWNSTREAM = "DOWNSTREAM"


class History(enum.Enum):
    """How far a table version reaches into what was appended before it.

    CONTRIBUTING keeps only commits that added files still live at that version where the log is
    known (all commits from 0 on recorded with their files), else walks the chain like ALL.
    """

    CONTRIBUTING = "CONTRIBUTING"
    NONE = "NONE"
    ALL = "ALL"


@dataclass(frozen=True, slots=True)
class Attribute:
    """What shows of an attribute: the strongest claim's value (canonical JSON), and whose it is.

    Order: method, then the later ``since``, then the smaller source.
    """

    value: str
    method: Method
    source: str
    since: int


@dataclass(frozen=True, slots=True)
class Node:
    """A known node. ``first_seq`` is the entry that first mentioned it."""

    id: str
    first_seq: int
    attributes: dict[str, Attribute] = field(default_factory=dict)


class Edge(NamedTuple):
    """An edge as it shows: from the least event time of its visible claims, strongest method.

    A version that contains an earlier commit of its table shows as ``CARRIES`` to that commit.
    A named tuple: walks make tens of thousands of them, and they sort as the contract orders them.
    """

    type: EdgeType
    up: str
    down: str
    at: int
    method: Method


@dataclass(frozen=True, slots=True)
class Evidence:
    """One claim behind an edge or a state: the entry, its source, method and event time."""

    seq: int
    source: str
    method: Method
    at: int
    said: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class StateValue:
    """A state as it shows: its value over ``[since, until)``; ``source`` on attributes only."""

    subject: str
    type: StateType
    object: str
    value: str
    since: int
    until: int
    method: Method
    source: str = ""


@dataclass(frozen=True, slots=True)
class Walk:
    """The answer to a walk: nodes with their least depth in order of (depth, id), and edges.

    Edges are those that were followed, both ends among ``nodes``, ordered by (type, up, down).
    ``truncated`` says that ``limit`` cut it (whole levels first, then by id) or that ``depth`` did.
    """

    nodes: list[tuple[str, int]]
    edges: list[Edge]
    truncated: bool = False

    def unresolved(self) -> list[tuple[str, str]]:
        """Uses that no version could be found for: (run, artifact)."""
        return [
            (edge.down, edge.up)
            for edge in self.edges
            if edge.type is EdgeType.USED
            and class_of(edge.down) == RUN
            and class_of(edge.up) == ARTIFACT
            and not token_of(edge.up)
        ]


@dataclass(frozen=True, slots=True)
class Hit:
    """A search result. ``rank``: 0 exact name, 1 name prefix, 2 token prefix."""

    id: str
    rank: int
