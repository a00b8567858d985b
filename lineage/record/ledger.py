"""Verification: re-read everything, and name the first position that does not hold.

Steps, for every entry in order: (1) sequence numbers have no gap, recorded times never go back;
(2) the stored leaf is the hash of the envelope; (3) the commitment is that of salt and body, or the
body is the stub that a redaction entry committed to; (4) blobs that the body names are there and
have their digest; at the end (5) the root over the leaves is that of the head.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from lineage.errors import LineageError, TamperedError
from lineage.model.canonical import parse_json
from lineage.model.changes import CHANGES
from lineage.model.claims import EntryRef
from lineage.model.envelope import commitment_of
from lineage.model.merkle import Frontier
from lineage.record.interpret import INTERPRETED, interpret
from lineage.store.contract import Head, StoredEntry

__all__ = [
    "Contents",
    "Fault",
    "Ledger",
    "Verification",
    "blobs_named",
    "blobs_of",
    "faults_of",
    "stubs_of",
    "verify",
]


class Contents(Protocol):
    """Blobs as far as they are read."""

    def get(self, sha256: str) -> bytes:
        """The contents of a blob, as ``BlobStore.get``."""
        ...


class Ledger(Protocol):
    """What holds entries: a store, an archive, a backup."""

    def head(self) -> Head:
        """The end of the ledger."""
        ...

    def entries(self, after: int = 0, limit: int | None = None) -> Iterator[StoredEntry]:
        """Entries with seq > ``after``, in order."""
        ...


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong at a position (0: the head)."""

    position: int
    what: str


@dataclass(slots=True)
class Verification:
    """The result: sound if there are no faults. ``root`` is the Merkle root, in hex."""

    entries: int = 0
    redacted: int = 0
    uninterpreted: int = 0
    blobs: int = 0
    root: str = ""
    faults: list[Fault] = field(default_factory=list)

    @property
    def first_bad(self) -> int | None:
        """The first position that does not hold (0: only the head does not), or None."""
        return self.faults[0].position if self.faults else None


def verify(
    store: Ledger,
    blobs: Contents | None = None,
    *,
    expect: Mapping[int, bytes] | None = None,
    later: Iterable[StoredEntry] = (),
    progress: Callable[[int], None] | None = None,
) -> Verification:
    """Re-read a whole ledger. Never raises for what it finds: it is in the result.

    Others may append meanwhile: it is read to the head of now, and further where entries are
    redacted before they are read. ``expect`` are roots that were kept elsewhere, by the number of
    entries they are of: a ledger that was cut off or written anew cannot have them. ``later`` are
    redactions after the end, where a part of a ledger is read.
    """
    head = store.head()
    reading = _Reading(store, head.seq, blobs, expect or {})
    for entry in later:
        reading.tell(entry)
    before: list[StoredEntry] = []
    try:
        while True:
            for entry in _readable(store, reading.position):
                if entry.seq > head.seq:
                    break
                reading.read(entry)
                if progress is not None:
                    progress(reading.result.entries)
            unlike = reading.unlike()
            if not unlike or unlike == before:
                return reading.finish(head, unlike)
            # Their redactions may have come behind the head.
            before, head = unlike, store.head()
    except TamperedError as fault:
        return reading.broken(fault)


def _readable(store: Ledger, read: int) -> Iterator[StoredEntry]:
    """Entries before the first that cannot even be read. Raises ``TamperedError`` for that."""
    try:
        for entry in store.entries(read):
            yield entry
            read = entry.seq
    except TamperedError as fault:
        # Stores read many at a time: those before it hold, or come first.
        position = fault.where.get("position")
        if isinstance(position, int) and position > read + 1:
            yield from store.entries(read, position - 1 - read)
        raise


