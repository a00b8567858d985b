"""What senders offer to record: a body cut into events, whichever way it came."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lineage.errors import InputError, MalformedError, RefusedError
from lineage.model.canonical import canonical, parse_elements, parse_json

__all__ = ["AUTO", "CHANGE", "CHANGES", "FORMS", "OPENLINEAGE", "Offered", "read_body"]

OPENLINEAGE = "openlineage"
CHANGES = "changes"
AUTO = "auto"
FORMS = (OPENLINEAGE, CHANGES, AUTO)
"""What a body may be said to hold; ``auto`` tells by what is in it."""

CHANGE = "change"
"""One of our changes, with its source: ``{"source", "event_id", "change"}``."""


@dataclass(frozen=True, slots=True)
class Offered:
    """An event as it was offered: its bytes, what they say, and as what.

    ``origin`` is where it can be found again, if its sender will not send it again: then the bytes
    are kept whatever is wrong with them. ``fault`` is why they cannot be read at all.
    """

    body: bytes
    value: Any
    offered_as: str
    origin: Mapping[str, Any] = field(default_factory=dict)
    fault: InputError | None = None


def read_body(body: bytes, form: str, origin: Mapping[str, Any] | None = None) -> list[Offered]:
    """The events of a body: one of them or an array, or changes as the service takes them.

    Raises ``MalformedError`` for what is not JSON, ``RefusedError`` for JSON that has no exact
    encoding, and for what are no changes.
    """
    return [Offered(raw, value, kind, origin or {}) for raw, value, kind in _split(body, form)]


def _split(body: bytes, form: str) -> list[tuple[bytes, Any, str]]:
    if form == OPENLINEAGE:
        return [(raw, event, OPENLINEAGE) for raw, event in _split_events(body)]
    value = parse_json(body)
    if form == CHANGE:
        return [(body.strip(), value, CHANGE)]
    if form == CHANGES or _is_changes(value):
        return [(raw, item, CHANGE) for raw, item in _split_changes(body, value)]
    events = _split_events(body) if isinstance(value, list) else [(body.strip(), value)]
    return [(raw, event, OPENLINEAGE) for raw, event in events]


def _split_events(body: bytes) -> list[tuple[bytes, Any]]:
    """Each as it was received, byte for byte, and parsed."""
    elements = parse_elements(body)
    if elements is None:
        return [(body.strip(), parse_json(body))]
    if not elements:
        raise MalformedError("an empty array", hint="send one event or an array of events")
    return elements


def _is_changes(value: Any) -> bool:
    """No OpenLineage event has these: it has ``eventTime``."""
    return (
        isinstance(value, dict)
        and "eventTime" not in value
        and bool({CHANGE, CHANGES} & value.keys())
    )


def _split_changes(body: bytes, value: Any) -> list[tuple[bytes, Any]]:
    if isinstance(value, dict) and CHANGE in value:
        return [(body.strip(), value)]
    items = value.get(CHANGES) if isinstance(value, dict) else None
    if not isinstance(items, list):
        raise RefusedError(
            "not a list of changes", code="bad-change", pointer="/changes",
            hint='send {"changes": [{"source": ..., "event_id": ..., "change": {...}}]}',
        )  # fmt: skip
    return [(canonical(item), item) for item in items]
