"""The contract of a store: append entries with what they mean, read the graph at a position.

A store numbers entries (gapless), keeps the ledger and the graph in ONE transaction, and answers
every read at a :class:`View`: a position (ledger sequence number, *knownAt*) and a valid time
(*asOf*). It does not interpret: entries arrive with their claims; for retractions and redactions,
which reach back to earlier entries, it calls the interpreter it was given. The memory backend is
the definition; ``lineage.testing`` holds the suites that every backend runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

from lineage.model.claims import EdgeType, StateType
from lineage.store.answers import (
    LATEST,
    Attribute,
    Direction,
    Edge,
    Evidence,
    History,
    Hit,
    Node,
    StateValue,
    View,
    Walk,
)
from lineage.store.appended import (
    Guard,
    Head,
    Interpreter,
    NewEntry,
    Receipt,
    StoredCheckpoint,
    StoredEntry,
)

__all__ = [
    "LATEST",
    "Attribute",
    "Direction",
    "Edge",
    "Evidence",
    "Guard",
    "Head",
    "History",
    "Hit",
    "Interpreter",
    "NewEntry",
    "Node",
    "Receipt",
    "StateValue",
    "Store",
    "StoredCheckpoint",
    "StoredEntry",
    "View",
    "Walk",
]


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

    def digest_at_head(self, *, recorded: bool = True) -> tuple[Head, str]:
        """The head, and the digest of that moment, while others append.

        Raises ``StoreBusyError`` where a backend without snapshots finds no such moment.
        """
        ...

    def counts(self) -> dict[str, int]:
        """Numbers of entries, nodes, edges and states, for people and metrics."""
        ...

    def close(self) -> None:
        """Release everything; a closed store is not used again."""
        ...
