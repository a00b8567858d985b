"""What is appended to a store, and what its ledger gives back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from lineage.model.claims import Claims
from lineage.model.envelope import Actor, Envelope
from lineage.model.merkle import Frontier

__all__ = [
    "Guard", "Head", "Interpreter", "NewEntry", "Receipt", "StoredCheckpoint", "StoredEntry",
]  # fmt: skip


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
