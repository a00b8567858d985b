"""The envelope of a ledger entry, its commitment and its leaf (``schema/ledger/FORMAT.md``)."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import Any

from lineage.model.canonical import canonical
from lineage.model.merkle import leaf_hash

__all__ = ["Actor", "Envelope", "commitment_of", "event_id_of"]

SALT_BYTES = 16
_TIME_HEX, _MAC_HEX = 14, 50
_EVENT_TIME_BASE = 1 << 55


@dataclass(frozen=True, slots=True)
class Actor:
    """Who caused an entry: an id and how it was verified (``unverified-os-user``, ``token``...)."""

    id: str
    verified: str = "unverified"


@dataclass(frozen=True, slots=True)
class Envelope:
    """What is hashed of an entry. ``commitment`` binds the body without showing it."""

    seq: int
    recorded_at: int
    kind: str
    v: int
    source: str
    event_id: str
    actor: Actor
    commitment: bytes

    def as_dict(self) -> dict[str, Any]:
        """The envelope as plain data, commitment in hex."""
        return {
            "actor": {"id": self.actor.id, "verified": self.actor.verified},
            "commitment": self.commitment.hex(),
            "event_id": self.event_id,
            "kind": self.kind,
            "recorded_at": self.recorded_at,
            "seq": self.seq,
            "source": self.source,
            "v": self.v,
        }

    def to_bytes(self) -> bytes:
        """Canonical JSON of the envelope: the Merkle tree's leaf data."""
        return canonical(self.as_dict())

    def leaf(self) -> bytes:
        """RFC 6962 leaf hash of the envelope."""
        return leaf_hash(self.to_bytes())


def commitment_of(salt: bytes, body: bytes) -> bytes:
    """SHA-256(salt || body): the body is the uncompressed bytes as received."""
    return hashlib.sha256(salt + body).digest()


def event_id_of(key: bytes, source: str, kind: str, canonical_body: bytes, event_at: int) -> str:
    """The event id of a change whose source gives none: 14 hex of event time + 50 hex of HMAC.

    The time prefix keeps inserts local; the key keeps a redacted body from being guessed.
    """
    message = b"\x00".join((source.encode("utf-8", "surrogatepass"), kind.encode(), canonical_body))
    mac = hmac.new(key, message, hashlib.sha256).hexdigest()
    prefix = min(max(event_at + _EVENT_TIME_BASE, 0), (1 << 56) - 1)
    return f"{prefix:0{_TIME_HEX}x}{mac[:_MAC_HEX]}"
