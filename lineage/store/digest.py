"""The digest of a graph without recorded times: one definition for all backends."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from lineage.model.canonical import canonical

__all__ = ["digest_of"]


def digest_of(**parts: Iterable[tuple[object, ...]]) -> str:
    """SHA-256 over named sets of rows: each part sorted by its canonical JSON, duplicates once.

    The parts of a graph without recorded times, as visible at the head::

        nodes     (id,)
        claims    (type, up, down, at, method, said, detail, source)
        derived   (type, up, down, since, until, method)
        states    (subject, type, object, source or "", since, until, value, method)
        commits   (version, source, files known, carries, [added paths], [removed paths])
    """
    digest = hashlib.sha256()
    for name in sorted(parts):
        digest.update(f"{name}\n".encode())
        for row in sorted({canonical(list(row)) for row in parts[name]}):
            digest.update(row + b"\n")
    return digest.hexdigest()
