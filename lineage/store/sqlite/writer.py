"""Appending: entries numbered, hashed and applied to the graph, inside one transaction."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from itertools import chain

import apsw

from lineage.model.claims import Claims, EntryRef
from lineage.model.envelope import SALT_BYTES, Envelope, commitment_of
from lineage.model.merkle import Frontier
from lineage.store.bodies import pack_body, unpack_body
from lineage.store.contract import Head, Interpreter, NewEntry, Receipt
from lineage.store.redaction import check_stub, claims_of_stub
from lineage.store.sqlite.claims import ClaimWriter
from lineage.store.sqlite.connection import query, rows_of
from lineage.store.sqlite.erasure import REWRITES
from lineage.store.sqlite.names import Names
from lineage.store.sqlite.rows import Rows
from lineage.store.sqlite.seals import keep_tiles
from lineage.store.sqlite.texts import (
    pack_event_id,
    unpack_event_id,
    unpack_text,
)

__all__ = ["Writer"]

_TOGETHER = 200
"""Entries whose names are looked up at once."""
_MOST_WAITING = 50_000
_HEAD = f"""SELECT seq, recorded_at, frontier, edges, states,
  EXISTS(SELECT 1 FROM retraction) OR EXISTS(SELECT 1 FROM redaction), {REWRITES} FROM head"""
_ENTRY = """INSERT INTO entry VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?)
ON CONFLICT(source, event_id) DO NOTHING"""


class Writer:
    """One process's writing side. Its caches are cleared whenever a transaction is rolled back."""

    def __init__(
        self, connection: apsw.Connection, interpret: Interpreter, clock: Callable[[], int]
    ) -> None:
        self._connection = connection
        self._interpret = interpret
        self._clock = clock
        self._rows = Rows(connection)
        self._names = Names(connection, self._rows)
        self._claims = ClaimWriter(connection, self._names, self._rows)
        self._seq = -1
        self._rewrites = 0
        self._recorded_at = 0
        self._frontier = Frontier.empty()
        self._reached_back = False

    def begin(self) -> Head:
        """Read the head under the lock that the transaction holds."""
        ((seq, at, frontier, edges, states, back, rewrites),) = query(self._connection, _HEAD)
        if rewrites != self._rewrites:
            self.clear()  # numbers of names may mean nothing now
            self._rewrites = rewrites
        foreign = seq != self._seq
        self._seq, self._recorded_at = seq, at
        self._frontier = Frontier.of_bytes(frontier)
        self._reached_back = bool(back)
        self._names.begin(foreign=foreign)
        self._claims.begin(edges, states, foreign=foreign)
        return Head(seq, at, self._frontier)

    def finish(self) -> None:
        """Write what waits, and the new head."""
        self._claims.finish()
        self._names.flush()
        self._rows.flush()
        self._connection.execute(
            "UPDATE head SET seq = ?, recorded_at = ?, frontier = ?, edges = ?, states = ?",
            (
                self._seq, self._recorded_at, self._frontier.to_bytes(),
                self._claims.edges, self._claims.states,
            ),
        )  # fmt: skip

    def abandon(self) -> None:
        """Nothing was new: the transaction is rolled back."""
        if self._names.interned:
            self.clear()

    def clear(self) -> None:
        """The transaction was rolled back: forget what it had numbered."""
        self._rows.clear()
        self._names.clear()
        self._claims.clear()
        self._seq = -1

    # --- one entry

    def append(self, entries: Sequence[NewEntry]) -> list[Receipt]:
        """Append entries in order, or say where they are already."""
        receipts = []
        for start in range(0, len(entries), _TOGETHER):
            some = entries[start : start + _TOGETHER]
            nodes = [entry.claims.nodes() for entry in some]
            self._names.prefetch(dict.fromkeys(chain.from_iterable(nodes)))
            receipts += [self._append(*pair) for pair in zip(some, nodes, strict=True)]
            if self._rows.waiting > _MOST_WAITING:
                self._names.flush()
                self._rows.flush()
        return receipts

    def _append(self, entry: NewEntry, nodes: Sequence[str]) -> Receipt:
        ref = EntryRef(entry.source, entry.event_id)
        salt = entry.salt
        if entry.commitment is None:
            salt = secrets.token_bytes(SALT_BYTES)
        commitment = entry.commitment or commitment_of(salt or b"", entry.body)
        body, claims = entry.body, entry.claims
        stub = self._stub_of(ref) if self._reached_back else None
        if stub is not None:
            body, salt = stub, None
            claims = claims_of_stub(self._interpret, entry.kind, entry.v, body)
            nodes = claims.nodes()
        seq = self._seq + 1
        recorded_at = entry.recorded_at
        if recorded_at is None:
            recorded_at = max(self._clock(), self._recorded_at)
        leaf = Envelope(
            seq, recorded_at, entry.kind, entry.v, entry.source, entry.event_id, entry.actor,
            commitment,
        ).leaf()  # fmt: skip
        word, key = self._names.word, self._key(ref)
        self._connection.execute(
            _ENTRY,
            (
                seq, recorded_at, word(entry.kind), entry.v, *key, word(entry.actor.id),
                word(entry.actor.verified), salt, *pack_body(body), commitment, leaf,
            ),
        )  # fmt: skip
        if not self._connection.changes():
            sql = "SELECT seq FROM entry WHERE source = ? AND event_id = ?"
            return Receipt(rows_of(self._connection, sql, key)[0][0], new=False)
        self._seq, self._recorded_at = seq, recorded_at
        if complete := self._frontier.push(leaf):
            keep_tiles(self._connection, complete)
        self._apply(ref, seq, claims, nodes)
        return Receipt(seq, new=True)

    def _key(self, ref: EntryRef) -> tuple[int, str | bytes]:
        return self._names.word(ref.source), pack_event_id(ref.event_id)

    def _apply(self, ref: EntryRef, seq: int, claims: Claims, nodes: Sequence[str]) -> None:
        self._claims.know(nodes, seq)
        for target in claims.retracts:
            self._retract(target, seq)
        dead = self._reached_back and self._retracted(ref) is not None
        self._claims.add(ref, seq, claims, dead_from=seq if dead else None)
        self._claims.settle(seq)
        self._redact(ref, claims, seq)

    # --- reaching back

    def _retracted(self, ref: EntryRef) -> int | None:
        sql = "SELECT seq FROM retraction WHERE source = ? AND event_id = ?"
        for (seq,) in query(self._connection, sql, self._key(ref)):
            return int(seq)
        return None

    def _retract(self, target: EntryRef, seq: int) -> None:
        self._reached_back = True
        sql = "INSERT OR IGNORE INTO retraction VALUES(?,?,?)"
        self._connection.execute(sql, (*self._key(target), seq))
        if self._connection.changes():
            found = self._entry(target)
            if found is not None and found[0] != seq:
                self._claims.retract(target, found[0], self._said_by(*found[1:]), seq)

    def _said_by(self, kind: str, v: int, body: bytes, salt: bytes | None) -> Claims:
        """What an entry says as it stands; a redacted one has a stub for a body."""
        if salt is None:
            return claims_of_stub(self._interpret, kind, v, body)
        return self._interpret(kind, v, body)

    def _entry(self, ref: EntryRef) -> tuple[int, str, int, bytes, bytes | None] | None:
        sql = """SELECT e.seq, k.text, e.v, e.packed, e.body, e.salt
            FROM entry e JOIN word k ON k.id = e.kind WHERE e.source = ? AND e.event_id = ?"""
        for seq, kind, v, packed, body, salt in query(self._connection, sql, self._key(ref)):
            return seq, unpack_text(kind), v, unpack_body(packed, body), salt
        return None

    def _stub_of(self, target: EntryRef) -> bytes | None:
        """Of several redactions the last in the order of (event id, source) stands."""
        sql = """SELECT r.by_event_id, w.text, r.stub FROM redaction r
            JOIN word w ON w.id = r.by_source WHERE r.source = ? AND r.event_id = ?"""
        stubs = [
            ((unpack_event_id(event_id), unpack_text(source)), stub)
            for event_id, source, stub in query(self._connection, sql, self._key(target))
        ]
        return max(stubs)[1] if stubs else None

    def _redact(self, by: EntryRef, claims: Claims, seq: int) -> None:
        source, event_id = self._key(by)
        for redaction in claims.redacts:
            self._reached_back = True
            self._connection.execute(
                "INSERT OR REPLACE INTO redaction VALUES(?,?,?,?,?)",
                (*self._key(redaction.target), event_id, source, redaction.stub),
            )
        for target in dict.fromkeys(redaction.target for redaction in claims.redacts):
            self._erase(target, seq)

    def _erase(self, target: EntryRef, seq: int) -> None:
        found = self._entry(target)
        stub = self._stub_of(target)
        if found is None or stub is None or (found[4] is None and found[3] == stub):
            return
        at, kind, v, body, salt = found
        before, after = self._said_by(kind, v, body, salt), self._interpret(kind, v, stub)
        check_stub(before, after)
        self._connection.execute(
            "UPDATE entry SET packed = ?, body = ?, salt = NULL WHERE seq = ?",
            (*pack_body(stub), at),
        )
        dead_from = self._retracted(target)
        if dead_from is not None:
            dead_from = max(dead_from, at)
        self._claims.replace(target, at, before, after, dead_from=dead_from, now=seq)
        self._redact(target, after, seq)