class _Reading:
    """What has been seen of the ledger so far."""

    def __init__(
        self, store: Ledger, end: int, blobs: Contents | None, expect: Mapping[int, bytes]
    ) -> None:
        self.result = Verification()
        self._store = store
        self._end = end
        self._blobs = blobs
        self._expect = expect
        self._checked: set[str] = set()
        self._frontier = Frontier.empty()
        self._stubs: dict[EntryRef, tuple[str, str, bytes]] = {}
        self._redacted: list[StoredEntry] = []
        self._previous_time = 0
        self.position = 0

    def read(self, entry: StoredEntry) -> None:
        self.result.entries += 1
        self.position += 1
        if entry.seq != self.position:
            self._fault(self.position, f"missing: the next entry has number {entry.seq}")
            self.position = entry.seq
        for what in faults_of(entry, self._previous_time):
            self._fault(entry.seq, what)
        self._previous_time = entry.recorded_at
        self._frontier.push(entry.leaf)
        expected = self._expect.get(entry.seq)
        if expected is not None and expected != self._frontier.root():
            self._fault(entry.seq, "the root over the entries up to here is not the expected one")
        if entry.salt is None:
            self._redacted.append(entry)
        if entry.kind == "entry.redacted":
            self.tell(entry)
        if (entry.kind, entry.v) not in INTERPRETED:
            self.result.uninterpreted += 1
        if self._blobs is not None:
            self._read_blobs(entry, self._blobs)

    def tell(self, entry: StoredEntry) -> None:
        """Take note of a redaction."""
        for target, stub in stubs_of(entry).items():
            # Of several the last in the order of (event id, source) stands, as in the stores.
            told = (entry.event_id, entry.source, stub)
            self._stubs[target] = max(told, self._stubs.get(target, told))

    def _read_blobs(self, entry: StoredEntry, blobs: Contents) -> None:
        for digest in blobs_of(entry):
            if digest in self._checked:
                continue
            self._checked.add(digest)
            try:
                blobs.get(digest)
            except LineageError as fault:
                if digest in blobs_of(self._now(entry)):
                    self._fault(entry.seq, f"blob {digest}: {fault.message}")

    def unlike(self) -> list[StoredEntry]:
        """Stubs that are not what a redaction that was read committed to."""
        found = [entry for entry in self._redacted if self._told(entry) != entry.body]
        return [now for now in map(self._now, found) if self._told(now) != now.body]

    def _told(self, entry: StoredEntry) -> bytes | None:
        told = self._stubs.get(EntryRef(entry.source, entry.event_id))
        return told[2] if told else None

    def _now(self, entry: StoredEntry) -> StoredEntry:
        """An entry as it is now: it may have been redacted since it was read."""
        if self._store.head().seq == self._end:
            return entry
        return next(self._store.entries(entry.seq - 1, 1), entry)

    def broken(self, fault: TamperedError) -> Verification:
        """What is behind cannot be told."""
        position = fault.where.get("position")
        self._fault(position if isinstance(position, int) else 0, fault.message)
        self.result.root = self._frontier.root().hex()
        return self.result

    def finish(self, head: Head, unlike: Sequence[StoredEntry]) -> Verification:
        result = self.result
        for entry in unlike:
            self._fault(
                entry.seq, "the body is neither what was committed to nor a redaction's stub"
            )
        result.redacted, result.blobs = len(self._redacted), len(self._checked)
        result.root = self._frontier.root().hex()
        if self.position != head.seq:
            what = f"missing: the head says {head.seq}, the last entry has {self.position}"
            self._fault(self.position + 1, what)
        elif self._frontier.root() != head.frontier.root():
            self._fault(0, "the root over the leaves is not that of the head")
        for size in self._expect:
            if size > head.seq:
                self._fault(head.seq + 1, f"missing: a root over {size} entries was expected")
        result.faults.sort(key=lambda fault: (fault.position == 0, fault.position))
        return result

    def _fault(self, position: int, what: str) -> None:
        self.result.faults.append(Fault(position, what))


def faults_of(entry: StoredEntry, previous_time: int = 0) -> Iterator[str]:
    """What does not hold of an entry by itself; a stub cannot be judged without its redaction."""
    if entry.recorded_at < previous_time:
        yield "recorded before its predecessor"
    if entry.envelope.leaf() != entry.leaf:
        yield "the leaf is not the hash of the envelope"
    if entry.salt is not None and commitment_of(entry.salt, entry.body) != entry.commitment:
        yield "the body is not what was committed to"


def stubs_of(entry: StoredEntry) -> dict[EntryRef, bytes]:
    """The stubs that an entry commits to, by their targets."""
    try:
        claims = interpret(entry.kind, entry.v, entry.body)
    except LineageError:
        return {}
    return {redaction.target: redaction.stub for redaction in claims.redacts}


def blobs_of(entry: StoredEntry) -> list[str]:
    """Digests of the blobs that an entry names, each once; only our own changes name any."""
    if entry.kind not in CHANGES:
        return []
    try:
        return list(dict.fromkeys(blobs_named(parse_json(entry.body))))
    except LineageError:
        return []


def blobs_named(value: Any) -> Iterator[str]:
    """Every ``{"sha256": ..., "size": ...}`` in a body is a reference to a blob."""
    if isinstance(value, dict):
        digest = value.get("sha256")
        if isinstance(digest, str) and "size" in value:
            yield digest
        for inner in value.values():
            yield from blobs_named(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from blobs_named(inner)
