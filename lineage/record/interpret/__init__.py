"""The pure interpreter: an entry's ``(kind, v, body)`` to its claims.

It reads no store, clock or environment. A published ``(kind, v)`` never changes meaning; a kind we
do not know makes no claims: it is kept in the ledger and counted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lineage.errors import RefusedError
from lineage.model.canonical import parse_json
from lineage.model.claims import Claims
from lineage.record.interpret import artifacts, governance, openlineage, people, runs, tables

__all__ = ["INTERPRETED", "interpret", "interpret_value"]

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
    """Claims of an entry. ``body`` is what the ledger keeps: bytes as received.

    Raises ``RefusedError`` (``uninterpretable-body``), ``MalformedError`` for what was never taken
    in: a redaction's stub, or a body that was altered.
    """
    if (kind, v) not in INTERPRETED:
        return Claims()
    return interpret_value(kind, v, parse_json(body))


def interpret_value(kind: str, v: int, value: Any) -> Claims:
    """As :func:`interpret`, of a body that was parsed already."""
    meaning = INTERPRETED.get((kind, v))
    if meaning is None:
        return Claims()
    try:
        return meaning(value)
    except (LookupError, TypeError, ValueError, AttributeError) as fault:
        raise RefusedError(
            f"a body that is no {kind}: {fault}",
            code="uninterpretable-body",
            hint=f"compare it with what {kind} is elsewhere in the ledger or in schema/events",
        ) from fault
