"""A small sealed ledger, and everything that is handed to an auditor of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from typing_extensions import override

from lineage.model.changes import parse_change
from lineage.model.checkpoint import Checkpoint
from lineage.model.envelope import Actor, commitment_of
from lineage.model.merkle import consistency_proof, inclusion_proof
from lineage.model.notes import COSIGNATURE, SigningKey, add_signature, sign_note
from lineage.model.proofs import Included, Shown, consistency_bundle, proof_bundle, to_line
from lineage.record.export import export_lines
from lineage.record.interpret import interpret
from lineage.record.recorder import Recorder
from lineage.store.contract import Head, NewEntry, Receipt, Store
from lineage.store.memory import MemoryStore

__all__ = ["LOG", "ORIGIN", "WITNESS", "Handed", "fill", "ledger", "note_of", "put"]

ORIGIN = "log.example/l"
LOG = SigningKey(ORIGIN, bytes(range(32)))
WITNESS = SigningKey("witness.example/w", bytes(range(1, 33)), COSIGNATURE)
ACTOR = Actor("person:test")


def note_of(head: Head) -> bytes:
    """The checkpoint of a head, signed by the log and by one witness."""
    text = Checkpoint(ORIGIN, head.seq, head.frontier.root()).text()
    return add_signature(sign_note(text, [LOG]), WITNESS, at=1_800_000_000)


@dataclass
class Handed:
    """A ledger of ``entries`` runs with a checkpoint at each of ``sealed``; entry 3 is redacted."""

    store: MemoryStore
    notes: dict[int, bytes] = field(default_factory=dict)

    def leaves(self) -> list[bytes]:
        """Leaves of all entries."""
        return [entry.leaf for entry in self.store.entries()]

    def included(self, seq: int, size: int) -> Included:
        """An entry with its path in the tree of ``size`` leaves."""
        (entry,) = self.store.entries(seq - 1, 1)
        path = inclusion_proof(seq - 1, size, self.leaves()[:size])
        return Included(Shown(entry.envelope, entry.salt, entry.body), path)

    def proof(self, seq: int, size: int, redactions: tuple[int, ...] = ()) -> bytes:
        """A proof file."""
        by = [self.included(redaction, size) for redaction in redactions]
        return to_line(proof_bundle(self.notes[size], self.included(seq, size), by))

    def consistency(self, old: int, new: int) -> bytes:
        """A consistency file."""
        path = consistency_proof(old, new, self.leaves()[:new])
        return to_line(consistency_bundle(self.notes[old], self.notes[new], path))

    def export(self) -> bytes:
        """An export file."""
        return b"".join(export_lines(self.store))


class _AlwaysAlike(MemoryStore):
    """One that records at one time with one salt: to be published."""

    def __init__(self) -> None:
        super().__init__(interpret, clock=lambda: 1_795_248_000_000_000)

    @override
    def append(self, entries: Sequence[NewEntry]) -> list[Receipt]:
        salt = b"salt" * 4
        return super().append([
            replace(entry, salt=salt, commitment=commitment_of(salt, entry.body))
            for entry in entries
        ])  # fmt: skip


def ledger(
    entries: int = 11, sealed: tuple[int, ...] = (4, 9, 12), *, alike: bool = False
) -> Handed:
    """Entry ``entries + 1`` redacts entry 3. ``alike``: the same bytes every time."""
    handed = Handed(_AlwaysAlike() if alike else MemoryStore(interpret))
    handed.notes = fill(handed.store, entries, sealed=sealed)
    return handed


def fill(
    store: Store, entries: int, *, sealed: tuple[int, ...], after: int = 0,
    redact: Sequence[int] = (3,),
) -> dict[int, bytes]:  # fmt: skip
    """Runs up to number ``entries``, then redactions; the checkpoints made, by size."""
    recorder, notes = Recorder(store, key=b"k"), {}

    def record(change: Mapping[str, Any]) -> None:
        recorder.record_changes([parse_change(dict(change))], source="s", actor=ACTOR)
        head = store.head()
        if head.seq in sealed:
            notes[head.seq] = store.seal(note_of).note

    for n in range(after + 1, entries + 1):
        record(_run(n, "--secret=\u00e4" if n == 3 else "x"))
    for seq in redact:
        (target,) = store.entries(seq - 1, 1)
        body = json.loads(target.body)
        less = {"reason": "erased"} if "stub" in body else {"command": [""]}
        stub = to_line({**body, **less}).decode().strip()
        record({
            "kind": "entry.redacted", "v": 1, "event_at": 99, "source": target.source,
            "event_id": target.event_id, "stub": stub, "reason": "erasure", "by": "person:dpo",
        })  # fmt: skip
    return notes


def _run(n: int, word: str) -> dict[str, Any]:
    return {
        "kind": "run.started", "v": 1, "event_at": n, "command": [word],
        "run": {"namespace": "n", "job": "j", "run_id": str(n)},
    }  # fmt: skip


def put(folder: Path, **files: bytes) -> list[str]:
    """Write files; their paths, in order."""
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return [str(folder / name) for name in files]
