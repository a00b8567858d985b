"""The blobs that a change refers to: contents that have to be where the change is recorded."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

__all__ = ["References", "lists_within", "references_of"]

_DIGEST = re.compile(r"[0-9a-f]{64}\Z")


@dataclass(frozen=True, slots=True)
class References:
    """Digests that a change names.

    ``kept`` are said to be in the blob store; of those, ``lists`` may name further lists.
    ``perhaps`` are versions of files: some of them, small settings, are in the blob store as well.
    """

    kept: frozenset[str] = frozenset()
    lists: frozenset[str] = frozenset()
    perhaps: frozenset[str] = frozenset()


def references_of(body: bytes) -> References:
    """What the body of a change refers to; nothing, where it is no JSON."""
    try:
        value = json.loads(body)
    except ValueError:
        return References()
    if not isinstance(value, dict):
        return References()
    things = [
        thing
        for group in (value.get("uses"), value.get("outputs"))
        for thing in (group if isinstance(group, list) else ())
        if isinstance(thing, dict)
    ]
    facts = [fact for name in ("code", "environment") for fact in _objects(value.get(name))]
    kept = _digests(fact.get("sha256") for fact in facts)
    lists = _digests(thing.get("manifest") for thing in things)
    versions = _digests(str(thing.get("version")).removeprefix("sha256.") for thing in things)
    return References(kept, lists, versions - lists - kept)


def lists_within(listing: bytes) -> frozenset[str]:
    """Lists of folders within the list of a folder: its entries are (name, version, list)."""
    try:
        return _digests(inner for _, _, inner in json.loads(listing))
    except (ValueError, TypeError):
        return frozenset()


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from _objects(inner)


def _digests(said: Iterable[object]) -> frozenset[str]:
    return frozenset(text for text in said if isinstance(text, str) and _DIGEST.match(text))
