"""How entries are found and how their bodies are kept."""

from __future__ import annotations

import hashlib
import zlib

from lineage.model.claims import EntryRef

__all__ = ["pack_body", "ref_of", "unpack_body"]

_PACK_OVER = 512


def ref_of(ref: EntryRef) -> str:
    """What an entry is found by: a digest, since sources choose event ids of any length."""
    source = ref.source.encode("utf-8", "surrogatepass")
    event_id = ref.event_id.encode("utf-8", "surrogatepass")
    told = len(source).to_bytes(8, "big") + source + event_id
    return hashlib.sha256(told).hexdigest()[:40]


def pack_body(body: bytes) -> tuple[bool, bytes]:
    """``(True, compressed)`` where that is smaller, else ``(False, body)``."""
    if len(body) > _PACK_OVER:
        packed = zlib.compress(body, 1)
        if len(packed) < len(body):
            return True, packed
    return False, body


def unpack_body(packed: bool, body: bytes) -> bytes:  # as it is stored
    """Inverse of :func:`pack_body`."""
    return zlib.decompress(body) if packed else body
