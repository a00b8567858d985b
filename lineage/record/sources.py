"""What a store can be restored from: an archive, or the copy of a store that a backup holds."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from typing_extensions import override

from lineage.model.checkpoint import Checkpoint
from lineage.model.notes import text_of
from lineage.record.ledger import Contents, Ledger
from lineage.store.contract import Head, Store, StoredCheckpoint, StoredEntry

__all__ = ["Mark", "Source", "StoreSource"]


@dataclass(frozen=True, slots=True)
class Mark:
    """A size whose root is known, and its checkpoint if it was sealed."""

    size: int
    root: bytes
    checkpoint: StoredCheckpoint | None = None


class Blobs(Contents, Protocol):
    """Blobs that can be read and listed."""

    def all(self) -> Iterator[str]:
        """Digests of every blob."""
        ...


class Source(Ledger, Protocol):
    """A ledger that can be read in parts, with its checkpoints and blobs."""

    @abstractmethod
    def marks(self) -> list[Mark]:
        """Sizes with known roots, in order; the last is that of the head."""

    @abstractmethod
    def position_at(self, recorded_at: int) -> int:
        """The last seq recorded at or before a time (0: none)."""

    @abstractmethod
    def leaves(self, start: int, end: int) -> list[bytes]:
        """Hashes of the leaves ``[start, end)``."""

    @abstractmethod
    def redacted(self) -> tuple[list[StoredEntry], list[StoredEntry]]:
        """All entries that are stubs, and all redactions."""

    @abstractmethod
    def digests(self, first: int, last: int) -> list[str]:
        """Blobs that come with entries ``first`` to ``last``: others came with those before."""

    @abstractmethod
    def get(self, sha256: str) -> bytes:
        """The contents of a blob. Raises ``UnknownNameError`` and what says that it is damaged."""

    def contents(self, digests: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """Blobs of those that :meth:`digests` gave last, in its order."""
        for digest in digests:
            yield digest, self.get(digest)

    def blame(self, position: int) -> dict[str, str]:
        """Where an entry is kept, for people to find: names of tables and files."""
        del position
        return {}


class StoreSource(Source):
    """A store that is read only, with the blobs beside it."""

    def __init__(self, store: Store, blobs: Blobs) -> None:
        self._store = store
        self._blobs = blobs
        self._waiting = list(blobs.all())
        self._head = store.head()

    @override
    def head(self) -> Head:
        return self._head

    @override
    def marks(self) -> list[Mark]:
        marks = {}
        for sealed in self._store.checkpoints():
            root = Checkpoint.of_text(text_of(sealed.note)).root
            marks[sealed.size] = Mark(sealed.size, root, sealed)
        end = self._head.seq
        if end not in marks:
            marks[end] = Mark(end, self._head.frontier.root())
        return [marks[size] for size in sorted(marks)]

    @override
    def position_at(self, recorded_at: int) -> int:
        return self._store.position_at(recorded_at)

    @override
    def leaves(self, start: int, end: int) -> list[bytes]:
        return self._store.leaves(start, end)

    @override
    def entries(self, after: int = 0, limit: int | None = None) -> Iterator[StoredEntry]:
        return self._store.entries(after, limit)

    @override
    def redacted(self) -> tuple[list[StoredEntry], list[StoredEntry]]:
        stubs, redactions = [], []
        for entry in self._store.entries():
            if entry.salt is None:
                stubs.append(entry)
            if entry.kind == "entry.redacted":
                redactions.append(entry)
        return stubs, redactions

    @override
    def digests(self, first: int, last: int) -> list[str]:
        # A backup does not say which entries its blobs are of: all come first.
        waiting, self._waiting = self._waiting, []
        return waiting

    @override
    def get(self, sha256: str) -> bytes:
        return self._blobs.get(sha256)
