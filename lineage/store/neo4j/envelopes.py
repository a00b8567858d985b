"""Entries as properties of a node: few, for every property is a record of its own to write."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from typing import Any

from lineage.model.envelope import Actor, Envelope
from lineage.store.bodies import pack_body, unpack_body
from lineage.store.contract import StoredEntry
from lineage.store.neo4j.documents import pack, unpack
from lineage.store.whole import whole_entry

__all__ = ["ENTRY", "body_of", "entry_of", "entry_row", "packed"]

ENTRY = "e.seq, e.recorded_at, e.kind, e.source, e.envelope, e.leaf, e.salt, e.body"
"""What :func:`entry_of` wants of an entry ``e``."""
_PLAIN, _DEFLATED = b"-", b"z"


def entry_row(ref: str, envelope: Envelope, leaf: bytes, salt: bytes | None, body: bytes) -> Any:
    """An entry as ``Pending`` writes it."""
    actor = envelope.actor
    told = [
        envelope.v, envelope.event_id, actor.id, actor.verified, envelope.commitment.hex(),
    ]  # fmt: skip
    return [
        envelope.seq, ref, envelope.recorded_at, pack(envelope.kind), pack(envelope.source),
        json.dumps(told, separators=(",", ":")), leaf, salt, packed(body),
    ]  # fmt: skip


def entry_of(row: Sequence[Any]) -> StoredEntry:
    """An entry from the properties that ``ENTRY`` names. Raises ``TamperedError``."""
    return whole_entry(row[0], partial(_decoded, row))


def _decoded(row: Sequence[Any]) -> StoredEntry:
    seq, at, kind, source, told, leaf, salt, body = row
    v, event_id, actor, verified, commitment = json.loads(told)
    return StoredEntry(
        seq, at, unpack(kind), v, unpack(source), event_id, Actor(actor, verified),
        None if salt is None else bytes(salt), body_of(body), bytes.fromhex(commitment),
        bytes(leaf),
    )  # fmt: skip


def packed(body: bytes) -> bytes:
    """A body behind a byte that says whether it is compressed (zlib)."""
    smaller, data = pack_body(body)
    return (_DEFLATED if smaller else _PLAIN) + data


def body_of(data: bytes) -> bytes:
    """Inverse of :func:`packed`."""
    data = bytes(data)
    return unpack_body(data[:1] == _DEFLATED, data[1:])
