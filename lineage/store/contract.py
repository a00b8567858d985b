"""The contract of a store: append entries with what they mean, read the graph at a position.

A store numbers entries (gapless), keeps the ledger and the graph in ONE transaction, and answers
every read at a :class:`View`: a position (ledger sequence number, *knownAt*) and a valid time
(*asOf*). It does not interpret: entries arrive with their claims; for retractions and redactions,
which reach back to earlier entries, it calls the interpreter it was given. The memory backend is
the definition; ``lineage.testing`` holds the suites that every backend runs.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from lineage.model.canonical import FOREVER
from lineage.model.claims import Claims, EdgeType, Method, StateType
from lineage.model.envelope import Actor, Envelope
from lineage.model.ids import ARTIFACT, RUN, class_of, token_of
from lineage.model.merkle import Frontier

LATEST = FOREVER - 1
"""The latest valid time: the default of *asOf*."""


class Interpreter(Protocol):
    """The pure function from an entry to its claims (``lineage.record.interpret``)."""

    def __call__(self, kind: str, v: int, body: bytes) -> Claims:
        """Claims of an entry's body."""
        ...


@dataclass(frozen=True, slots=True)
class NewEntry:
    """An entry to append, with what it means.

    ``recorded_at``, ``salt`` and ``commitment`` are given when a ledger is rebuilt and None when an
    entry is new: then the store takes the time (``max(clock, previous)``) and a fresh salt.
    """

    kind: str
    v: int
    source: str
    event_id: str
    actor: Actor
    body: bytes
    claims: Claims
    recorded_at: int | None = None
    salt: bytes | None = None
    commitment: bytes | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """Where an entry is in the ledger; ``new`` is False where it had been there before."""

    seq: int
    new: bool


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """An entry as the ledger has it. ``salt`` is None once redacted (``body`` is the stub)."""

    seq: int
    recorded_at: int
    kind: str
    v: int
    source: str
    event_id: str
    actor: Actor
    salt: bytes | None
    body: bytes
    commitment: bytes
    leaf: bytes

    @property
    def envelope(self) -> Envelope:
        """What the leaf must be the hash of."""
        return Envelope(
            self.seq, self.recorded_at, self.kind, self.v, self.source, self.event_id,
            self.actor, self.commitment,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Head:
    """The end of the ledger."""

    seq: int
    recorded_at: int
    frontier: Frontier


@dataclass(frozen=True, slots=True)
class StoredCheckpoint:
    """A signed checkpoint as the store keeps it: the note, byte for byte, of the first ``size``.

    ``sealed_at`` (microseconds) is the store's clock then; only the note is signed.
    """

    size: int
    sealed_at: int
    note: bytes


Guard = Callable[[Head], None]
"""Judges the head that something is to be appended to; raises where it is not what it was."""


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


class Store(Protocol):
    """What every backend does. Reads of an unknown id give nothing rather than raise."""

    # --- ledger
    def append(self, entries: Sequence[NewEntry]) -> list[Receipt]:
        """Append all or none, in order, in one transaction with their graph operations.

        An entry whose (source, event_id) is known changes nothing and returns the first seq.
        """
        ...

    def head(self) -> Head:
        """The end of the ledger."""
        ...

    def position_at(self, recorded_at: int) -> int:
        """The last seq recorded at or before a time (0: none)."""
        ...

    def entries(self, after: int = 0, limit: int | None = None) -> Iterator[StoredEntry]:
        """Entries with seq > ``after``, in order."""
        ...

    def find(self, source: str, event_id: str) -> int | None:
        """The seq of an entry by its source's event id."""
        ...

    # --- seal
    def guard(self, check: Guard) -> None:
        """Call ``check`` under the head's lock before every append and seal of this object.

        What it raises refuses them, and nothing is written. It may read the store.
        """
        ...

    def seal(self, sign: Callable[[Head], bytes]) -> StoredCheckpoint:
        """Keep the note that ``sign`` makes of the head: under the head's lock, one of each size.

        Where the head is sealed already that checkpoint is returned and nothing is signed. What
        ``sign`` raises leaves everything as it was. Should the outcome of a commit be unknown,
        ``sign`` is called again for the same head.
        """
        ...

    def adopt(self, checkpoints: Sequence[StoredCheckpoint]) -> None:
        """Keep checkpoints that another store of the same ledger made, all or none.

        Of a size that is sealed here the own one stays. Raises ``IndexError`` for one of more
        entries than there are: whoever restores a ledger appends its entries first.
        """
        ...

    def checkpoints(self, after: int = 0, limit: int | None = None) -> Iterator[StoredCheckpoint]:
        """Checkpoints of more than ``after`` entries, by size."""
        ...

    def last_checkpoint(self) -> StoredCheckpoint | None:
        """The checkpoint of the most entries."""
        ...

    def leaves(self, start: int, end: int) -> list[bytes]:
        """Hashes of the leaves ``[start, end)``, from 0 on: of the entries start + 1 to end.

        Fewer where the ledger ends before.
        """
        ...

    def tiles(self, level: int, start: int, end: int) -> dict[int, bytes]:
        """Roots of the complete tiles ``[start, end)`` of a level from 1 on, by number.

        A cache beside the leaves, kept as they are appended: what is missing or wrong can be
        computed from them (:mod:`lineage.model.tiles`).
        """
        ...

    # --- graph
    def known(self, ids: Iterable[str], view: View) -> set[str]:
        """Those of ``ids`` that an entry up to the position mentions."""
        ...

    def nodes(self, ids: Sequence[str], view: View) -> list[Node]:
        """Known nodes of ``ids`` with their attributes, in the order asked for."""
        ...

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
        """Ids in ASCII order after ``after``; versions only where asked.

        ``classes`` filters by class, ``kinds`` by what the artifact's ``kind`` attribute shows.
        """
        ...

    def search(
        self,
        text: str,
        view: View,
        *,
        classes: Sequence[str] = (),
        after: Hit | None = None,
        limit: int = 50,
    ) -> list[Hit]:
        """Case-folded: exact name, then name prefix, then any token prefix, each ordered by id.

        Names and tokens are ``naming.search_terms`` of the id's name; versions are not searched.
        """
        ...

    def versions(self, artifact: str, view: View) -> list[tuple[str, int | None]]:
        """Known versions of an artifact with the least event time of what made them, oldest first.

        Order: (made_at, number of the token, id); versions of unknown origin come first.
        """
        ...

    def versions_of(
        self, artifacts: Sequence[str], view: View
    ) -> dict[str, list[tuple[str, int | None]]]:
        """``versions`` of several artifacts at once; those without any are left out."""
        ...

    def edges(
        self,
        ids: Sequence[str],
        direction: Direction,
        view: View,
        types: Sequence[EdgeType] = (),
    ) -> list[Edge]:
        """Direct edges towards ``direction``, as stored or derived, ordered by (type, up, down)."""
        ...

    def evidence(self, edge_type: EdgeType, up: str, down: str, view: View) -> list[Evidence]:
        """Claims behind an edge, by seq. For a resolved use: those of the use of the artifact."""
        ...

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
        """All nodes reachable over walked edges, known starts included at depth 0.

        A start that is an artifact without a version includes its versions made up to ``as_of``.
        Downstream is the inverse of upstream: x is up of y exactly if y is down of x.
        """
        ...

    # --- states
    def states(
        self,
        view: View,
        *,
        subjects: Sequence[str] | None = None,
        types: Sequence[StateType] = (),
        objects: Sequence[str] | None = None,
    ) -> list[StateValue]:
        """States that show at ``view``, ordered by (subject, type, object, source)."""
        ...

    def history(self, subject: str, kind: StateType, position: int) -> list[StateValue]:
        """All intervals of a subject's states as known at a position.

        Ordered by (object, source, since).
        """
        ...

    def state_evidence(
        self, subject: str, kind: StateType, obj: str, position: int
    ) -> list[Evidence]:
        """Entries with operations on a state, by seq (``detail`` is the operation's value)."""
        ...

    # --- whole
    def digest(self, *, recorded: bool = True) -> str:
        """SHA-256 of the store.

        With recorded times it covers ledger and graph: a rebuilt store equals the live one.
        Without them it is :mod:`lineage.store.digest` of the graph: shuffled delivery converges,
        and every backend gives the same.
        """
        ...

    def counts(self) -> dict[str, int]:
        """Numbers of entries, nodes, edges and states, for people and metrics."""
        ...

    def close(self) -> None:
        """Release everything; a closed store is not used again."""
        ...
