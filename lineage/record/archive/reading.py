"""An archive as a ledger: entries in order, in bounded memory, and blobs by their names."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

from typing_extensions import override

from lineage.errors import ArchiveDamagedError, InputError, UnknownNameError
from lineage.model.merkle import Frontier
from lineage.record.archive.place import Archive
from lineage.record.archive.rows import ENTRIES, entries_of, select
from lineage.record.archive.table import ArchiveTable
from lineage.record.sources import Mark, Source
from lineage.store.contract import Head, StoredEntry

__all__ = ["ArchiveSource"]

_ROWS, _BLOBS, _BYTES, _WINDOW = 5_000, 500, 32 << 20, 100_000


class ArchiveSource(Source):
    """What an archive holds up to its last head; what was not read back yet is left out.

    Raises ``ArchiveDamagedError`` naming position, table and, where one can tell, the file.
    """

    def __init__(self, place: Archive) -> None:
        self._place = place
        last = place.last()
        if last is None:
            raise UnknownNameError(
                f"there is no archive at {place.uri}",
                hint="`lineage archive PLACE` makes one; nothing counts as archived before the "
                "first run has read it back",
            )
        self._last = last
        self._found: dict[str, tuple[int, str, int]] = {}
        self._tables = list(place.tables(last))
        # A killed archiver may have begun another year.
        if place.entries(last.last_year + 1).open() is not None:
            self._tables.append(place.entries(last.last_year + 1))

    @override
    def head(self) -> Head:
        last = self._last
        return Head(last.size, last.recorded_at, Frontier(list(last.frontier.subtrees)))

    @override
    def marks(self) -> list[Mark]:
        marks: dict[int, Mark] = {}
        for head in self._place.all_heads():
            if head.checkpoint is not None or head.size not in marks:
                marks[head.size] = Mark(head.size, head.frontier.root(), head.checkpoint)
        return [marks[size] for size in sorted(marks)]

    @override
    def position_at(self, recorded_at: int) -> int:
        found = 0
        for table in self._tables:
            condition = f"CAST(recorded_at AS BIGINT) <= {recorded_at:d}"
            (last,) = table.query(f"SELECT max(seq) AS seq FROM t WHERE {condition}")["seq"]
            found = max(found, last or 0)
        return min(found, self._last.size)

    @override
    def leaves(self, start: int, end: int) -> list[bytes]:
        leaves: list[bytes] = []
        for table in self._tables:
            found = table.query(
                f"SELECT seq, leaf FROM t WHERE seq > {start:d} AND seq <= {end:d} ORDER BY seq",
                position=start + 1,
            )
            expected = range(start + len(leaves) + 1, start + len(leaves) + 1 + len(found["seq"]))
            if found["seq"] != list(expected):
                self._missing(table, found["seq"], expected)
            leaves += found["leaf"]
        return leaves

    def _missing(self, table: ArchiveTable, found: list[int], expected: range) -> None:
        seq = next((e for e, f in zip(expected, found, strict=True) if e != f), expected.start)
        what = "there twice" if seq - 1 in found[found.index(seq - 1) + 1 :] else "missing"
        raise _damaged(table, seq, f"entry {seq} is {what}")

    @override
    def entries(self, after: int = 0, limit: int | None = None) -> Iterator[StoredEntry]:
        end = self._last.size if limit is None else min(self._last.size, after + limit)
        for table in self._tables:
            for first, last in self._ranges(table, after, end):
                yield from self._range(table, first, last)

    def _ranges(self, table: ArchiveTable, after: int, end: int) -> Iterator[tuple[int, int]]:
        """Ranges of entries that fit in memory, by the sizes of their bodies."""
        for start in range(after, end, _WINDOW):
            found = table.query(
                f"SELECT seq, body_bytes FROM t WHERE seq > {start} AND "
                f"seq <= {min(start + _WINDOW, end)} ORDER BY seq",
                position=start + 1,
            )
            first = last = rows = held = 0
            for seq, size in zip(found["seq"], found["body_bytes"], strict=True):
                if rows and (rows >= _ROWS or held + size > _BYTES):
                    yield first, last
                    rows = held = 0
                first = first if rows else seq
                last, rows, held = seq, rows + 1, held + size
            if rows:
                yield first, last

    def _range(self, table: ArchiveTable, first: int, last: int) -> list[StoredEntry]:
        found = table.query(
            f"SELECT {select(ENTRIES)} FROM t WHERE seq BETWEEN {first} AND {last} ORDER BY seq",
            position=first,
        )
        return _entries(table, found)

    @override
    def redacted(self) -> tuple[list[StoredEntry], list[StoredEntry]]:
        stubs: list[StoredEntry] = []
        redactions: list[StoredEntry] = []
        for table in self._tables:
            stubs += _where(table, f"salt IS NULL AND seq <= {self._last.size}")
            # Also beyond the last head: what they erase here is erased before they count.
            redactions += _where(table, "kind = 'entry.redacted'")
        return stubs, redactions

    @override
    def digests(self, first: int, last: int) -> list[str]:
        self._found = self._find(f"seq BETWEEN {first:d} AND {last:d}")
        return list(self._found)

    @override
    def get(self, sha256: str) -> bytes:
        if not sha256.isalnum():
            raise UnknownNameError(f"not the name of a blob: {sha256[:80]!r}")
        found = self._found if sha256 in self._found else self._find(f"sha256 = '{sha256}'")
        if sha256 not in found:
            raise UnknownNameError(f"no blob {sha256} in the archive", hint="nor when it was made")
        ((_, data),) = self._group([found[sha256]])
        return data

    @override
    def contents(self, digests: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        group: list[tuple[int, str, int]] = []
        held = 0
        for digest in digests:
            where = self._found[digest]
            if group and (len(group) >= _BLOBS or held + where[2] > _BYTES):
                yield from self._group(group)
                group, held = [], 0
            group.append(where)
            held += where[2]
        if group:
            yield from self._group(group)

    def _group(self, group: Sequence[tuple[int, str, int]]) -> Iterator[tuple[str, bytes]]:
        """Blobs that are read at once."""
        table, first, last = self._place.blobs, group[0][0], group[-1][0]
        among = ", ".join(f"'{digest}'" for _, digest, _ in group)
        found = table.query(
            f"SELECT sha256, data FROM t WHERE seq BETWEEN {first} AND {last} "
            f"AND sha256 IN ({among}) ORDER BY sha256, part",
            position=first,
        )
        parts: dict[str, list[bytes]] = {}
        for digest, data in zip(found["sha256"], found["data"], strict=True):
            parts.setdefault(digest, []).append(data)
        for seq, digest, size in group:
            whole = b"".join(parts.get(digest, ()))
            if hashlib.sha256(whole).hexdigest() != digest or len(whole) != size:
                what = f"blob {digest} does not have the contents that its name says"
                raise _damaged(table, seq, what)
            yield digest, whole

    def _find(self, condition: str) -> dict[str, tuple[int, str, int]]:
        """Where blobs are: ``seq``, digest and size of each, by digest."""
        table = self._place.blobs
        if table.open() is None:
            return {}
        found = table.query(
            f"SELECT DISTINCT seq, sha256, size FROM t WHERE {condition} "
            f"AND seq <= {self._last.size} ORDER BY seq, sha256"
        )
        rows: list[tuple[int, str, int]] = list(zip(*found.values(), strict=True))
        for seq, digest, _ in rows:
            if not digest.isalnum():
                raise _damaged(table, seq, f"a blob of entry {seq} has no digest for its name")
        return {row[1]: row for row in rows}

    @override
    def blame(self, position: int) -> dict[str, str]:
        for table in self._tables:
            for file in table.files():
                if file.get("first") is not None and file["first"] <= position <= file["last"]:
                    return {"table": table.name, "file": file["path"]}
        return {}


def _where(table: ArchiveTable, condition: str) -> list[StoredEntry]:
    return _entries(
        table, table.query(f"SELECT {select(ENTRIES)} FROM t WHERE {condition} ORDER BY seq")
    )


def _entries(table: ArchiveTable, found: dict[str, list[Any]]) -> list[StoredEntry]:
    try:
        return list(entries_of(found))
    except (ValueError, TypeError, KeyError, InputError) as fault:
        seq = found["seq"][0]
        raise _damaged(table, seq, f"entries from {seq} on are no entries: {fault}") from fault


def _damaged(table: ArchiveTable, seq: int, what: str) -> ArchiveDamagedError:
    return ArchiveDamagedError(
        f"{table.name}: {what}",
        hint="bring the table back from a copy; what comes before is sound (`--until`)",
        position=seq, table=table.name,
    )  # fmt: skip
