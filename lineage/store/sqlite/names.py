"""Names as numbers: words, notes and nodes are interned, each once for the life of the file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence

import apsw

from lineage.model.ids import artifact_of, parse_id
from lineage.model.naming import terms_of_name
from lineage.store.sqlite.connection import query
from lineage.store.sqlite.rows import Rows
from lineage.store.sqlite.texts import pack_text

__all__ = ["Names"]

_CACHED = 200_000
_SHORT = 200
_WORD = "INSERT INTO word VALUES(?,?)"
_NOTE = "INSERT INTO note VALUES(?,?,?)"
_NODE = "INSERT INTO node VALUES(?,?,?,?,?)"
_TERM = "INSERT OR IGNORE INTO term VALUES(?,?,?)"
_MADE = "UPDATE node SET made = ? WHERE id = ?"

_PART = r"([!-\"$&-+\--?A-}]{0,1024})"
_PLAIN_ID = re.compile(
    rf"(?:artifact:{_PART},{_PART}(?:@{_PART})?|(?:job|service|scope):{_PART},{_PART}"
    rf"|run:{_PART},{_PART},{_PART}|(?:team|person):{_PART})\Z"
)
"""Ids without an escape or a shortened name: most of them, and cheap to take apart."""


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
        self._absent: set[str] = set()
        self._next: dict[str, int] = {}
        self._waiting: dict[int, list[str | int | None]] = {}
        self._first_new = self._first_here = 1 << 62
        self.interned = False
        """Whether anything was interned in this transaction."""

    def begin(self, *, foreign: bool) -> None:
        """A transaction begins; ``foreign``: another process wrote since the last one."""
        if foreign:
            self._next.clear()
        self._absent.clear()
        self.interned = False
        for cache in (self._words, self._notes, self._nodes):
            if len(cache) > _CACHED:
                cache.clear()
        self._first_new = self._following("node")

    def flush(self) -> None:
        """Write the nodes that wait."""
        if self._waiting:
            self._connection.executemany(_NODE, [tuple(row) for row in self._waiting.values()])
            self._waiting = {}

    def _following(self, table: str) -> int:
        number = self._next.get(table)
        if number is None:
            ((last,),) = query(self._connection, f"SELECT max(id) FROM {table}")
            number = self._next[table] = (last or 0) + 1
        return number

    def _allocate(self, table: str) -> int:
        number = self._following(table)
        self.interned = True
        self._next[table] = number + 1
        return number

    # --- words

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
            short = len(detail) <= _SHORT
            if short:
                sql = "SELECT id FROM note WHERE said = ? AND detail = ? AND length(detail) <= 200"
                number = next((found[0] for found in query(self._connection, sql, row)), None)
            if number is None:
                number = self._allocate("note")
                self._connection.execute(_NOTE, (number, *row))
            if short:
                self._notes[said, detail] = number
        return number

    # --- nodes

    def prefetch(self, urns: Iterable[str]) -> None:
        """Look many ids up at once: then ``know`` and ``node`` need not."""
        wanted = [urn for urn in urns if urn not in self._nodes and urn not in self._absent]
        wanted += {a for urn in wanted if (a := artifact_of(urn)) != urn and a not in self._nodes}
        if wanted:
            sql = "SELECT n.urn, n.id FROM json_each(?) j CROSS JOIN node n ON n.urn = j.value"
            found: dict[str, int] = dict(query(self._connection, sql, (json.dumps(wanted),)))
            self._nodes |= found
            self._absent.update(urn for urn in wanted if urn not in found)

    def find(self, urn: str) -> int | None:
        """The number of a known node."""
        number = self._nodes.get(urn)
        if number is None and urn not in self._absent:
            sql = "SELECT id FROM node WHERE urn = ?"
            number = next((row[0] for row in query(self._connection, sql, (urn,))), None)
            if number is not None:
                self._nodes[urn] = number
            else:
                self._absent.add(urn)
        return number

    def node(self, urn: str) -> int:
        """The number of a node that is known."""
        number = self._nodes.get(urn)
        if number is None:
            number = self.find(urn)
            if number is None:
                raise KeyError(urn)
        return number

    def fresh(self, node: int) -> bool:
        """Whether a node is new in this transaction: nothing was ever said of it before."""
        return node >= self._first_new

    def new_here(self, node: int) -> bool:
        """Whether a node is new in this entry."""
        return node >= self._first_here

    def know(self, urns: Sequence[str], seq: int) -> list[str]:
        """Make ids known from ``seq`` on, with the artifacts of versions; returns the new ones.

        Raises ``RefusedError`` (``bad-id``) for what is not an id.
        """
        new: list[str] = []
        self._first_here = self._following("node")
        for urn in urns:
            if urn not in self._nodes and self.find(urn) is None:
                self._add(urn, seq, new)
        return new

    def _add(self, urn: str, seq: int, new: list[str]) -> None:
        cls, name = _taken_apart(urn)
        artifact, parent = artifact_of(urn), None
        if artifact != urn:
            parent = self.find(artifact)
            if parent is None:
                self._add(artifact, seq, new)
                parent = self._nodes[artifact]
        number = self._allocate("node")
        self._waiting[number] = [number, urn, parent, None, seq]
        self._nodes[urn] = number
        self._absent.discard(urn)
        new.append(urn)
        if parent is None:
            self._add_terms(cls, name, number)

    def _add_terms(self, cls: str, name: str, number: int) -> None:
        names, tokens = terms_of_name(cls, name)
        for text in names:
            self._rows.add(_TERM, (text.encode("utf-8", "surrogatepass"), 0, number))
        for text in tokens:
            # What begins a token that begins a name is found by the name.
            if not any(other.startswith(text) for other in names):
                self._rows.add(_TERM, (text.encode("utf-8", "surrogatepass"), 1, number))

    def set_made(self, version: int, made: int | None) -> None:
        """When a version was made, as known at the head."""
        waiting = self._waiting.get(version)
        if waiting is not None:
            waiting[3] = made
        else:
            self._connection.execute(_MADE, (made, version))

    def made(self, version: int) -> int | None:
        """When a version was made, as known at the head."""
        waiting = self._waiting.get(version)
        if waiting is not None:
            at = waiting[3]
        else:
            sql = "SELECT made FROM node WHERE id = ?"
            ((at,),) = query(self._connection, sql, (version,))
        return at if isinstance(at, int) else None


def _taken_apart(urn: str) -> tuple[str, str]:
    """Class and name of an id. Raises ``RefusedError`` for what is none."""
    plain = _PLAIN_ID.match(urn)
    if plain is not None:
        return urn.partition(":")[0], artifact_of(urn)[urn.index(":") + 1 :].rpartition(",")[2]
    parsed = parse_id(urn)
    return parsed.cls, parsed.texts[-1]
