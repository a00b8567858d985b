"""What is handed to an auditor: entries, proofs and checkpoints as plain data to write as JSON.

The formats are those of ``schema/ledger/FORMAT.md``; ``lineage-verify`` checks them without this
package. Paths are lists of 32-byte hashes, as :mod:`lineage.model.merkle` makes them.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lineage.errors import BadNoteError, ProofError
from lineage.model.canonical import canonical
from lineage.model.envelope import Envelope
from lineage.model.keys import decode_base64

__all__ = [
    "CONSISTENCY",
    "PROOF",
    "Consistency",
    "Included",
    "Shown",
    "consistency_bundle",
    "proof_bundle",
    "to_line",
]

PROOF = "lineage-proof/1"
CONSISTENCY = "lineage-consistency/1"
_MAX_PATH = 63  # what a tree of 2^63 leaves takes, and C2SP tlog-witness allows


@dataclass(frozen=True, slots=True)
class Shown:
    """An entry with what it commits to. ``salt`` is None once redacted: ``body`` is the stub."""

    envelope: Envelope
    salt: bytes | None
    body: bytes

    def as_dict(self) -> dict[str, Any]:
        """The entry as it stands in proofs and exports."""
        return {
            "envelope": self.envelope.as_dict(),
            "salt": None if self.salt is None else _base64(self.salt),
            "body": _base64(self.body),
        }


@dataclass(frozen=True, slots=True)
class Included:
    """An entry and the path from its leaf to the root of a tree."""

    entry: Shown
    path: Sequence[bytes]

    def as_dict(self) -> dict[str, Any]:
        """``index`` (from 0), ``entry`` and ``inclusion``."""
        return {
            "index": self.entry.envelope.seq - 1,
            "entry": self.entry.as_dict(),
            "inclusion": [_base64(step) for step in self.path],
        }


def proof_bundle(
    checkpoint: bytes, entry: Included, redactions: Sequence[Included] = ()
) -> dict[str, Any]:
    """The proof that a signed checkpoint covers an entry.

    Of a redacted entry ``redactions`` holds the ``entry.redacted`` entry that committed to its
    stub (and, if that one was redacted itself, the next). All paths lead to one checkpoint.
    """
    bundle = {"format": PROOF, "checkpoint": _note(checkpoint), **entry.as_dict()}
    if redactions:
        bundle["redactions"] = [redaction.as_dict() for redaction in redactions]
    return bundle


def consistency_bundle(old: bytes, new: bytes, path: Sequence[bytes]) -> dict[str, Any]:
    """The proof that the ledger of a newer checkpoint begins with that of an older one."""
    return Consistency(old, new, tuple(path)).as_dict()


@dataclass(frozen=True, slots=True)
class Consistency:
    """Two signed checkpoints and the path between their trees."""

    old: bytes
    new: bytes
    path: tuple[bytes, ...]

    @classmethod
    def of_value(cls, value: Any) -> Consistency:
        """The proof of parsed JSON. Raises ``ProofError``; the signatures are not checked."""
        if not isinstance(value, dict) or value.get("format") != CONSISTENCY:
            raise ProofError(f"no consistency proof: its format is not {CONSISTENCY}")
        old, new, path = value.get("old"), value.get("new"), value.get("proof")
        if not isinstance(old, str) or not isinstance(new, str) or not isinstance(path, list):
            raise ProofError("no consistency proof: it has old, new and proof")
        if len(path) > _MAX_PATH or not all(isinstance(step, str) for step in path):
            raise ProofError("the proof is no list of hashes, or longer than any tree asks for")
        try:
            steps = tuple(decode_base64(step, "a step of the proof") for step in path)
        except BadNoteError as fault:
            raise ProofError(fault.message) from fault
        if any(len(step) != 32 for step in steps):
            raise ProofError("a step of the proof has not 32 bytes")
        return cls(old.encode(), new.encode(), steps)

    def as_dict(self) -> dict[str, Any]:
        """The proof as plain data."""
        return {
            "format": CONSISTENCY,
            "old": _note(self.old),
            "new": _note(self.new),
            "proof": [_base64(step) for step in self.path],
        }


def to_line(value: Any) -> bytes:
    """Plain data as one line of canonical JSON: how bundles and exports are written."""
    return canonical(value) + b"\n"


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _note(note: bytes) -> str:
    return note.decode("utf-8")
