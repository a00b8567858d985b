"""The sealer: signs the head, keeps the checkpoint, publishes it.

Steps, each durable before the next; whatever is interrupted, sealing again completes it:
(1) under the head's lock the head is compared with what was sealed before, signed, and kept in the
store; (2) the note is written beside the store; (3) it is published, with all that a place lacks.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
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
from lineage.model.keys import PublicKey, SigningKey
from lineage.model.notes import sign_note, text_of
from lineage.model.tiles import Tiles
from lineage.record.seal.folder import write_file
from lineage.record.seal.guard import SealGuard
from lineage.record.seal.keyfile import KeyFile
from lineage.record.seal.keys import ledger_keys
from lineage.record.seal.places import LATEST, Place, goes_back
from lineage.record.seal.publishing import Published, publish
from lineage.store.contract import Head, Store, StoredCheckpoint

__all__ = ["Sealed", "Sealer"]

_LOCK = os.O_RDONLY | os.O_CREAT  # whoever else seals may not write what we made


@dataclass(frozen=True, slots=True)
class Sealed:
    """What sealing came to. ``new`` is False where that size was sealed already."""

    checkpoint: StoredCheckpoint
    new: bool
    published: list[Published] = field(default_factory=list)
    faults: list[LineageError] = field(default_factory=list)
    """Why it was not published: it is tried again with the next."""


class Sealer:
    """Seals one store. Any number of processes may seal it at once."""

    def __init__(
        self,
        store: Store,
        key_file: KeyFile,
        guard: SealGuard,
        beside: Path,
        places: Sequence[Place] = (),
    ) -> None:
        self.store = store
        self.key_file = key_file
        self.guard = guard
        self.beside = beside
        self.places = places

    @property
    def has_key(self) -> bool:
        """Whether this process can seal at all. Raises nothing: what is wrong shows in sealing."""
        return self.key_file.path.exists() or self.key_file.next_path.exists()

    def seal(self) -> Sealed:
        """Seal the head now.

        Raises ``SealKeyError``, ``NotAsSealedError``, ``StoreError``. What keeps it from being
        published is in the result.
        """
        self.guard.judge(thorough=True)
        self._keys()  # also where nothing is left to sign: a missing key is told as what it is
        signed = False

        def sign(head: Head) -> bytes:
            nonlocal signed
            signed = True
            return self._sign(head)

        checkpoint = self.store.seal(sign)
        origin = Checkpoint.of_text(text_of(checkpoint.note)).origin
        if origin != self.key_file.origin:
            raise NotAsSealedError(
                f"these {checkpoint.size:,} entries are sealed as {origin}",
                hint="record something, and seal again",
                size=checkpoint.size,
            )
        self.guard.sealed(checkpoint.size)
        published, faults = self._publish(origin, checkpoint)
        return Sealed(checkpoint, signed, published, faults)

    def lacks(self, size: int) -> bool:
        """Whether a place has no checkpoint of that many entries yet, as far as can be told."""
        origin = self.key_file.origin
        try:
            return any(
                (note := place.read(f"{origin}/{LATEST}")) is None
                or Checkpoint.of_text(text_of(note)).size < size
                for place in self.places
            )
        except (PublishError, ProofError):
            return True

    def publish(self) -> tuple[list[Published], list[LineageError]]:
        """Steps 2 and 3 for what was sealed already."""
        origin, last = self.key_file.origin, self.store.last_checkpoint()
        if origin is None or last is None:
            return [], []
        return self._publish(origin, last)

    def _publish(
        self, origin: str, last: StoredCheckpoint
    ) -> tuple[list[Published], list[LineageError]]:
        published: list[Published] = []
        faults: list[LineageError] = []
        with self._alone():
            try:
                if not self.beside.exists() or not goes_back(last.note, self.beside.read_bytes()):
                    write_file(self.beside, last.note)
            except OSError as fault:
                what = f"the checkpoint cannot be written beside the store: {fault}"
                faults.append(StoreFullError(what, hint="make room; it is in the store"))
            for place in self.places:
                try:
                    published.append(publish(self.store, origin, place))
                except PublishError as fault:
                    faults.append(fault)
        return published, faults

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Of those who publish on this machine, the slower must not put back what is older."""
        try:
            lock = os.open(self.beside.with_name(f"{self.beside.name}.lock"), _LOCK, 0o644)
        except OSError:  # where nothing can be written, nor is what lies beside the store
            yield
            return
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _sign(self, head: Head) -> bytes:
        """The note of a head. Called under the head's lock, where nothing can come between."""
        self.guard.judge(head)
        root = head.frontier.root()
        if head.seq and Tiles(self.store.leaves, self.store.tiles).root(0, head.seq) != root:
            leaves_only = Tiles(self.store.leaves)
            if leaves_only.root(0, head.seq) != root:
                raise NotAsSealedError(
                    "the root over the entries is not that of the head: nothing was signed",
                    hint="`lineage ledger verify` names the first entry that does not hold",
                    entries=head.seq,
                )
        keys = self._keys()
        return sign_note(Checkpoint(keys[0].name, head.seq, root).text(), keys)

    def _keys(self) -> list[SigningKey]:
        """The key, and while one takes over the next as well: both sign what is between them."""
        known = [key.public for key in ledger_keys(self.store)]
        found = [key for key in (self.key_file.key(), self.key_file.next_key()) if key]
        keys = [key for key in found if key.public in known]
        if not found:
            raise _no_key(self.key_file.path, known)
        if not keys:
            raise SealKeyError(
                f"the key {found[0].public.text()} is none of this ledger",
                hint="is it that of another store? `lineage ledger keys` lists this one's; "
                "`lineage ledger init-key` completes what was interrupted",
            )
        return keys


def _no_key(path: Path, known: Sequence[PublicKey]) -> SealKeyError:
    """Its file is missing: it was never made, or it did not come along when the store moved."""
    hint = "`lineage ledger init-key` makes one; LINEAGE_SEAL_KEY_FILE says where it is"
    if known:
        hint = (
            f"put the key of {known[-1].name}+{known[-1].id.hex()} at {path}, or set "
            "LINEAGE_SEAL_KEY_FILE; if it is lost, `lineage ledger init-key --rotate`"
        )
    return SealKeyError(f"there is no key to seal with at {path}", hint=hint)
