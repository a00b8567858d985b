"""Names as numbers: words, notes and nodes are interned, each once for the life of the file."""

from __future__ import annotations

from collections.abc import Iterable

import apsw

from lineage.model.ids import artifact_of, parse_id
from lineage.model.naming import terms_of
from lineage.store.sqlite.connection import query
from lineage.store.sqlite.rows import Rows
from lineage.store.sqlite.texts import pack_text

__all__ = ["Names"]

_CACHED = 200_000
_WORD = "INSERT INTO word VALUES(?,?)"
_NOTE = "INSERT INTO note VALUES(?,?,?)"
_NODE = "INSERT INTO node VALUES(?,?,?,NULL,?)"
_TERM = "INSERT OR IGNORE INTO term VALUES(?,?,?)"
_SHORT = 200


class Names:
    """Interns names while entries are appended.

    Numbers never change once committed, whoever wrote them, so the caches outlive a transaction;
    after a rollback they must be cleared.
    """

    def __init__(self, connection: apsw.Connection, rows: Rows) -> None:
        self._connection = connection
        self._rows = rows
        self.clear()

    def clear(self) -> None:
        """Forget everything: a transaction was rolled back."""
        self._words: dict[str, int] = {}
        self._notes: dict[tuple[str, str], int] = {}
        self._nodes: dict[str, int] = {}
        self._next: dict[str, int] = {}

    def begin(self, *, foreign: bool) -> None:
        """A transaction begins; ``foreign``: another process wrote since the last one."""
        if foreign:
            self._next.clear()
        for cache in (self._words, self._notes, self._nodes):
            if len(cache) > _CACHED:
                cache.clear()

    def _allocate(self, table: str) -> int:
        number = self._next.get(table)
        if number is None:
            ((last,),) = query(self._connection, f"SELECT max(id) FROM {table}")
            number = (last or 0) + 1
        self._next[table] = number + 1
        return number

    def word(self, text: str) -> int:
        """The number of a word."""
        number = self._words.get(text)
        if number is None:
            packed = pack_text(text)
            sql = "SELECT id FROM word WHERE text = ?"
            number = next((row[0] for row in query(self._connection, sql, (packed,))), None)
            if number is None:
                number = self._allocate("word")
                self._connection.execute(_WORD, (number, packed))
            self._words[text] = number
        return number

    def note(self, said: str, detail: str) -> int | None:
        """The number of what a claim says beside its ends, None for nothing."""
        if not said and not detail:
            return None
        number = self._notes.get((said, detail))
        if number is None:
            row = (pack_text(said), pack_text(detail))
            if len(detail) <= _SHORT:
                sql = "SELECT id FROM note WHERE said = ? AND detail = ? AND length(detail) <= 200"
                number = next((found[0] for found in query(self._connection, sql, row)), None)
            if number is None:
                number = self._allocate("note")
                self._connection.execute(_NOTE, (number, *row))
            if len(detail) <= _SHORT:
                self._notes[said, detail] = number
        return number

    def find(self, urn: str) -> int | None:
        """The number of a known node."""
        number = self._nodes.get(urn)
        if number is None:
            sql = "SELECT id FROM node WHERE urn = ?"
            number = next((row[0] for row in query(self._connection, sql, (urn,))), None)
            if number is not None:
                self._nodes[urn] = number
        return number

    def know(self, urns: Iterable[str], seq: int) -> list[str]:
        """Make ids known from ``seq`` on, with the artifacts of versions; returns the new ones.

        Raises ``RefusedError`` (``bad-id``) for what is not an id.
        """
        new: list[str] = []
        for urn in urns:
            if urn not in self._nodes and self.find(urn) is None:
                self._add(urn, seq, new)
        return new

    def _add(self, urn: str, seq: int, new: list[str]) -> None:
        parse_id(urn)
        artifact, parent = artifact_of(urn), None
        if artifact != urn:
            parent = self.find(artifact)
            if parent is None:
                self._add(artifact, seq, new)
                parent = self._nodes[artifact]
        number = self._allocate("node")
        self._connection.execute(_NODE, (number, urn, parent, seq))
        self._nodes[urn] = number
        new.append(urn)
        names, tokens = terms_of(urn)
        for kind, texts in enumerate((names, tokens)):
            for text in texts:
                self._rows.add(_TERM, (text.encode("utf-8", "surrogatepass"), kind, number))

    def node(self, urn: str) -> int:
        """The number of a node that is known."""
        number = self._nodes.get(urn)
        if number is None:
            number = self.find(urn)
            if number is None:
                raise KeyError(urn)
        return number
