"""Claims: what one entry of the ledger says about the graph, with its evidence and its times.

Two kinds. An :class:`Occurrence` is something that happened (an edge of the W3C PROV graph): it
holds from its event time on and only a retraction ends it. A :class:`StateOp` paints a value over
a half-open interval of valid time; what a state shows is a fold over its operations
(:mod:`lineage.model.fold`).

``up`` and ``down`` of an occurrence follow the flow of data: sources are up, products are down.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from lineage.model.canonical import FOREVER

__all__ = [
    "LAST_WALKED",
    "Claims",
    "EdgeType",
    "EntryRef",
    "Method",
    "Occurrence",
    "Redaction",
    "StateOp",
    "StateType",
    "TableCommit",
]


class Method(enum.IntEnum):
    """How a claim is known. The least is the strongest, and the strongest claim shows."""

    OBSERVED = 0
    """Seen by a hook."""
    DECLARED = 1
    """Said by a producer."""
    INFERRED = 2
    """Derived by a rule."""


class EdgeType(enum.IntEnum):
    """Occurrences, W3C PROV names where they exist. Numbers are stored: never reuse one.

    Types up to ``SAME_AS`` are walked by lineage.
    """

    USED = 1
    GENERATED = 2
    CARRIES = 3
    """A REVISION_OF whose version contains what was in the one before it."""
    DERIVED_FROM = 4
    SAME_AS = 5
    """Materialised equivalence of two ids: a derived edge, never a claim."""
    REVISION_OF = 8
    """A revision that carries nothing (an unconditional overwrite)."""
    TRIGGERED_BY = 9
    INVALIDATED = 10
    ATTRIBUTED_TO = 11
    """down was made on behalf of up (an agent)."""


LAST_WALKED = EdgeType.SAME_AS


class StateType(enum.IntEnum):
    """States. Numbers are stored: never reuse one."""

    RUN_STATE = 1
    OWNED_BY = 2
    SAME_AS = 3
    ATTRIBUTE = 4
    MEMBER_OF = 5
    TAGGED = 6
    DEPLOYED_AS = 7
    PINNED_BY = 8
    EXISTS = 9
    GAP = 10
    """A stretch that may have been lost: object is the gap's key, value its description."""


@dataclass(frozen=True, slots=True)
class Occurrence:
    """An edge claim: ``down`` came from ``up`` at ``at`` (UTC microseconds).

    ``said`` is the bare version number a producer named on a use or an output without a version
    token; resolution turns it into a version. ``detail`` is canonical JSON of whatever else the
    edge carries (role, columns), or empty.
    """

    type: EdgeType
    up: str
    down: str
    at: int
    method: Method
    said: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class StateOp:
    """A state operation: paints ``value`` over ``[since, until)`` of ``(subject, type, object)``.

    ``value`` is text (canonical JSON for attributes). ``object`` is an id or a key within the type:
    the attribute's name, ``<team id>|<claim source>`` of an ownership claim.
    """

    subject: str
    type: StateType
    object: str
    value: str
    at: int
    method: Method
    since: int
    until: int = FOREVER


@dataclass(frozen=True, slots=True)
class TableCommit:
    """One commit of a table's log: which data files it added and removed (unquoted paths).

    ``files_known`` is False where the list was too long to record: then the whole chain of the
    table is walked instead of its contributing commits.
    """

    table: str
    version: str
    number: int
    log: str
    """Identity of the log (the table id): a table dropped and made again starts another."""
    at: int
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    files_known: bool = True
    carries: bool = True
    """False of an unconditional overwrite: what it removed is gone, not rewritten into it."""


@dataclass(frozen=True, slots=True)
class EntryRef:
    """Names an entry, which may arrive later: its source and event id."""

    source: str
    event_id: str


@dataclass(frozen=True, slots=True)
class Redaction:
    """Replaces the body of an entry by ``stub`` for good."""

    target: EntryRef
    stub: bytes


@dataclass(frozen=True, slots=True)
class Claims:
    """All that one entry says. ``mentions`` are ids it names beyond those of its claims."""

    occurrences: tuple[Occurrence, ...] = ()
    states: tuple[StateOp, ...] = ()
    commits: tuple[TableCommit, ...] = ()
    mentions: tuple[str, ...] = ()
    retracts: tuple[EntryRef, ...] = ()
    redacts: tuple[Redaction, ...] = ()

    def nodes(self) -> tuple[str, ...]:
        """Every id that this entry makes known, each once, in order."""
        ids: dict[str, None] = dict.fromkeys(self.mentions)
        for edge in self.occurrences:
            ids[edge.up] = None
            ids[edge.down] = None
        for op in self.states:
            ids[op.subject] = None
            if op.type is StateType.OWNED_BY:
                ids[op.object.rpartition("|")[0] or op.object] = None
            elif op.type in _OBJECT_IS_ID:
                ids[op.object] = None
        for commit in self.commits:
            ids[commit.version] = None
        return tuple(ids)


_OBJECT_IS_ID = frozenset({
    StateType.SAME_AS, StateType.MEMBER_OF, StateType.DEPLOYED_AS,
})  # fmt: skip
