"""How entries are found."""

from __future__ import annotations

import hashlib

from lineage.model.claims import EntryRef

__all__ = ["ref_of"]


def ref_of(ref: EntryRef) -> str:
    """What an entry is found by: a digest, since sources choose event ids of any length."""
    source = ref.source.encode("utf-8", "surrogatepass")
    event_id = ref.event_id.encode("utf-8", "surrogatepass")
    told = len(source).to_bytes(8, "big") + source + event_id
    return hashlib.sha256(told).hexdigest()[:40]
