"""Rows of the archive's tables, from values and back.

Three kinds of tables, with plain column types, so that any engine reads them::

    entries_<year>  an entry a row, by the year (UTC) it was recorded in; times as timestamps
    blobs           contents named by entries, in parts of up to 8 MiB
    heads           sizes up to which the archive was read back, with root and checkpoint

``seq`` of a blob is the first archived entry that names it. Bodies and salts are binary: bodies are
bytes as received, and a Delta log keeps statistics of no binary column.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from lineage.model.envelope import Actor
from lineage.model.merkle import Frontier
from lineage.store.contract import StoredCheckpoint, StoredEntry

if TYPE_CHECKING:
    from arro3.core import Table

__all__ = [
    "BLOBS",
    "ENTRIES",
    "HEADS",
    "BlobPart",
    "HeadRow",
    "blob_table",
    "entries_of",
    "entry_table",
    "head_table",
    "heads_of",
    "parts_of",
    "select",
    "year_of",
]

PART_BYTES = 8 << 20
_FIRST_YEAR, _LAST_YEAR = 1970, 9999
_EPOCH = datetime(_FIRST_YEAR, 1, 1, tzinfo=UTC)

ENTRIES = {
    "seq": "long", "recorded_at": "timestamp", "kind": "string", "v": "integer",
    "source": "string", "event_id": "string", "actor": "string", "verified": "string",
    "salt": "binary", "body_bytes": "long", "body": "binary", "commitment": "binary",
    "leaf": "binary", "envelope": "string",
}  # fmt: skip
"""``envelope`` is the canonical envelope where a text column could not hold its text (a lone
surrogate is no Unicode), else NULL."""
BLOBS = {
    "seq": "long", "sha256": "string", "size": "long", "part": "integer", "parts": "integer",
    "data": "binary",
}  # fmt: skip
HEADS = {
    "size": "long", "recorded_at": "timestamp", "first_year": "integer", "last_year": "integer",
    "root": "binary", "frontier": "binary", "sealed_at": "timestamp", "checkpoint": "string",
}  # fmt: skip
NULLABLE = frozenset({"salt", "envelope", "sealed_at", "checkpoint"})


@dataclass(frozen=True, slots=True)
class HeadRow:
    """The archive holds the first ``size`` entries, whose tree has ``frontier``.

    ``checkpoint`` is that of this size, if there is one.
    """

    size: int
    recorded_at: int
    first_year: int
    last_year: int
    frontier: Frontier
    checkpoint: StoredCheckpoint | None = None


@dataclass(frozen=True, slots=True)
class BlobPart:
    """Part ``part`` (from 0) of the ``parts`` of a blob of ``size`` bytes."""

    seq: int
    sha256: str
    size: int
    part: int
    parts: int
    data: bytes


def year_of(recorded_at: int) -> int:
    """The year (UTC) of a recorded time: which table an entry is in."""
    return (_EPOCH + timedelta(microseconds=recorded_at)).year


def select(columns: Mapping[str, str]) -> str:
    """The columns of a query, times as microseconds."""
    return ", ".join(
        f"CAST({name} AS BIGINT) AS {name}" if kind == "timestamp" else name
        for name, kind in columns.items()
    )


# --- entries


def entry_table(entries: Sequence[StoredEntry]) -> Table:
    """Rows of entries."""
    return _table(ENTRIES, [_entry_row(entry) for entry in entries])


def _entry_row(entry: StoredEntry) -> tuple[Any, ...]:
    texts: tuple[str, ...] = (
        entry.kind,
        entry.source,
        entry.event_id,
        entry.actor.id,
        entry.actor.verified,
    )
    envelope = None
    if not all(map(_is_unicode, texts)):
        envelope = entry.envelope.to_bytes().decode("ascii")
        texts = tuple(text.encode("utf-8", "replace").decode() for text in texts)
    kind, source, event_id, actor, verified = texts
    return (
        entry.seq, entry.recorded_at, kind, entry.v, source, event_id, actor, verified, entry.salt,
        len(entry.body), entry.body, entry.commitment, entry.leaf, envelope,
    )  # fmt: skip


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def entries_of(columns: Mapping[str, Sequence[Any]]) -> Iterator[StoredEntry]:
    """Entries of rows, as they were.

    Raises ``ValueError``, ``TypeError``, ``KeyError`` or ``InputError`` for what is no such row.
    """
    for row in zip(*(columns[name] for name in ENTRIES), strict=True):
        seq, at, kind, v, source, event_id, actor, verified, salt, _, body, *rest = row
        commitment, leaf, envelope = rest
        entry = StoredEntry(
            seq, at, kind, v, source, event_id, Actor(actor, verified), salt, body, commitment, leaf
        )
        yield entry if envelope is None else _as_enveloped(entry, envelope)


def _as_enveloped(entry: StoredEntry, envelope: str) -> StoredEntry:
    # Not parse_json: lone surrogates are what it is there for.
    told = json.loads(envelope)
    return replace(
        entry, kind=told["kind"], source=told["source"], event_id=told["event_id"],
        actor=Actor(told["actor"]["id"], told["actor"]["verified"]),
    )  # fmt: skip


# --- blobs


def parts_of(seq: int, sha256: str, data: bytes) -> Iterator[BlobPart]:
    """A blob in parts; an empty one has one."""
    parts = max(1, -(-len(data) // PART_BYTES))
    for part in range(parts):
        piece = data[part * PART_BYTES : (part + 1) * PART_BYTES]
        yield BlobPart(seq, sha256, len(data), part, parts, piece)


def blob_table(parts: Sequence[BlobPart]) -> Table:
    """Rows of blobs."""
    rows = [(p.seq, p.sha256, p.size, p.part, p.parts, p.data) for p in parts]
    return _table(BLOBS, rows)


# --- heads


def head_table(heads: Sequence[HeadRow]) -> Table:
    """Rows of heads."""
    rows = [
        (h.size, h.recorded_at, h.first_year, h.last_year, h.frontier.root(),
         h.frontier.to_bytes(), h.checkpoint and h.checkpoint.sealed_at,
         h.checkpoint and h.checkpoint.note.decode("utf-8"))
        for h in heads
    ]  # fmt: skip
    return _table(HEADS, rows)


def heads_of(columns: Mapping[str, Sequence[Any]]) -> list[HeadRow]:
    """Heads of rows. Raises ``ValueError`` or ``TypeError`` for one that does not add up.

    Years are bounded: each is looked up as a table.
    """
    heads = []
    for row in zip(*(columns[name] for name in HEADS), strict=True):
        size, at, first, last, root, frontier, sealed_at, note = row
        sealed = None if note is None else StoredCheckpoint(size, sealed_at, note.encode())
        head = HeadRow(size, at, first, last, Frontier.of_bytes(frontier), sealed)
        if head.frontier.size != size or head.frontier.root() != root:
            raise ValueError(f"the head of size {size} does not have the root that it says")
        if not _FIRST_YEAR <= first <= last <= _LAST_YEAR:
            raise ValueError(f"the head of size {size} is of the years {first} to {last}")
        heads.append(head)
    return heads


def _table(columns: Mapping[str, str], rows: Sequence[tuple[Any, ...]]) -> Table:
    from arro3.core import Array, DataType, Field, Schema, Table

    made: dict[str, Any] = {
        "long": DataType.int64(), "integer": DataType.int32(), "string": DataType.utf8(),
        "binary": DataType.binary(), "timestamp": DataType.timestamp("us", tz="UTC"),
    }  # fmt: skip
    values = list(zip(*rows, strict=True)) or [()] * len(columns)
    arrays, fields = [], []
    for (name, kind), column in zip(columns.items(), values, strict=True):
        if kind == "timestamp":
            array = Array(column, DataType.int64()).cast(made[kind])
        else:
            array = Array(column, made[kind])
        arrays.append(array)
        fields.append(Field(name, made[kind], nullable=name in NULLABLE))
    return Table.from_arrays(arrays, schema=Schema(fields))
