"""The guard of a ledger: nothing is appended to one that lacks, or contradicts, what was sealed.

A database that was restored from an older backup would otherwise go on as if nothing had been, and
its next checkpoint would contradict one that somebody else holds. Checkpoints are looked for in the
store, beside it, and where they are published; only those of the log's own origin count. Their
signatures are not checked here: what an attacker can put there does no more than refuse appends.

This is against loss and mistakes: it reads a few hundred hashes. ``lineage ledger verify`` reads
everything.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lineage.errors import (
    LineageError,
    NotAsSealedError,
    ProofError,
    PublishError,
    SealKeyError,
    StoreFullError,
)
from lineage.model.checkpoint import Checkpoint
from lineage.model.notes import text_of
from lineage.model.tiles import Tiles
from lineage.record.seal.folder import write_file
from lineage.record.seal.keyfile import KeyFile
from lineage.record.seal.places import LATEST, Place
from lineage.store.contract import Head, Store

__all__ = ["Anchor", "SealGuard"]


@dataclass(frozen=True, slots=True)
class Anchor:
    """A checkpoint that the ledger has to agree with, and where it is kept."""

    checkpoint: Checkpoint
    kept: str


class SealGuard:
    """Judges heads; a store calls it under its head's lock. Threads may share it."""

    def __init__(
        self, store: Store, key_file: KeyFile, beside: Path, places: Sequence[Place] = ()
    ) -> None:
        """``beside`` is the file of the last checkpoint beside the store."""
        self._store = store
        self._key_file = key_file
        self._beside = beside
        self._places = places
        self._lock = threading.Lock()
        self._floor: int | None = None
        """Entries that a head has at least. None: nothing was looked at yet."""
        self.asks_all = False
        """Whether remote places are asked before the first append, too: a service can wait."""
        self._asked_all = False
        self._seen: dict[str, Anchor] = {}
        """What places had when they were last asked, by name."""
        self.unreachable: dict[str, LineageError] = {}
        """Places that could not be read when they were last asked, by name."""

    def __call__(self, head: Head) -> None:
        """Raise ``NotAsSealedError`` unless the head can follow what was sealed."""
        # One comparison for every append but the first, and after the ledger became shorter.
        floor = self._floor
        if floor is None or head.seq < floor:
            self.judge(head)

    def require(self, head: Head) -> None:
        """As calling it, of a head that was read without its lock: somebody may seal meanwhile."""
        floor = self._floor
        if floor is None or head.seq < floor:
            self.judge()

    def judge(self, head: Head | None = None, *, thorough: bool = False) -> None:
        """As calling it, reading every checkpoint again; ``thorough``: of remote places too.

        Without ``head`` it is the store's. A place that cannot be reached does not forbid
        anything: it is in ``unreachable``.
        """
        with self._lock:
            self._floor = None
            thorough = thorough or (self.asks_all and not self._asked_all)
            self._asked_all |= thorough
            anchors = list(self._anchors(thorough=thorough))
            # After the anchors: without the head's lock somebody may seal in between.
            head = head or self._store.head()
            for anchor in anchors:
                self._compare(head, anchor)
            self._floor = max((anchor.checkpoint.size for anchor in anchors), default=0)

    def sealed(self, size: int) -> None:
        """A checkpoint of the ledger was made: no head is less from now on."""
        with self._lock:
            self._floor = max(self._floor or 0, size)

    def expect(self, note: bytes) -> None:
        """Keep a checkpoint of a copy beside the store, unless a later one of its log is there.

        Raises ``NotAsSealedError`` where what is there is none, ``StoreFullError``.
        """
        found = _checkpoint_of(note, "the copy")
        with self._lock:
            if (last := self._kept_beside()) is not None:
                kept = _checkpoint_of(last, str(self._beside))
                if kept.origin == found.origin and kept.size >= found.size:
                    return
                if kept.origin != found.origin:  # evidence of another log: it is kept
                    self._beside.rename(f"{self._beside}-{kept.size}")
            try:
                write_file(self._beside, note)
            except OSError as fault:
                raise StoreFullError(f"{self._beside} cannot be written: {fault}") from fault
            self._floor = None

    def _kept_beside(self) -> bytes | None:
        try:
            return self._beside.read_bytes()
        except FileNotFoundError:  # none yet, or set aside for another log just now
            return None

    def _anchors(self, *, thorough: bool) -> Iterator[Anchor]:
        origin = self._origin()
        last = self._store.last_checkpoint()
        found = [("the store", last.note)] if last else []
        if (beside := self._kept_beside()) is not None:
            found.append((str(self._beside), beside))
        own = [Anchor(_checkpoint_of(note, kept), kept) for kept, note in found]
        if origin is None and own:
            origin = own[0].checkpoint.origin
        yield from (anchor for anchor in own if anchor.checkpoint.origin == origin)
        if origin is not None:
            yield from self._published(origin, thorough=thorough)

    def _origin(self) -> str | None:
        try:
            return self._key_file.origin
        except SealKeyError:  # whoever appends need not be able to read the key
            return None

    def _published(self, origin: str, *, thorough: bool) -> Iterator[Anchor]:
        for place in self._places:
            if thorough or not place.remote:
                self._ask(place, origin)
            anchor = self._seen.get(place.name)
            if anchor is not None and anchor.checkpoint.origin == origin:
                yield anchor

    def _ask(self, place: Place, origin: str) -> None:
        try:
            note = place.read(f"{origin}/{LATEST}")
        except PublishError as fault:
            self.unreachable[place.name] = fault
            return
        self.unreachable.pop(place.name, None)
        self._seen.pop(place.name, None)
        if note is not None:
            self._seen[place.name] = Anchor(_checkpoint_of(note, place.name), place.name)

    def _compare(self, head: Head, anchor: Anchor) -> None:
        checkpoint = anchor.checkpoint
        if checkpoint.size > head.seq:
            raise _not_as_sealed(
                f"the ledger has {head.seq:,} entries, and {checkpoint.size:,} were sealed",
                head, anchor,
            )  # fmt: skip
        if checkpoint.size == head.seq:
            agrees = head.frontier.root() == checkpoint.root
        else:
            agrees = checkpoint.size == 0 or self._had(checkpoint)
        if not agrees:
            raise _not_as_sealed(
                f"the first {checkpoint.size:,} entries are not those that were sealed",
                head, anchor,
            )  # fmt: skip

    def _had(self, checkpoint: Checkpoint) -> bool:
        """Whether the first entries have the root. Tiles are a cache: the leaves decide."""
        ways: list[Callable[[], Tiles]] = [
            lambda: Tiles(self._store.leaves, self._store.tiles),
            lambda: Tiles(self._store.leaves),
        ]
        return any(way().root(0, checkpoint.size) == checkpoint.root for way in ways)


def _checkpoint_of(note: bytes, kept: str) -> Checkpoint:
    try:
        return Checkpoint.of_text(text_of(note))
    except ProofError as fault:
        raise NotAsSealedError(
            f"what is kept as the last checkpoint is none: {fault.message}",
            hint="somebody changed it: compare it with other copies before it is removed",
            kept=kept,
        ) from fault


def _not_as_sealed(what: str, head: Head, anchor: Anchor) -> NotAsSealedError:
    return NotAsSealedError(
        what,
        hint="bring back a copy that holds them: a newer backup, or `lineage restore` from the "
        "archive. If they are lost for good, `lineage ledger init-key --new-log NAME --reason ...` "
        "goes on under another name, and says so in the record",
        kept=anchor.kept,
        size=anchor.checkpoint.size,
        entries=head.seq,
    )
