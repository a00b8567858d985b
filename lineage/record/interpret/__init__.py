"""The pure interpreter: an entry's ``(kind, v, body)`` to its claims.

It reads no store, clock or environment. A published ``(kind, v)`` never changes meaning; a kind we
do not know makes no claims: it is kept in the ledger and counted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lineage.model.canonical import parse_json
from lineage.model.claims import Claims
from lineage.record.interpret import artifacts, governance, openlineage, people, runs, tables

__all__ = ["INTERPRETED", "interpret"]

INTERPRETED: dict[tuple[str, int], Callable[[Any], Claims]] = {
    **runs.KINDS,
    **tables.KINDS,
    **artifacts.KINDS,
    **people.KINDS,
    **governance.KINDS,
    **openlineage.KINDS,
}
"""Every kind and version that means something, with the function that says what."""


def interpret(kind: str, v: int, body: bytes) -> Claims:
    """Claims of an entry. ``body`` is what the ledger keeps: bytes as received."""
    meaning = INTERPRETED.get((kind, v))
    return Claims() if meaning is None else meaning(parse_json(body))
