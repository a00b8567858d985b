"""How values become columns: texts SQLite cannot hold, event ids."""

from __future__ import annotations

import re

__all__ = [
    "pack_event_id",
    "pack_text",
    "unpack_event_id",
    "unpack_text",
]

_HEX = re.compile(r"[0-9a-f]{64}\Z")
_MARK = b"\xff"
"""Begins packed text that is not UTF-8, where no UTF-8 begins."""


def pack_text(text: str) -> str | bytes:
    """Text as SQLite holds it: lone surrogates have no UTF-8, so such a text becomes bytes."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
    return text


def unpack_text(value: str | bytes) -> str:
    """Inverse of :func:`pack_text`."""
    return value if isinstance(value, str) else value.decode("utf-8", "surrogatepass")


def pack_event_id(event_id: str) -> str | bytes:
    """An event id: 64 hex digits as 32 bytes, else as text."""
    if len(event_id) == 64 and _HEX.match(event_id):
        return bytes.fromhex(event_id)
    packed = pack_text(event_id)
    if isinstance(packed, str):
        return packed
    packed = _MARK + packed
    return packed if len(packed) != 32 else _MARK + packed


def unpack_event_id(value: str | bytes) -> str:
    """Inverse of :func:`pack_event_id`."""
    if isinstance(value, str):
        return value
    if len(value) == 32:
        return value.hex()
    return value.lstrip(_MARK).decode("utf-8", "surrogatepass")
